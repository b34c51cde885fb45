"""Real servers, whose users may have any name and any password that the server itself takes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import psycopg2
import pymysql
from psycopg2 import sql
from pymongo.errors import PyMongoError

from testkit.mongodb.standin import stand_in
from testkit.mongodb.users import CHANGES_ITSELF, MANAGES_USERS
from testkit.servers.mongo import MongoServer
from testkit.servers.mysql import MySqlServer
from testkit.servers.postgres import PostgresServer
from testkit.servers.redshift import RedshiftServer

ADMIN, ADMIN_PASSWORD = "fuzz_admin", "Fuzz-admin-password-1"
# What a test's own client meets with where a server, or the driver, does not take a name or a password at all.
NOT_TAKEN = (
    psycopg2.Error,
    pymysql.MySQLError,
    PyMongoError,
    ValueError,
    LookupError,
)  # LookupError: PyMongo, of "\u200b"
Users = set[Any]


class Server(Protocol):
    """What every server of ours can do."""

    ca_file: Any
    log: Any

    def accepts(self, user: str, password: str) -> bool:
        """Whether the server lets this user in with this password."""
        ...

    def secret(self, user: str, password: str, **fields: object) -> dict[str, object]:
        """The value of a secret for a user of this server."""
        ...


@dataclass(frozen=True)
class Bench:
    """A server with an admin. rotator: whose function it is. keep: drop all users but these. behind: ports of what is behind it."""

    rotator: str
    server: Any
    create: Callable[[str, str], None]
    users: Callable[[], Users]
    keep: Callable[[Users], None]
    behind: tuple[int, ...] = ()

    @property
    def admin(self) -> dict[str, object]:
        """The admin's secret."""
        found: dict[str, object] = self.server.secret(ADMIN, ADMIN_PASSWORD)
        return found

    @contextmanager
    def user(self, name: str, password: str) -> Iterator[bool]:
        """A user, gone at the end, with whoever has come meanwhile; whether the server takes it."""
        before = self.users()
        try:
            yield self._made(name, password)
        finally:
            self.keep(before)

    def _made(self, name: str, password: str) -> bool:
        try:
            before = self.users()
            self.create(name, password)
            # MariaDB takes a name of other characters than the first 65,536 for one of question marks.
            return name in _names(self.users() - before) and bool(self.server.accepts(name, password))
        except NOT_TAKEN:
            return False


def _names(users: Users) -> set[str]:
    return {user[0] if isinstance(user, tuple) else user for user in users}


@contextmanager
def postgres(fixture: Callable[[str], Any], _folder: Path) -> Iterator[Bench]:
    """With an admin like RDS's, who makes the users."""
    server: PostgresServer = fixture("server")
    server.create_user(ADMIN, ADMIN_PASSWORD)
    server.run(f"ALTER ROLE {ADMIN} CREATEROLE")

    def users() -> Users:
        return {name for (name,) in server.run("SELECT rolname FROM pg_roles")}

    def keep(kept: Users) -> None:
        # A base after its clone, which is its member.
        for name in sorted(users() - kept, key=lambda name: -len(str(name))):
            server.run(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))

    def create(name: str, password: str) -> None:
        server.create_user(name, password, as_user=(ADMIN, ADMIN_PASSWORD))

    before = users() - {ADMIN}
    yield Bench("postgres", server, create, users, keep)
    keep(before)


@contextmanager
def _mysql(server: MySqlServer) -> Iterator[Bench]:
    before = server.users()

    def create(name: str, password: str) -> None:
        server.create_user(name, password)
        if server.flavour == "mysql":
            server.run("GRANT APPLICATION_PASSWORD_ADMIN ON *.* TO %s@'%%'", name)

    server.create_user(ADMIN, ADMIN_PASSWORD)
    server.run(f"GRANT SELECT, CREATE USER ON *.* TO {ADMIN} WITH GRANT OPTION")
    if server.flavour == "mysql":
        server.run(f"GRANT APPLICATION_PASSWORD_ADMIN ON *.* TO {ADMIN} WITH GRANT OPTION")
    yield Bench("mysql", server, create, server.users, server.drop_users)
    server.drop_users(keep=before)


def mysql(fixture: Callable[[str], Any], _folder: Path) -> Any:
    """MySQL."""
    return _mysql(fixture("mysql"))


def mariadb(fixture: Callable[[str], Any], _folder: Path) -> Any:
    """MariaDB."""
    return _mysql(fixture("mariadb"))


@contextmanager
def redshift(fixture: Callable[[str], Any], _folder: Path) -> Iterator[Bench]:
    """The stand-in."""
    server: RedshiftServer = fixture("redshift")
    before = server.identities()
    server.create_user(ADMIN, ADMIN_PASSWORD)
    server.run(f"ALTER USER {ADMIN} CREATEUSER")
    yield Bench(
        "redshift", server, server.create_user, server.identities, server.drop_identities, (server.behind_it.port,)
    )
    server.drop_identities(keep=before)


@contextmanager
def documentdb(fixture: Callable[[str], Any], folder: Path) -> Iterator[Bench]:
    """FerretDB, with DocumentDB's users before it."""
    ferret: MongoServer = fixture("mongo")
    with stand_in(ferret, "documentdb", folder / "logins.log") as server:
        server.create_user(ADMIN, ADMIN_PASSWORD, may=frozenset([CHANGES_ITSELF, MANAGES_USERS]))

        def keep(kept: Users) -> None:
            ferret.drop_users(keep=kept)
            for name, database in [one for one in server.users.known if one[0] not in ferret.users()]:
                del server.users.known[name, database]

        yield Bench("documentdb", server, server.create_user, ferret.users, keep, (ferret.port, ferret.plain_port))


BENCHES = {"postgres": postgres, "mysql": mysql, "mariadb": mariadb, "redshift": redshift, "documentdb": documentdb}
