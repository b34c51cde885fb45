"""The crash matrix of MySQL and MariaDB, whole: every death, every recovery, every strategy."""

import itertools
from dataclasses import dataclass, field
from typing import Any

import pytest

from testkit.crash.matrix import Scenario, Value
from testkit.servers.mysql import MySqlServer
from tests.integration.matrix import ADMIN, ADMIN_PASSWORD, ADMIN_SECRETS, Record, admin_arn, every_death

_numbers = itertools.count()
STRATEGIES = {
    "mysql": ["single-user", "dual-password", "alternating-users"],
    "mariadb": ["single-user", "alternating-users"],
}


@dataclass(frozen=True)
class MySqlSubject:
    """A user with a table, a column and an option of its own."""

    server: MySqlServer
    port: int
    admin_arn: str | None
    user: str = field(default_factory=lambda: f"matrix_{next(_numbers)}")

    def __post_init__(self) -> None:
        self.server.create_user(self.user, "first-password")
        self.server.run(f"GRANT SELECT ON matrix.given TO {self.user}")
        self.server.run(f"GRANT INSERT (a) ON matrix.parts TO {self.user}")
        self.server.run(f"ALTER USER {self.user} REQUIRE SSL")
        if self.server.flavour == "mysql":
            self.server.run(f"GRANT APPLICATION_PASSWORD_ADMIN ON *.* TO {self.user}")

    @property
    def value(self) -> Value:
        """The secret's first value."""
        admin = {"masterarn": self.admin_arn} if self.admin_arn else {}
        return self.server.secret(self.user, "first-password", port=self.port, **admin)

    def accepts(self, value: Value) -> bool:
        """By the server itself, not the proxy."""
        return self.server.accepts(value["username"], value["password"])

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


@pytest.mark.parametrize(
    ("flavour", "strategy"), [(flavour, strategy) for flavour, all_of in STRATEGIES.items() for strategy in all_of]
)
def test_no_death_loses_anything(
    request: pytest.FixtureRequest, flavour: str, strategy: str, record_property: Record
) -> None:
    """AWSCURRENT logs in, its rights are no fewer, one version is current, no credential is orphaned."""
    server: MySqlServer = request.getfixturevalue(flavour)
    before = server.users()
    alternating = strategy == "alternating-users"

    def make(port: int, client: Any) -> MySqlSubject:
        if not alternating:
            return MySqlSubject(server, port, None)
        arn = admin_arn(client, server.secret(ADMIN, ADMIN_PASSWORD, port=port))
        return MySqlSubject(server, port, arn)

    scenario = Scenario(
        name=f"{flavour}, {strategy}",
        handler="rotators.mysql.app:handler",
        environment={"TLS_CA_FILE": str(server.ca_file), "ADMIN_SECRETS": ADMIN_SECRETS},
        server=("127.0.0.1", server.port),
        make=make,
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
        every_death(scenario, record_property)
    finally:
        server.run("DROP DATABASE IF EXISTS matrix")
        server.drop_users(keep=before)
