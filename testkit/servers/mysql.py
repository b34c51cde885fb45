"""A MySQL or MariaDB server: TLS, every statement logged.

Where it comes from, the first that there is:

- one that runs already and whose users may come and go, named by MYSQL_TEST_URL or MARIADB_TEST_URL:
  mysql://root:password@localhost:3306/?ca=/path/to/root.pem&log=/path/to/general.log
- MySQL in a tree of another Debian release, whose root MYSQL_TREE or SERVERS_TREE names: it runs with its own libraries
- `mysqld`, `mariadbd` on the PATH
- a container, where a Docker engine answers and has, or may pull, the image
"""

import os
import secrets
import shutil
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pymysql
from pymysql.connections import Connection

from testkit.certificates import Authority
from testkit.servers.containers import has_image, in_container
from testkit.servers.process import free_port, keeper
from testkit.servers.tree import tree_with

ROOT = "root"
Rows = tuple[tuple[Any, ...], ...]


IMAGES = {"mysql": "mysql:9", "mariadb": "mariadb:11.4"}


@dataclass(frozen=True)
class Program:
    """How a server's programs are called, in the folder that is mounted where they run in a container.

    flavour: "mysql" or "mariadb"
    """

    flavour: str
    server: tuple[str, ...]
    install: tuple[str, ...]
    image: str = ""

    def command(self, words: tuple[str, ...], folder: Path) -> tuple[str, ...]:
        """These words as they are run."""
        return in_container(self.image, words, folder) if self.image else words


@dataclass(frozen=True)
class Running:
    """A server that runs already."""

    flavour: str
    url: str


def find_mysql() -> Program | Running | None:
    """MySQL's own server."""
    if url := os.environ.get("MYSQL_TEST_URL"):
        return Running("mysql", url)
    if tree := tree_with("usr/sbin/mysqld", "MYSQL_TREE") or tree_with("usr/sbin/mysqld"):
        usr = tree.root / "usr"
        server = (
            *tree.program("usr/sbin/mysqld", usr / "lib/mysql/private"),
            *("--no-defaults", f"--basedir={usr}", f"--plugin-dir={usr}/lib/mysql/plugin"),
            *(f"--lc-messages-dir={usr}/share/mysql", f"--character-sets-dir={usr}/share/mysql/charsets"),
        )
        return Program("mysql", server, (*server, "--initialize-insecure"))
    found = shutil.which("mysqld")
    if found and "mariadb" not in _version(found).lower():
        return Program("mysql", (found, "--no-defaults"), (found, "--no-defaults", "--initialize-insecure"))
    plain = ("mysqld", "--no-defaults")
    return _in_a_container("mysql", plain, (*plain, "--initialize-insecure"))


def find_mariadb() -> Program | Running | None:
    """MariaDB's server."""
    if url := os.environ.get("MARIADB_TEST_URL"):
        return Running("mariadb", url)
    path = os.environ.get("PATH", "") + ":/usr/sbin"
    server, install = shutil.which("mariadbd", path=path), shutil.which("mariadb-install-db", path=path)
    made = ("--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve")
    if not server or not install:
        return _in_a_container("mariadb", ("mariadbd", "--no-defaults"), ("mariadb-install-db", *made))
    return Program("mariadb", (server, "--no-defaults"), (install, *made))


def _in_a_container(flavour: str, server: tuple[str, ...], install: tuple[str, ...]) -> Program | None:
    """Where a Docker engine answers that has the image or pulls it."""
    image = IMAGES[flavour]
    return Program(flavour, server, install, image) if has_image(image) else None


def _version(command: str) -> str:
    return subprocess.run([command, "--version"], capture_output=True, text=True, check=False).stdout


@dataclass(frozen=True)
class MySqlServer:
    """A running server. ca_file: the PEM to trust. log: every login and statement that it was sent.

    restart: shut it down and start it again, with its data, on its port; None where it is not ours to restart
    """

    flavour: str
    port: int
    password: str = field(repr=False)
    ca_file: Path
    log: Path
    host: str = "localhost"
    restart: Callable[[], None] | None = field(default=None, repr=False, compare=False)
    _kept: "list[Connection[Any]]" = field(default_factory=list, repr=False)

    def connect(self, user: str = ROOT, password: str | None = None) -> "Connection[Any]":
        """An ordinary client's connection, by default as root; each statement commits by itself."""
        given = self.password if password is None else password
        return Connection(
            host=self.host,
            port=self.port,
            user=user,
            password=given.encode(),  # as UTF-8
            charset="utf8mb4",
            autocommit=True,
            connect_timeout=5,
            ssl=self.trusting,
        )

    @cached_property
    def trusting(self) -> ssl.SSLContext:
        """TLS by ca_file alone. Made once: to read a machine's own roots takes longer than a login."""
        return ssl.create_default_context(cafile=self.ca_file)

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
            is_role = not host and self.flavour == "mariadb"
            self.run("DROP ROLE %s", user) if is_role else self.run("DROP USER %s@%s", user, host)

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
def mysql_server(found: Program | Running) -> Iterator[MySqlServer]:
    """A new server, up and accepting logins; stopped and removed at the end, also when we are killed.

    One that runs already is left as it is.
    """
    with ExitStack() as stack:
        server = _reached(found) if isinstance(found, Running) else stack.enter_context(_started(found))
        try:
            yield server
        finally:
            for opened in server._kept:  # noqa: SLF001
                with suppress(pymysql.MySQLError):
                    opened.close()


def _reached(running: Running) -> MySqlServer:
    """The server that a URL names."""
    url = urlsplit(running.url)
    given = dict(parse_qsl(url.query))
    if not (url.username == ROOT and url.hostname and {"ca", "log"} <= set(given)):
        raise ValueError(f"not of the form mysql://{ROOT}:password@host:port/?ca=/root.pem&log=/general.log")
    files = Path(given["ca"]), Path(given["log"])
    return MySqlServer(running.flavour, url.port or 3306, unquote(url.password or ""), *files, url.hostname)


@contextmanager
def _started(program: Program) -> Iterator[MySqlServer]:
    """Certificates, system tables, and a file that gives root its password at the first start."""
    # The engine's client may not be for the server's account.
    with keeper(program.flavour, "" if program.image else None) as kept:
        folder, first = kept.folder, kept.folder / "init.sql"
        server = MySqlServer(
            program.flavour, free_port(), secrets.token_hex(16), folder / "root.crt", folder / "general.log"
        )
        authority = Authority()
        server.ca_file.write_bytes(authority.pem)
        first.write_text(f"ALTER USER 'root'@'localhost' IDENTIFIED BY '{server.password}';\n")
        kept.give(first, folder, *authority.issue(folder, server.host))
        kept.run(*program.command((*program.install, f"--datadir={folder}/data"), folder))
        serving = (*program.server, *_options(program.flavour, server.port, folder))
        kept.serve(*program.command((*serving, f"--init-file={first}"), folder), port=server.port)
        _wait_until_ready(server)
        first.unlink()

        def restart() -> None:
            kept.restart(*serving, port=server.port)
            server._kept.clear()  # noqa: SLF001
            _wait_until_ready(server)

        yield server if program.image else replace(server, restart=restart)


def _options(flavour: str, port: int, folder: Path) -> tuple[str, ...]:
    mine = ("--mysqlx=OFF", "--secure-file-priv=") if flavour == "mysql" else ()
    return (
        f"--datadir={folder}/data", f"--port={port}", "--bind-address=127.0.0.1", f"--socket={folder}/socket",
        f"--pid-file={folder}/pid", f"--ssl-ca={folder}/root.crt", f"--ssl-cert={folder}/server.crt", f"--ssl-key={folder}/server.key",
        "--general-log=1", f"--general-log-file={folder}/general.log",
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
