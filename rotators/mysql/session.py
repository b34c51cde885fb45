"""One connection to MySQL or MariaDB: bounded in time, verified by TLS, its errors in our words.

PyMySQL's waits end only where a single read takes too long; a server that answers byte by byte could keep us for ever.
So a watchdog shuts the socket down when the time is up. The server gets time-outs of its own, below ours: what we gave
up on must not happen later.
"""

import os
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, NoReturn, Self

import pymysql
from pymysql.connections import Connection

from common import clock, network, tls
from common.errors import LoginRejected
from common.secret import Account, Secret
from rotators.mysql.errors import CANNOT_USER, RAISED, connect_error, method_refused, number_of, statement_error

CONNECT_SECONDS = 5.0
STATEMENT_SECONDS = 10.0
SERVER_HEADSTART = 2.0  # seconds by which the server gives up before we do
LOCKS = 3  # that ALTER USER waits for, one after the other: the global read lock, the backup lock, the rights' tables
# Methods by which the server learns the password itself, or that want a library that we do not ship.
REFUSED_METHODS = ("mysql_clear_password", "dialog", "mysql_old_password", "client_ed25519", "parsec")


class Session:
    """A login that lasts as long as the `with` block. No database is selected: no unqualified name means anything (W3)."""

    connection: "Connection[Any]"
    version: str  # "9.7.4", "10.11.19-MariaDB"
    user: str  # who the server says we are: the account is 'user'@'host'
    host: str

    def __init__(self, login: Secret, account: Account) -> None:
        self._login, self._account = login, account
        self._server_seconds = 0.0  # what the server gives a statement

    def __enter__(self) -> Self:
        """Log in. LoginRejected, TargetUnavailable or TargetError where that fails."""
        self.connection = connect(self._login, self._account)
        try:
            self._open()
        except BaseException:
            _close(self.connection)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close; nothing is left open."""
        _close(self.connection)

    def _open(self) -> None:
        """W3 and W4: how names and texts are quoted, how long the server waits; then who the server says we are."""
        self._server_seconds = _server_limit()
        seconds = int(self._server_seconds)
        greeted: str = self.connection.server_version  # type: ignore[attr-defined]  # its stubs lack it
        self.version = greeted.removeprefix("5.5.5-")  # MariaDB says it first, for replicas of old
        # A statement may wait for several locks, one after the other: each has its part. MariaDB's do not all heed it.
        wait = max(seconds // LOCKS, 1)
        limit = f"lock_wait_timeout = {wait}, innodb_lock_wait_timeout = {wait}"
        limit += f", max_statement_time = {seconds}" if self.is_mariadb else ""
        self.run(f"SET SESSION sql_mode = '', autocommit = 1, {limit}")
        ((who,),) = self.run("SELECT CURRENT_USER()")
        # An anonymous account ('') or a proxied one is not the secret's user. A host holds no @, a user may.
        self.user, _, self.host = who.rpartition("@")
        if self.user != self._account.user:
            raise LoginRejected(
                "login-is-another-user",
                f"The server takes {self._account} for another user.",
                "Drop the anonymous account, or look for a proxy in between that logs in as somebody else.",
            )

    @property
    def account(self) -> Account:
        """Who has logged in where."""
        return self._account

    @property
    def is_mariadb(self) -> bool:
        """MariaDB says so in its version, whatever stands before it."""
        return "mariadb" in self.version.lower()

    @property
    def version_number(self) -> tuple[int, ...]:
        """(9, 7, 4)."""
        return tuple(int(part) for part in re.findall(r"\d+", self.version)[:3])

    @property
    def grantee(self) -> str:
        """The account, as it stands in a command that we print."""
        return f"{self.text(self.user)}@{self.text(self.host)}"

    def text(self, value: str) -> str:
        """A text as it stands in a statement, by the driver's own quoting."""
        return str(self.connection.escape(value))

    def run(self, statement: str) -> tuple[tuple[Any, ...], ...]:
        """Run the statement; its rows, none where it answers none."""
        return self._run(statement, ())[0]

    def attempt(self, statement: str, *numbers: int) -> int | None:
        """Run the statement; where the server refuses it by one of these error numbers, that number."""
        return self._run(statement, numbers)[1]

    def _run(self, statement: str, numbers: tuple[int, ...]) -> tuple[tuple[tuple[Any, ...], ...], int | None]:
        if clock.at_most(STATEMENT_SECONDS) < self._server_seconds + 0.5:
            raise clock.out_of_time()  # we would give up before the server does, and it would be done afterwards
        sock = self.connection._sock  # type: ignore[attr-defined]  # noqa: SLF001  PyMySQL shows it nowhere else
        with _watched(sock, clock.at_most(STATEMENT_SECONDS)) as expired:
            try:
                with self.connection.cursor() as cursor:
                    cursor.execute(statement)
                    return tuple(cursor.fetchall()), None
            except RAISED as error:
                number = number_of(error)
                if number == CANNOT_USER and self.is_mariadb:
                    number = self._warned(number)
                if number in numbers:
                    return (), number
                raise (
                    network.stalled(self._account) if expired() else statement_error(number, self._account)
                ) from None

    def _warned(self, number: int) -> int:
        """The number of the first error that SHOW WARNINGS has; this one, where it has none."""
        with suppress(pymysql.MySQLError, OSError), self.connection.cursor() as cursor:
            cursor.execute("SHOW WARNINGS")
            return next((int(code) for level, code, _ in cursor.fetchall() if level == "Error"), number)
        return number


def connect(login: Secret, account: Account) -> "Connection[Any]":
    """An open connection, at the first of the host's addresses that answers; one login at most is tried."""
    return network.first_that_answers(
        login.host(), account, CONNECT_SECONDS, lambda address, seconds: _connect_to(address, login, account, seconds)
    )


def _connect_to(address: str, login: Secret, account: Account, seconds: float) -> "Connection[Any]":
    """Connect and log in within `seconds`."""
    end = time.monotonic() + seconds
    certificate_name = login.text_or("tls_server_name", account.host) if login.tls else account.host
    context = _context(account) if login.tls else None  # before a socket is open that its error would leave behind
    try:
        opened = socket.create_connection((address, account.port), timeout=seconds)
    except TimeoutError:
        raise network.silent(account) from None
    except OSError as error:
        raise connect_error(error, account) from None
    connection: Connection[Any] = Connection(
        host=certificate_name,  # the certificate is verified against it
        port=account.port,
        user=account.user,
        password=login.text("password").encode(),  # a text would be sent as Latin-1
        charset="utf8mb4",
        ssl=context,
        ssl_disabled=not login.tls,
        autocommit=None,  # the opening statement sets it
        local_infile=False,
        auth_plugin_map=dict.fromkeys(REFUSED_METHODS, _Refused),
        program_name="keyturn",
        defer_connect=True,
    )
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with _watched(opened, max(end - time.monotonic(), 0.001)) as expired:
        try:
            connection.connect(opened)
        except _MethodRefused:
            raise method_refused(account) from None
        except RAISED as error:
            raise (network.silent(account) if expired() else connect_error(error, account)) from None
    return connection


def _context(account: Account) -> ssl.SSLContext:
    """TLS, verified with the host's name."""
    try:
        return ssl.create_default_context(cafile=tls.ca_file())
    except (ssl.SSLError, OSError):
        raise tls.ca_unreadable(account) from None


class _MethodRefused(Exception):
    """The server asked for a method of login that would show it the password."""


class _Refused:
    """What PyMySQL is given as the plugin for such a method."""

    def __init__(self, _: object) -> NoReturn:
        raise _MethodRefused


@contextmanager
def _watched(sock: socket.socket, seconds: float) -> "Iterator[Any]":
    """Inside, the socket is shut down after `seconds`; what is yielded tells whether it was."""
    # A duplicate: TLS takes the socket's descriptor away in mid-handshake.
    watched, expired = socket.socket(fileno=os.dup(sock.fileno())), threading.Event()

    def end() -> None:
        expired.set()
        with suppress(OSError):
            watched.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield expired.is_set
    finally:
        timer.cancel()
        watched.close()


def _close(connection: "Connection[Any]") -> None:
    """Say goodbye, if the server still listens."""
    with suppress(pymysql.MySQLError, OSError):
        connection.close()


def _server_limit() -> float:
    """Seconds that the server gives a statement: less than we give it, so that it never acts after we have given up."""
    seconds = clock.at_most(STATEMENT_SECONDS) - SERVER_HEADSTART
    if seconds < 1:
        raise clock.out_of_time()
    return seconds
