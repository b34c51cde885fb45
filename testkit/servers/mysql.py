"""A MySQL or MariaDB server of our own: TLS, every statement logged.

MariaDB is Debian's, or whatever `mariadbd` is on the PATH. MySQL is `mysqld` on the PATH, or a tree of another Debian
release, whose root MYSQL_TREE names: its programs run there with its own libraries.
"""

import os
import secrets
import shutil
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pymysql
from pymysql.connections import Connection

from testkit.certificates import Authority
from testkit.servers.process import Keeper, free_port, keeper

ROOT = "root"
Rows = tuple[tuple[Any, ...], ...]


@dataclass(frozen=True)
class Program:
    """How a server's programs are called. flavour: "mysql" or "mariadb"."""

    flavour: str
    server: tuple[str, ...]
    install: tuple[str, ...]


def find_mysql() -> Program | None:
    """MySQL's own server: in the tree that MYSQL_TREE names, else on the PATH."""
    tree = os.environ.get("MYSQL_TREE", "")
    if tree and Path(tree, "usr/sbin/mysqld").exists():
        usr = Path(tree, "usr")
        (libraries,) = [path.parent for path in usr.glob("lib/*/libc.so.6")]
        (loader,) = list(libraries.glob("ld-linux-*.so.*"))
        server = (
            *(str(loader), "--library-path", f"{libraries}:{usr}/lib/mysql/private", str(usr / "sbin/mysqld")),
            *("--no-defaults", f"--basedir={usr}", f"--plugin-dir={usr}/lib/mysql/plugin"),
            *(f"--lc-messages-dir={usr}/share/mysql", f"--character-sets-dir={usr}/share/mysql/charsets"),
        )
        return Program("mysql", server, (*server, "--initialize-insecure"))
    found = shutil.which("mysqld")
    if found and "mariadb" not in _version(found).lower():
        return Program("mysql", (found, "--no-defaults"), (found, "--no-defaults", "--initialize-insecure"))
    return None


def find_mariadb() -> Program | None:
    """MariaDB's server on the PATH, or where Debian puts it."""
    path = os.environ.get("PATH", "") + ":/usr/sbin"
    server, install = shutil.which("mariadbd", path=path), shutil.which("mariadb-install-db", path=path)
    if not server or not install:
        return None
    made = (
        install,
        "--no-defaults",
        "--auth-root-authentication-method=normal",
        "--skip-test-db",
        "--skip-name-resolve",
    )
    return Program("mariadb", (server, "--no-defaults"), made)


def _version(command: str) -> str:
    return subprocess.run([command, "--version"], capture_output=True, text=True, check=False).stdout


@dataclass(frozen=True)
class MySqlServer:
    """A running server. ca_file: the PEM to trust. log: every login and statement that it was sent."""

    flavour: str
    port: int
    password: str = field(repr=False)
    folder: Path
    host: str = "localhost"
    _kept: "list[Connection[Any]]" = field(default_factory=list, repr=False)

    @property
    def ca_file(self) -> Path:
        """The root that signed the server's certificate, which is for `localhost` only."""
        return self.folder / "root.crt"

    @property
    def log(self) -> Path:
        """The general log."""
        return self.folder / "general.log"

    def connect(self, user: str = ROOT, password: str | None = None) -> "Connection[Any]":
        """An ordinary client's connection, by default as root; each statement commits by itself."""
        given = self.password if password is None else password
        return Connection(
            host="127.0.0.1",
            port=self.port,
            user=user,
            password=given.encode(),  # as UTF-8
            charset="utf8mb4",
            autocommit=True,
            connect_timeout=5,
            ssl=self._trusting,
        )

    @cached_property
    def _trusting(self) -> ssl.SSLContext:
        """Made once: to read a machine's own roots takes longer than a login."""
        context = ssl.create_default_context(cafile=self.ca_file)
        context.check_hostname = False  # it connects to the address
        return context

    def accepts(self, user: str, password: str) -> bool:
        """Whether the server lets this user in with this password."""
        try:
            self.connect(user, password).close()
        except pymysql.OperationalError as error:
            if error.args[0] == 1045:
                return False
            raise
        return True

    def run(self, statement: str, *values: object, as_user: tuple[str, str] | None = None) -> Rows:
        """Run a statement, %s in it standing for `values`, as root or as `as_user`, who has that password; its rows."""
        if as_user is None:
            return _rows(self._root(), statement, values)
        opened = self.connect(*as_user)
        try:
            return _rows(opened, statement, values)
        finally:
            opened.close()

    def _root(self) -> "Connection[Any]":
        """Root's connection, which stays open."""
        if not self._kept or not self._kept[0].open:
            self._kept[:] = [self.connect()]
        return self._kept[0]

    def create_user(self, user: str, password: str, host: str = "%") -> None:
        """A user that may log in and do nothing else."""
        with self.unlogged():
            self.run("CREATE USER %s@%s IDENTIFIED BY %s", user, host, password)

    def set_password(self, user: str, password: str, host: str = "%") -> None:
        """Set a user's password, as an admin would by hand."""
        with self.unlogged():
            self.run("ALTER USER %s@%s IDENTIFIED BY %s", user, host, password)

    def users(self) -> set[tuple[str, str]]:
        """Every account, as (user, host)."""
        return {(user, host) for user, host in self.run("SELECT user, host FROM mysql.user")}

    def drop_users(self, keep: set[tuple[str, str]]) -> None:
        """Every account but these."""
        for user, host in sorted(self.users() - keep):
            self.run("DROP USER %s@%s", user, host) if host else self.run("DROP ROLE %s", user)

    @contextmanager
    def unlogged(self) -> Iterator[None]:
        """Statements of root's that the general log does not see: MariaDB's shows passwords, and these are not ours to hide."""
        self.run("SET SESSION sql_log_off = 1")
        try:
            yield
        finally:
            self.run("SET SESSION sql_log_off = 0")

    def secret(self, user: str, password: str, **fields: object) -> dict[str, object]:
        """The value of a secret for a user of this server."""
        return {
            "engine": self.flavour,
            "host": self.host,
            "port": self.port,
            "username": user,
            "password": password,
            **fields,
        }


def _rows(opened: "Connection[Any]", statement: str, values: tuple[object, ...]) -> Rows:
    with opened.cursor() as cursor:
        cursor.execute(statement, values or None)
        return tuple(cursor.fetchall())


@contextmanager
def mysql_server(program: Program, *settings: str) -> Iterator[MySqlServer]:
    """A new server, up and accepting logins; stopped and removed at the end, also when we are killed.

    settings: options beside ours, such as "--default-password-lifetime=1"
    """
    with keeper(program.flavour) as kept:
        server = MySqlServer(program.flavour, free_port(), secrets.token_hex(16), kept.folder)
        _initialise(program, kept, server)
        kept.serve(*program.server, *_options(program, server), *settings, port=server.port)
        _wait_until_ready(server)
        (kept.folder / "init.sql").unlink()
        try:
            yield server
        finally:
            for opened in server._kept:  # noqa: SLF001
                with suppress(pymysql.MySQLError):
                    opened.close()


def _initialise(program: Program, kept: Keeper, server: MySqlServer) -> None:
    """Certificates, system tables, and a file that gives root its password at the first start."""
    authority, first = Authority(), kept.folder / "init.sql"
    server.ca_file.write_bytes(authority.pem)
    first.write_text(f"ALTER USER 'root'@'localhost' IDENTIFIED BY '{server.password}';\n")
    kept.give(first, *authority.issue(kept.folder, server.host))
    kept.run(*program.install, f"--datadir={kept.folder}/data")


def _options(program: Program, server: MySqlServer) -> tuple[str, ...]:
    folder = server.folder
    mine = ("--mysqlx=OFF", "--secure-file-priv=") if program.flavour == "mysql" else ()
    return (
        f"--datadir={folder}/data", f"--port={server.port}", "--bind-address=127.0.0.1", f"--socket={folder}/socket",
        f"--pid-file={folder}/pid", f"--ssl-ca={folder}/root.crt", f"--ssl-cert={folder}/server.crt", f"--ssl-key={folder}/server.key",
        f"--init-file={folder}/init.sql", "--general-log=1", f"--general-log-file={folder}/general.log",
        "--skip-log-bin", "--innodb-flush-log-at-trx-commit=0", *mine,
    )  # fmt: skip


def _wait_until_ready(server: MySqlServer) -> None:
    """The port opens a moment before the init file has run."""
    for _ in range(200):
        try:
            return server.connect().close()
        except pymysql.MySQLError:
            time.sleep(0.05)
    raise RuntimeError("The server does not finish starting up.")
