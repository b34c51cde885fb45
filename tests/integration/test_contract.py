"""The contract kit on real PostgreSQL."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from psycopg2 import sql

from common.secret import Secret
from rotators.postgres.target import Postgres
from testkit.contract import ChangesPasswordContract, ClonesUsersContract
from testkit.servers.postgres import PostgresServer

ADMIN = "contract_admin"


@dataclass
class PostgresBench:
    """A server, and the roles that a test has made there by an admin like RDS's."""

    server: PostgresServer
    target: Postgres = field(default_factory=Postgres)
    made: list[str] = field(default_factory=list)

    def user(self, name: str, password: str) -> Secret:
        """A role that owns a table."""
        self.server.create_user(name, password, as_user=(ADMIN, "admins-password"))
        self.made.append(name)
        self.server.run(sql.SQL("GRANT SELECT ON contract_given TO {}").format(sql.Identifier(name)))
        return Secret(self.server.secret(name, password), "AWSCURRENT of app")

    @property
    def admin(self) -> Secret:
        """The admin."""
        return Secret(self.server.secret(ADMIN, "admins-password"), "AWSCURRENT of admin")

    def rights(self, login: Secret) -> object:
        """By doing."""
        return self.server.run("SELECT count(*) FROM contract_given", (login.text("username"), login.text("password")))

    def give_more(self, login: Secret) -> None:
        """To write."""
        self.server.run(sql.SQL("GRANT INSERT ON contract_given TO {}").format(sql.Identifier(login.text("username"))))

    def exists(self, name: str) -> bool:
        """By the catalog."""
        return bool(self.server.run(sql.SQL("SELECT 1 FROM pg_roles WHERE rolname = {}").format(sql.Literal(name))))

    def drop(self) -> None:
        """All that was made."""
        for name in [f"{name}_clone" for name in self.made] + self.made:
            if self.exists(name):
                role = sql.Identifier(name)
                self.server.run(sql.SQL("DROP OWNED BY {} CASCADE; DROP ROLE {}").format(role, role))


class TestPostgres(ChangesPasswordContract, ClonesUsersContract):
    """Both abilities."""

    @pytest.fixture
    def bench(self, server: PostgresServer, trusted: Path) -> Iterator[PostgresBench]:
        """The session's server, with an admin."""
        assert trusted.exists()
        server.run("CREATE TABLE contract_given (i int)")
        server.create_user(ADMIN, "admins-password")
        server.run(f"ALTER ROLE {ADMIN} CREATEROLE")
        bench = PostgresBench(server)
        yield bench
        bench.drop()
        server.run(f"DROP TABLE contract_given; DROP ROLE {ADMIN}")
