"""One connection by libpq: bounded in time, verified by TLS, its errors in our words.

psycopg2's blocking calls wait for ever on a server that stops answering, so the connection is an asynchronous one and
every wait here has an end. The server gets time-outs of its own, below ours: what we gave up on must not happen later.
"""

import select
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, ClassVar, Self

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import POLL_OK, POLL_READ, connection

from common import clock, network, tls
from common.errors import LoginRejected
from common.secret import Account, Secret
from rotators.libpq.errors import connect_error, statement_error

CONNECT_SECONDS = 5.0
STATEMENT_SECONDS = 10.0
SERVER_HEADSTART = 2.0  # seconds by which the server gives up before we do


class Session:
    """A login that lasts as long as the `with` block.

    opening: W3, for users and admins alike: one message, so that nothing runs before it, whose last statement answers
    who we are. {milliseconds} in it: the server's limit for a statement. Not startup options: RDS Proxy refuses them
    database_by_default: for secrets without dbname. methods: how a login may be proven, as libpq names it: a false server
    would get the password in clear by asking, and one that trusts everybody proves nothing
    """

    opening: ClassVar[sql.SQL]
    database_by_default: ClassVar[str]
    methods: ClassVar[str]
    connection: connection

    def __init__(self, login: Secret, account: Account) -> None:
        self._login, self._account = login, account
        self._server_seconds = 0.0  # what the server gives a statement

    def __enter__(self) -> Self:
        """Log in. LoginRejected, TargetUnavailable or TargetError where that fails."""
        self.connection = self._connect()
        try:
            self._server_seconds = _server_limit()
            milliseconds = round(self._server_seconds * 1000)
            ((user,),) = self.run(self.opening.format(milliseconds=sql.Literal(milliseconds)))
        except BaseException:
            self.connection.close()
            raise
        if user != self._account.user:
            self.connection.close()
            raise LoginRejected(
                "login-is-another-user",
                f"The server takes {self._account} for another user.",
                "Look for a pooler in between that logs in as somebody else; rotate at the server itself.",
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close; nothing is left open, no transaction either: each statement commits by itself."""
        self.connection.close()

    @property
    def user(self) -> str:
        """Who has logged in."""
        return self._account.user

    @property
    def database(self) -> str:
        """The database that it is connected to."""
        return self._login.text_or("dbname", self.database_by_default)

    def elsewhere(self, login: Secret) -> Self:
        """Another session of the same account, such as in another database."""
        return type(self)(login, self._account)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of the block or, where it fails or we die, nothing of it. The guard stands before it and before its end."""
        clock.before_change()
        self.run(sql.SQL("BEGIN"))
        yield  # an exception closes the connection, which rolls back
        clock.before_change()
        self.run(sql.SQL("COMMIT"))

    def run(self, statement: sql.Composable) -> list[tuple[Any, ...]]:
        """Run the statement; its rows, none where it answers none."""
        if clock.at_most(STATEMENT_SECONDS) < self._server_seconds + 0.5:
            raise clock.out_of_time()  # we would give up before the server does, and it would be done afterwards
        cursor = self.connection.cursor()
        try:
            cursor.execute(statement)
            wait(self.connection, clock.at_most(STATEMENT_SECONDS))
            return cursor.fetchall() if cursor.description else []
        except psycopg2.Error as error:
            raise statement_error(error, self._account) from None
        except UnicodeDecodeError:
            raise statement_error(psycopg2.OperationalError(), self._account) from None
        except TimeoutError:
            raise network.stalled(self._account) from None

    def _connect(self) -> "psycopg2.extensions.connection":
        """An open connection, at the first of the host's addresses that answers; one login at most is tried."""
        return network.first_that_answers(self._login.host(), self._account, CONNECT_SECONDS, self._connect_to)

    def _connect_to(self, address: str, seconds: float) -> "psycopg2.extensions.connection":
        """Connect and log in within `seconds`."""
        login, account = self._login, self._account
        certificate_name = login.text_or("tls_server_name", account.host) if login.tls else account.host
        attempt: psycopg2.extensions.connection | None = None
        try:
            attempt = psycopg2.connect(
                async_=True,
                host=certificate_name,
                hostaddr=address,  # libpq connects here, and verifies the certificate against `host`
                port=account.port,
                user=account.user,
                password=login.text("password"),
                dbname=self.database,
                sslmode="verify-full" if login.tls else "disable",
                sslrootcert=tls.ca_file(),
                sslcertmode="disable",
                gssencmode="disable",
                require_auth=self.methods,
                client_encoding="UTF8",
                application_name="keyturn",
            )
            wait(attempt, seconds)
        except BaseException as error:
            if attempt is not None:
                attempt.close()
            if isinstance(error, UnicodeDecodeError):
                # Before the login is done a server speaks in its own encoding: Latin-1, where it was set up so.
                error = psycopg2.OperationalError(error.object.decode(errors="replace"))
            if isinstance(error, psycopg2.Error):
                raise connect_error(error, account) from None
            if isinstance(error, TimeoutError):
                raise network.silent(account) from None
            raise
        return attempt


def _server_limit() -> float:
    """Seconds that the server gives a statement: less than we give it, so that it never acts after we have given up."""
    seconds = clock.at_most(STATEMENT_SECONDS) - SERVER_HEADSTART
    if seconds < 1:
        raise clock.out_of_time()
    return seconds


def wait(connection: connection, seconds: float) -> None:
    """Let the connection finish what it is doing; TimeoutError after `seconds`."""
    end = time.monotonic() + seconds
    while (state := connection.poll()) != POLL_OK:
        ready = select.poll()
        ready.register(connection, select.POLLIN if state == POLL_READ else select.POLLOUT)
        if not ready.poll(max(end - time.monotonic(), 0) * 1000):
            raise TimeoutError
