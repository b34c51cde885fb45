"""Redshift's users, on the stand-in, to be rotated by both strategies."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from testkit.crash.matrix import Scenario, Value
from testkit.servers.redshift import RedshiftServer
from tests.scenarios.admins import ADMIN, ADMIN_PASSWORD, ADMIN_SECRETS
from tests.scenarios.subjects import DatabaseSubject, maker


@dataclass(frozen=True)
class RedshiftSubject(DatabaseSubject[RedshiftServer]):
    """A user with a table of its own right, one by a group, one by a role, and one in a second database."""

    first_password: ClassVar[str] = "First-password-1"

    def __post_init__(self) -> None:
        self.server.create_user(self.user, self.first_password)
        self.server.run(
            f"GRANT SELECT ON matrix_given TO {self.user}; ALTER GROUP matrix_group ADD USER {self.user}; "
            f"GRANT ROLE matrix_role TO {self.user}"
        )
        self.server.run(f"GRANT SELECT ON public.matrix_given TO {self.user}", dbname="matrix_other")

    def rights(self, value: Value) -> object:
        """By doing."""
        login = value["username"], value["password"]
        all_of = "SELECT i FROM matrix_given; SELECT i FROM matrix_for_group; SELECT i FROM matrix_for_role"
        return (
            self.server.run(all_of, login),
            self.server.run("SELECT i FROM public.matrix_given", login, dbname="matrix_other"),
        )

    def drop(self) -> None:
        """The user and its clone."""
        self.server.drop_identities(keep=self.server.identities() - {self.user, f"{self.user}_clone"})


@contextmanager
def _prepared(cluster: RedshiftServer) -> Iterator[RedshiftServer]:
    """What the subjects' rights are on, and an admin."""
    before = cluster.identities()
    cluster.run("CREATE DATABASE matrix_other")
    for table in ("matrix_given", "matrix_for_group", "matrix_for_role"):
        cluster.run(f"CREATE TABLE {table} (i int); INSERT INTO {table} VALUES (1)")
    cluster.run("CREATE TABLE public.matrix_given (i int)", dbname="matrix_other")
    cluster.run("CREATE GROUP matrix_group; GRANT SELECT ON matrix_for_group TO GROUP matrix_group")
    cluster.run("CREATE ROLE matrix_role; GRANT SELECT ON matrix_for_role TO ROLE matrix_role")
    cluster.create_user(ADMIN, ADMIN_PASSWORD)
    cluster.run(f"ALTER USER {ADMIN} CREATEUSER")
    yield cluster
    cluster.run("DROP TABLE matrix_given; DROP TABLE matrix_for_group; DROP TABLE matrix_for_role")
    cluster.behind("DROP DATABASE matrix_other WITH (FORCE)")
    cluster.drop_identities(keep=before)


@contextmanager
def scenario(fixture: Callable[[str], Any], _folder: Path, *, strategy: str) -> Iterator[Scenario]:
    """With an admin, for alternating users."""
    alternating = strategy == "alternating-users"
    with _prepared(fixture("redshift")) as server:
        yield Scenario(
            name=f"redshift, {strategy}",
            handler="rotators.redshift.app:handler",
            environment={"TLS_CA_FILE": str(server.ca_file), "ADMIN_SECRETS": ADMIN_SECRETS},
            server=("127.0.0.1", server.port),
            make=maker(RedshiftSubject, server, alternating=alternating),
            always_works=alternating,
        )
