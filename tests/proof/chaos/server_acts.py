"""What chaos does to each kind of server beside cutting lines: a right more or less, a password set, connections ended."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psycopg2
import pymysql

from testkit.crash.matrix import Subject, Value
from testkit.servers.postgres import PostgresServer
from testkit.servers.redshift import RedshiftServer
from tests.scenarios.documentdb import DocumentDbSubject
from tests.scenarios.mysql import MySqlSubject
from tests.scenarios.postgres import PostgresSubject
from tests.scenarios.redshift import RedshiftSubject

EXTRA = "chaos_extra"


@dataclass(frozen=True)
class Right:
    """A right on something of its own. shared: whether what the base has its clone has at once.

    give, take: by the name of a user. held: whether this login has it. beside: what a subject's `rights` are without it
    """

    give: Callable[[str], object]
    take: Callable[[str], object]
    held: Callable[[Value], bool]
    shared: bool = False
    beside: Callable[[Any], object] = lambda rights: rights


def right_of(subject: Subject) -> Right | None:
    """What can be granted to a subject's user and revoked from it; None where there are no rights."""
    if isinstance(subject, PostgresSubject | RedshiftSubject):
        return _on_a_table(subject.server, shared=isinstance(subject, PostgresSubject))
    if isinstance(subject, MySqlSubject):
        return _on_mysql(subject)
    if isinstance(subject, DocumentDbSubject):
        return _role(subject)
    return None


def _on_a_table(server: PostgresServer | RedshiftServer, *, shared: bool) -> Right:
    if isinstance(server, PostgresServer):
        server.run(f"CREATE TABLE IF NOT EXISTS public.{EXTRA} (i int)")
    elif not server.behind(f"SELECT to_regclass('public.{EXTRA}') WHERE to_regclass('public.{EXTRA}') IS NOT NULL"):
        server.run(f"CREATE TABLE public.{EXTRA} (i int)")

    def held(value: Value) -> bool:
        try:
            server.run(f"SELECT i FROM public.{EXTRA}", (value["username"], value["password"]))
        except psycopg2.errors.InsufficientPrivilege:
            return False
        return True

    return Right(
        lambda user: server.run(f"GRANT SELECT ON public.{EXTRA} TO {user}"),
        lambda user: server.run(f"REVOKE SELECT ON public.{EXTRA} FROM {user}"),
        held,
        shared,
    )


def _on_mysql(subject: MySqlSubject) -> Right:
    server = subject.server
    server.run(f"CREATE TABLE IF NOT EXISTS matrix.{EXTRA} (i int)")

    def held(value: Value) -> bool:
        try:
            server.run(f"SELECT i FROM matrix.{EXTRA}", as_user=(value["username"], value["password"]))
        except pymysql.OperationalError as error:
            if error.args[0] != 1142:
                raise
            return False
        return True

    return Right(
        lambda user: server.run(f"GRANT SELECT ON matrix.{EXTRA} TO {user}"),
        lambda user: server.run(f"REVOKE SELECT ON matrix.{EXTRA} FROM {user}"),
        held,
    )


def _role(subject: DocumentDbSubject) -> Right:
    role = {"role": "read", "db": EXTRA}

    def take(user: str) -> None:
        known = subject.server.user(user)
        known.roles = [one for one in known.roles if one != role]

    return Right(
        lambda user: subject.server.user(user).roles.append(role),
        take,
        lambda value: role in subject.server.user(value["username"]).roles,
        beside=lambda rights: ([one for one in rights[0] if one != role["role"]], *rights[1:]),
    )


def setter_of(subject: Any) -> Callable[[Value], None] | None:
    """Sets the password on the server by hand to what this value says; None where nobody can."""
    server = getattr(subject, "server", None)
    by_hand = getattr(server, "set_password", None) or getattr(getattr(server, "behind_it", None), "set_password", None)
    return (lambda value: by_hand(value["username"], value["password"])) if by_hand else None


def end_connections(subject: Subject) -> bool:
    """The server ends every client's connection: PostgreSQL crashes and starts again. False where it cannot be told to."""
    if isinstance(subject, PostgresSubject):
        _crash(subject.server)
    elif isinstance(subject, RedshiftSubject):
        subject.server.behind(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename NOT IN ('postgres', 'awsuser')"
        )
    elif isinstance(subject, MySqlSubject):
        found = subject.server.run("SELECT id FROM information_schema.processlist WHERE user LIKE 'matrix%%'")
        for (number,) in found:
            with suppress(pymysql.OperationalError):  # it has ended by itself
                subject.server.run(f"KILL {number}")
    else:
        return False
    return True


def restart(subject: Subject) -> bool:
    """MySQL and MariaDB are shut down and started again, in seconds. False where that is not to be had."""
    again = getattr(getattr(subject, "server", None), "restart", None)
    if again is None:
        return False
    again()
    return True


def _crash(server: PostgresServer) -> None:
    """A server process of PostgreSQL's dies by SIGKILL: it ends all others, recovers from its log, and starts again."""
    victim, witness = server.connect(), server.connect()
    with victim.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        ((pid,),) = cursor.fetchall()
    os.kill(pid, signal.SIGKILL)
    while _answers(witness):
        time.sleep(0.01)
    for connection in (victim, witness):
        connection.close()
    while True:
        with suppress(psycopg2.OperationalError, psycopg2.InterfaceError):
            server.run("SELECT 1")  # the superuser's own connection has ended too
            return
        time.sleep(0.02)


def _answers(connection: "psycopg2.extensions.connection") -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except (psycopg2.OperationalError, psycopg2.InterfaceError):
        return False
    return True
