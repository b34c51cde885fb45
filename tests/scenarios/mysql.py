"""MySQL's and MariaDB's users, to be rotated by every strategy."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testkit.crash.matrix import Scenario, Value
from testkit.servers.mysql import MySqlServer
from tests.scenarios.admins import ADMIN, ADMIN_PASSWORD, ADMIN_SECRETS
from tests.scenarios.subjects import DatabaseSubject, maker


@dataclass(frozen=True)
class MySqlSubject(DatabaseSubject[MySqlServer]):
    """A user with a table, a column and an option of its own."""

    def __post_init__(self) -> None:
        self.server.create_user(self.user, self.first_password)
        self.server.run(f"GRANT SELECT ON matrix.given TO {self.user}")
        self.server.run(f"GRANT INSERT (a) ON matrix.parts TO {self.user}")
        self.server.run(f"ALTER USER {self.user} REQUIRE SSL")
        if self.server.flavour == "mysql":
            self.server.run(f"GRANT APPLICATION_PASSWORD_ADMIN ON *.* TO {self.user}")

    def rights(self, value: Value) -> object:
        """By doing."""
        login = value["username"], value["password"]
        return (
            self.server.run("SELECT count(*) FROM matrix.given", as_user=login),
            self.server.run("INSERT INTO matrix.parts (a) VALUES (1)", as_user=login),
        )

    def drop(self) -> None:
        """The user and its clone."""
        self.server.run(f"DROP USER IF EXISTS {self.user}, {self.user}_clone")


@contextmanager
def scenario(fixture: Callable[[str], Any], _folder: Path, *, flavour: str, strategy: str) -> Iterator[Scenario]:
    """With an admin, for alternating users."""
    server: MySqlServer = fixture(flavour)
    before = server.users()
    alternating = strategy == "alternating-users"

    made = Scenario(
        name=f"{flavour}, {strategy}",
        handler="rotators.mysql.app:handler",
        environment={"TLS_CA_FILE": str(server.ca_file), "ADMIN_SECRETS": ADMIN_SECRETS},
        server=("127.0.0.1", server.port),
        make=maker(MySqlSubject, server, alternating=alternating),
        always_works=strategy != "single-user",
        tags={"rotation:strategy": strategy},
    )
    try:
        server.run("CREATE DATABASE matrix")
        server.run("CREATE TABLE matrix.given (i int)")
        server.run("CREATE TABLE matrix.parts (a int, b int)")
        server.create_user(ADMIN, ADMIN_PASSWORD)
        assert server.accepts(ADMIN, ADMIN_PASSWORD)  # whom the server has seen it asks fewer questions
        server.run(f"GRANT SELECT, INSERT, CREATE USER ON *.* TO {ADMIN} WITH GRANT OPTION")
        if flavour == "mysql":
            server.run(f"GRANT APPLICATION_PASSWORD_ADMIN ON *.* TO {ADMIN} WITH GRANT OPTION")
        yield made
    finally:
        server.run("DROP DATABASE IF EXISTS matrix")
        server.drop_users(keep=before)
