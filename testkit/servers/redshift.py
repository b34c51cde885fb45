"""A stand-in for an Amazon Redshift cluster: its proxy, and the PostgreSQL server behind it. See testkit/redshift."""

import re
import secrets
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection

import testkit.redshift
from testkit.certificates import Authority
from testkit.redshift.cluster import Cluster, Record, Settings, serving
from testkit.redshift.passwords import md5
from testkit.servers.postgres import PostgresServer, postgres_server
from testkit.servers.process import free_port

SUPERUSER, DATABASE = "awsuser", "dev"
_SYSTEM_ROLES = ("sys:monitor", "sys:operator", "sys:dba", "sys:superuser", "sys:secadmin")  # "System-defined roles"
_ACCESS = "host all all 127.0.0.1/32 md5\nhost all all ::1/128 md5\n"


@dataclass(frozen=True)
class RedshiftServer:
    """A running stand-in. password: the superuser's. behind_it: the PostgreSQL server. record: what clients sent."""

    port: int
    password: str = field(repr=False)
    folder: Path
    behind_it: PostgresServer
    record: Record
    host: str = "localhost"
    _kept: list[connection] = field(default_factory=list, repr=False)

    @property
    def ca_file(self) -> Path:
        """The root that signed the proxy's certificate, which is for `localhost` only."""
        return self.folder / "redshift-root.crt"

    @property
    def log(self) -> Path:
        """Each login and each statement as the client sent it."""
        return self.record.log

    @property
    def statements(self) -> list[str]:
        """The statements received so far, of all clients, the tests' too."""
        return [statement for _, statement in self.record.statements]

    def statements_of(self, user: str) -> list[str]:
        """The statements received so far of one user."""
        return [statement for one, statement in self.record.statements if one == user]

    @property
    def logins(self) -> int:
        """How many logins have succeeded so far; `record` has who, and those that failed."""
        return len(self.record.logins)

    def connect(self, user: str = SUPERUSER, password: str | None = None, dbname: str = DATABASE) -> connection:
        """An ordinary client's connection, by default as the superuser; each statement commits by itself."""
        opened = psycopg2.connect(
            host=self.host,
            port=self.port,
            user=user,
            password=self.password if password is None else password,
            dbname=dbname,
            sslmode="prefer",
            gssencmode="disable",
            connect_timeout=5,
        )
        opened.autocommit = True
        return opened

    def accepts(self, user: str, password: str, dbname: str = DATABASE) -> bool:
        """Whether the server lets this user in with this password."""
        try:
            self.connect(user, password, dbname).close()
        except psycopg2.OperationalError as error:
            if "authentication failed" in str(error):
                return False
            raise
        return True

    def run(
        self, statement: str | sql.Composable, as_user: tuple[str, str] | None = None, dbname: str = DATABASE
    ) -> list[tuple[object, ...]]:
        """Run a statement of Redshift's as the superuser, or as `as_user`, who has that password; its rows."""
        sets = isinstance(statement, str) and statement.startswith("SET")  # which would stay
        if as_user is None and dbname == DATABASE and not sets:
            return _rows(self._superuser(), statement)
        opened = self.connect(*(as_user or (SUPERUSER, self.password)), dbname=dbname)
        try:
            return _rows(opened, statement)
        finally:
            opened.close()

    def _superuser(self) -> connection:
        """The superuser's connection, which stays open: a login costs more than most statements."""
        if not self._kept or self._kept[0].closed:
            self._kept[:] = [self.connect()]
        return self._kept[0]

    def behind(self, statement: str | sql.Composable, dbname: str = DATABASE) -> list[tuple[object, ...]]:
        """Run a statement of PostgreSQL's on the server behind, unchecked."""
        return self.behind_it.run(statement, dbname=dbname)

    def create_user(self, user: str, password: str) -> None:
        """A user who may log in; the server sees a hash, so that its log holds no password of ours."""
        statement = sql.SQL("CREATE USER {} PASSWORD {}").format(sql.Identifier(user), sql.Literal(md5(user, password)))
        self.run(statement)

    def set_password(self, user: str, password: str) -> None:
        """Set a user's password; the server sees a hash."""
        self.run(sql.SQL("ALTER USER {} PASSWORD {}").format(sql.Identifier(user), sql.Literal(md5(user, password))))

    def identities(self) -> set[str]:
        """Every user, group and role, by the name that it has behind."""
        return {str(name) for (name,) in self.behind("SELECT rolname FROM pg_roles")}

    def drop_identities(self, keep: set[str]) -> None:
        """Every user, group and role but these, with all that they hold and own in any database."""
        dropped = [sql.Identifier(name) for name in sorted(self.identities() - keep)]
        owned = sql.SQL("; ").join(sql.SQL("DROP OWNED BY {} CASCADE").format(name) for name in dropped)
        for (database,) in self.behind("SELECT datname FROM pg_database WHERE datallowconn") if dropped else []:
            self.behind(owned, dbname=str(database))
        for name in dropped:
            self.behind(sql.SQL("DROP ROLE {}").format(name))

    def secret(self, user: str, password: str, **fields: object) -> dict[str, object]:
        """The value of a secret for a user of this server."""
        return {
            "engine": "redshift",
            "host": self.host,
            "port": self.port,
            "username": user,
            "password": password,
            "dbname": DATABASE,
            **fields,
        }


def _rows(opened: connection, statement: str | sql.Composable) -> list[tuple[object, ...]]:
    with opened.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


@contextmanager
def redshift_server(
    binaries: Path, *, case_sensitive: bool = False, require_ssl: bool = False, shows_owners: bool = False
) -> Iterator[RedshiftServer]:
    """A new stand-in with the database `dev` and the superuser `awsuser`; removed at the end, also when we are killed.

    case_sensitive, require_ssl: the parameter group's enable_case_sensitive_identifier and require_ssl. shows_owners: the svv_ views
    have owners' rights on their own objects too, once somebody else has been granted one; AWS's pages leave it open
    """
    settings = Settings(case_sensitive, require_ssl)
    own = {
        "ssl": "off",
        "password_encryption": "md5",
        "jit": "off",
        "stand_in.shows_owners": "on" if shows_owners else "off",
    }
    with postgres_server(binaries, _ACCESS, **own) as behind:
        _prepare(behind)
        server = RedshiftServer(
            free_port(), "Aa1" + secrets.token_hex(12), behind.folder, behind, Record(behind.folder / "redshift.log")
        )
        _create_superuser(behind, server.password)
        authority = Authority()
        server.ca_file.write_bytes(authority.pem)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificates = server.folder / "proxy"
        certificates.mkdir()
        tls.load_cert_chain(*authority.issue(certificates, server.host))
        server.log.touch()
        cluster = Cluster(
            ("127.0.0.1", behind.port), tls, settings, server.record, lambda user: _uses_sha256(behind, user)
        )
        with serving(server.port, cluster):
            yield server


def _prepare(behind: PostgresServer) -> None:
    """Make the catalog in template1, and the database `dev` of it."""
    folder = Path(testkit.redshift.__file__).parent
    for role in _SYSTEM_ROLES:
        behind.run(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(f"role:{role}")))
    behind.run("\n".join((folder / name).read_text() for name in ("functions.sql", "views.sql")), dbname="template1")
    for _ in range(50):  # the connection to template1 ends a moment after it is closed
        try:
            behind.run(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
        except psycopg2.errors.ObjectInUse:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError("template1 stays in use")


def _create_superuser(behind: PostgresServer, password: str) -> None:
    """The first user of a cluster, and the database's owner."""
    name = sql.Identifier(SUPERUSER)
    behind.run(
        sql.SQL("CREATE ROLE {} LOGIN SUPERUSER PASSWORD {}").format(name, sql.Literal(md5(SUPERUSER, password)))
    )
    behind.run(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(sql.Identifier(DATABASE), name))


def _uses_sha256(behind: PostgresServer, user: str) -> bool:
    """Whether a user's password was set as a SHA-256 hash."""
    asked = "SELECT shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname = {}"
    return any(
        re.search('"sha256": *true', str(note)) for (note,) in behind.run(sql.SQL(asked).format(sql.Literal(user)))
    )
