"""PostgreSQL's users, to be rotated by both strategies."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testkit.crash.matrix import Scenario, Value
from testkit.servers.postgres import PostgresServer
from tests.scenarios.admins import ADMIN, ADMIN_PASSWORD, ADMIN_SECRETS
from tests.scenarios.subjects import DatabaseSubject, maker


@dataclass(frozen=True)
class PostgresSubject(DatabaseSubject[PostgresServer]):
    """A role with a table and a setting, made by an admin like RDS's."""

    def __post_init__(self) -> None:
        self.server.create_user(self.user, self.first_password, as_user=(ADMIN, ADMIN_PASSWORD))
        self.server.run(
            f"CREATE TABLE {self.user}_own (i int); ALTER TABLE {self.user}_own OWNER TO {self.user}; "
            f"GRANT SELECT ON matrix_given TO {self.user}; ALTER ROLE {self.user} SET search_path = public, '{self.user}'"
        )

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

    try:
        yield Scenario(
            name=f"{'postgres' if server_is == 'server' else 'postgres 15'}, {strategy}",
            handler="rotators.postgres.app:handler",
            environment={"TLS_CA_FILE": str(server.ca_file), "ADMIN_SECRETS": ADMIN_SECRETS},
            server=("localhost", server.port),
            make=maker(PostgresSubject, server, alternating=alternating),
            always_works=alternating,
        )
    finally:
        server.run(f"DROP TABLE matrix_given; DROP ROLE {ADMIN}")
