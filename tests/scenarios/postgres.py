"""PostgreSQL's users, to be rotated by both strategies."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from testkit.crash.matrix import Scenario, Value
from testkit.servers.postgres import PostgresServer
from tests.scenarios.admins import ADMIN, ADMIN_PASSWORD, ADMIN_SECRETS, admin_arn

_numbers = itertools.count()


@dataclass(frozen=True)
class PostgresSubject:
    """A role with a table and a setting, made by an admin like RDS's."""

    server: PostgresServer
    port: int
    admin_arn: str | None
    user: str = field(default_factory=lambda: f"matrix_{next(_numbers)}")

    def __post_init__(self) -> None:
        self.server.create_user(self.user, "first-password", as_user=(ADMIN, ADMIN_PASSWORD))
        self.server.run(
            f"CREATE TABLE {self.user}_own (i int); ALTER TABLE {self.user}_own OWNER TO {self.user}; "
            f"GRANT SELECT ON matrix_given TO {self.user}; ALTER ROLE {self.user} SET search_path = public, '{self.user}'"
        )

    @property
    def value(self) -> Value:
        """The secret's first value."""
        admin = {"masterarn": self.admin_arn} if self.admin_arn else {}
        return self.server.secret(self.user, "first-password", port=self.port, **admin)

    def accepts(self, value: Value) -> bool:
        """By the server itself, not the proxy."""
        return self.server.accepts(value["username"], value["password"])

    def rights(self, value: Value) -> object:
        """By doing: read what is granted, alter what is owned, see the setting."""
        login = value["username"], value["password"]
        return (
            self.server.run("SELECT count(*) FROM public.matrix_given", login),
            self.server.run(f"ALTER TABLE public.{self.user}_own ALTER i SET DEFAULT 1", login),
            self.server.run("SHOW search_path", login),
        )

    def drop(self) -> None:
        """The role and its clone."""
        self.server.run(f"DROP OWNED BY {self.user} CASCADE")
        self.server.run(f"DROP ROLE IF EXISTS {self.user}_clone; DROP ROLE {self.user}")


@contextmanager
def scenario(
    fixture: Callable[[str], Any], _folder: Path, *, strategy: str, server_is: str = "server"
) -> Iterator[Scenario]:
    """With an admin like RDS's, for alternating users. server_is: the name of its fixture."""
    server: PostgresServer = fixture(server_is)
    server.run("DROP TABLE IF EXISTS matrix_given; CREATE TABLE matrix_given (i int)")
    server.create_user(ADMIN, ADMIN_PASSWORD)
    server.run(f"ALTER ROLE {ADMIN} CREATEROLE")
    alternating = strategy == "alternating-users"

    def make(port: int, client: Any) -> PostgresSubject:
        if not alternating:
            return PostgresSubject(server, port, None)
        arn = admin_arn(client, server.secret(ADMIN, ADMIN_PASSWORD, port=port))
        return PostgresSubject(server, port, arn)

    try:
        yield Scenario(
            name=f"{'postgres' if server_is == 'server' else 'postgres 15'}, {strategy}",
            handler="rotators.postgres.app:handler",
            environment={"TLS_CA_FILE": str(server.ca_file), "ADMIN_SECRETS": ADMIN_SECRETS},
            server=("localhost", server.port),
            make=make,
            always_works=alternating,
        )
    finally:
        server.run(f"DROP TABLE matrix_given; DROP ROLE {ADMIN}")
