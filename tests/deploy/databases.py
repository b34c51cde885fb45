"""Real servers, as far as rotating their users needs: users with a right, an admin, and whether a login has the right."""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import psycopg2
import pymysql

from testkit.servers.mysql import MySqlServer
from testkit.servers.postgres import PostgresServer
from tests.integration.mysql.world import LIKE_RDS

ADMIN, USER = "deploy_admin", "deploy_app"
Value = Mapping[str, object]


class Database(Protocol):
    """What the tests of a deployed function want of a server."""

    def values(self) -> tuple[Value, Value]:
        """A new admin and a new user who may read a table: what their secrets hold."""
        ...

    def reads(self, value: Value) -> bool:
        """Whether this secret's value logs in, and reads the table; False where the login is refused."""
        ...

    def drop(self) -> None:
        """All of it is gone again."""
        ...


@dataclass(frozen=True)
class OnPostgres:
    """PostgreSQL; the admin is like RDS's, and has made the user."""

    server: PostgresServer

    def values(self) -> tuple[Value, Value]:
        admin, user = secrets.token_hex(16), secrets.token_hex(16)
        self.server.create_user(ADMIN, admin)
        self.server.run(f"ALTER ROLE {ADMIN} CREATEROLE")
        self.server.create_user(USER, user, as_user=(ADMIN, admin))
        self.server.run("CREATE TABLE deployed AS SELECT 42 AS answer")
        self.server.run(f"GRANT SELECT ON deployed TO {USER}")
        return self.server.secret(ADMIN, admin), self.server.secret(USER, user)

    def reads(self, value: Value) -> bool:
        login = str(value["username"]), str(value["password"])
        try:
            return self.server.run("SELECT answer FROM deployed", login) == [(42,)]
        except psycopg2.OperationalError as error:
            if "authentication failed" not in str(error):
                raise
            return False

    def drop(self) -> None:
        self.server.run("DROP TABLE IF EXISTS deployed")
        for name in (f"{USER}_clone", USER, ADMIN):
            self.server.run(f"DROP ROLE IF EXISTS {name}")


@dataclass(frozen=True)
class OnMySql:
    """MySQL; the admin is like RDS's master user."""

    server: MySqlServer

    def values(self) -> tuple[Value, Value]:
        admin, user = secrets.token_hex(16), secrets.token_hex(16)
        self.server.create_user(ADMIN, admin)
        self.server.run(f"GRANT {LIKE_RDS} ON *.* TO {ADMIN} WITH GRANT OPTION")
        self.server.create_user(USER, user)
        self.server.run("CREATE DATABASE deployed")
        self.server.run("CREATE TABLE deployed.answers AS SELECT 42 AS answer")
        self.server.run(f"GRANT SELECT ON deployed.* TO {USER}")
        return self.server.secret(ADMIN, admin), self.server.secret(USER, user)

    def reads(self, value: Value) -> bool:
        login = str(value["username"]), str(value["password"])
        try:
            return self.server.run("SELECT answer FROM deployed.answers", as_user=login) == ((42,),)
        except pymysql.OperationalError as error:
            if error.args[0] != 1045:
                raise
            return False

    def drop(self) -> None:
        self.server.run("DROP DATABASE IF EXISTS deployed")
        for name in (f"{USER}_clone", USER, ADMIN):
            self.server.run(f"DROP USER IF EXISTS {name}")


@contextmanager
def dropped_afterwards(database: Database) -> Iterator[Database]:
    """The database, which is as before at the end."""
    try:
        yield database
    finally:
        database.drop()
