"""The contract kit on the stand-in for Redshift. `make verify-redshift` runs it on a real cluster."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from psycopg2 import sql

from common.secret import Secret
from rotators.redshift.target import Redshift
from testkit.contract import ChangesPasswordContract, ClonesUsersContract
from testkit.servers.redshift import RedshiftServer
from tests.integration.redshift.world import ADMIN, ADMIN_PASSWORD


@dataclass
class RedshiftBench:
    """A cluster, and the users that a test has made there."""

    server: RedshiftServer
    target: Redshift = field(default_factory=Redshift)

    def user(self, name: str, password: str) -> Secret:
        """A user who may read a table."""
        self.server.create_user(name, password)
        self.server.run(sql.SQL("GRANT SELECT ON contract_given TO {}").format(sql.Identifier(name)))
        return Secret(self.server.secret(name, password), "AWSCURRENT of app")

    @property
    def admin(self) -> Secret:
        """The admin."""
        return Secret(self.server.secret(ADMIN, ADMIN_PASSWORD), "AWSCURRENT of admin")

    def rights(self, login: Secret) -> object:
        """By doing."""
        return self.server.run("SELECT count(*) FROM contract_given", (login.text("username"), login.text("password")))

    def give_more(self, login: Secret) -> None:
        """To write."""
        self.server.run(sql.SQL("GRANT INSERT ON contract_given TO {}").format(sql.Identifier(login.text("username"))))

    def exists(self, name: str) -> bool:
        """By the catalog."""
        return bool(self.server.run(sql.SQL("SELECT 1 FROM pg_user WHERE usename = {}").format(sql.Literal(name))))


class TestRedshift(ChangesPasswordContract, ClonesUsersContract):
    """Both abilities."""

    @pytest.fixture
    def bench(self, cluster: RedshiftServer) -> Iterator[RedshiftBench]:
        """The stand-in, with an admin."""
        cluster.run("CREATE TABLE contract_given (i int)")
        cluster.create_user(ADMIN, ADMIN_PASSWORD)
        cluster.run(f"ALTER USER {ADMIN} CREATEUSER")
        yield RedshiftBench(cluster)
        cluster.run("DROP TABLE contract_given")
