"""The contract kit on the stand-in for Redshift. `make verify-redshift` runs it on a real cluster."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import pytest
from psycopg2 import sql

from common.secret import Secret
from rotators.redshift.target import Redshift
from testkit.contract import ChangesPasswordContract, ClonesUsersContract
from testkit.servers.redshift import RedshiftServer
from tests.integration.redshift.world import ADMIN, ADMIN_PASSWORD

SCHEMA = "contract"


class Cluster(Protocol):
    """What the kit needs of a cluster."""

    def run(self, statement: str | sql.Composable, as_user: tuple[str, str] | None = None) -> list[tuple[object, ...]]:
        """Run a statement as the superuser, or as this user with that password; its rows."""
        ...

    def create_user(self, user: str, password: str) -> None:
        """A user who may log in."""
        ...

    def secret(self, user: str, password: str) -> dict[str, object]:
        """The value of a secret for a user."""
        ...


@dataclass
class RedshiftBench:
    """A cluster, and the users that a test has made there.

    prefix: what the names of the schema and of all users begin with on the cluster; the kit does not see it
    """

    server: Cluster
    target: Redshift = field(default_factory=Redshift)
    prefix: str = ""

    def prepare(self) -> None:
        """An admin, and a table in a schema of its own."""
        self.server.run(sql.SQL("CREATE SCHEMA {}").format(self.schema))
        self.server.run(sql.SQL("CREATE TABLE {}.given (i int)").format(self.schema))
        self.server.create_user(self.prefix + ADMIN, ADMIN_PASSWORD)
        self.server.run(sql.SQL("ALTER USER {} CREATEUSER").format(self.name(ADMIN)))

    def clear(self) -> None:
        """The schema; users are dropped by whoever made the cluster."""
        self.server.run(sql.SQL("DROP SCHEMA {} CASCADE").format(self.schema))

    def user(self, name: str, password: str) -> Secret:
        """A user who may read a table."""
        self.server.create_user(self.prefix + name, password)
        self.server.run(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(self.schema, self.name(name)))
        self.server.run(sql.SQL("GRANT SELECT ON {}.given TO {}").format(self.schema, self.name(name)))
        return Secret(self.server.secret(name, password), "AWSCURRENT of app")

    @property
    def admin(self) -> Secret:
        """The admin."""
        return Secret(self.server.secret(ADMIN, ADMIN_PASSWORD), "AWSCURRENT of admin")

    def rights(self, login: Secret) -> object:
        """By doing."""
        counted = sql.SQL("SELECT count(*) FROM {}.given").format(self.schema)
        return self.server.run(counted, (self.prefix + login.text("username"), login.text("password")))

    def give_more(self, login: Secret) -> None:
        """To write."""
        name = self.name(login.text("username"))
        self.server.run(sql.SQL("GRANT INSERT ON {}.given TO {}").format(self.schema, name))

    def exists(self, name: str) -> bool:
        """By the catalog."""
        asked = sql.SQL("SELECT 1 FROM pg_user WHERE usename = {}").format(sql.Literal(self.prefix + name))
        return bool(self.server.run(asked))

    @property
    def schema(self) -> sql.Identifier:
        """Where the table is."""
        return sql.Identifier(self.prefix + SCHEMA)

    def name(self, user: str) -> sql.Identifier:
        """A user's name on the cluster."""
        return sql.Identifier(self.prefix + user)


class TestRedshift(ChangesPasswordContract, ClonesUsersContract):
    """Both abilities."""

    @pytest.fixture
    def bench(self, cluster: RedshiftServer) -> Iterator[RedshiftBench]:
        """The stand-in, with an admin."""
        bench = RedshiftBench(cluster)
        bench.prepare()
        yield bench
        bench.clear()
