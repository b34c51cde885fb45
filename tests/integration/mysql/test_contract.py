"""The contract kit on real MySQL and MariaDB."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from common.secret import Secret
from rotators.mysql.target import MySql
from testkit.contract import ChangesPasswordContract, ClonesUsersContract
from testkit.servers.mysql import MySqlServer

ADMIN = "contract_admin"


@dataclass
class MySqlBench:
    """A server, and the users that a test has made there."""

    server: MySqlServer
    target: MySql = field(default_factory=MySql)

    def user(self, name: str, password: str) -> Secret:
        """A user who may read a table."""
        self.server.create_user(name, password)
        self.server.run("GRANT SELECT ON contract.given TO %s@'%%'", name)
        return Secret(self.server.secret(name, password), "AWSCURRENT of app")

    @property
    def admin(self) -> Secret:
        """The admin."""
        return Secret(self.server.secret(ADMIN, "admins-password"), "AWSCURRENT of admin")

    def rights(self, login: Secret) -> object:
        """By doing."""
        as_user = login.text("username"), login.text("password")
        return self.server.run("SELECT count(*) FROM contract.given", as_user=as_user)

    def give_more(self, login: Secret) -> None:
        """To write."""
        self.server.run("GRANT INSERT ON contract.given TO %s@'%%'", login.text("username"))

    def exists(self, name: str) -> bool:
        """By the catalog."""
        return bool(self.server.run("SELECT 1 FROM mysql.user WHERE user = %s", name))


class TestMySql(ChangesPasswordContract, ClonesUsersContract):
    """Every ability that PostgreSQL has; dual passwords have tests of their own."""

    @pytest.fixture
    def bench(self, db: MySqlServer) -> Iterator[MySqlBench]:
        """A server, with an admin like RDS's: all but SUPER and the like."""
        before = db.users()
        db.run("CREATE DATABASE contract")
        db.run("CREATE TABLE contract.given (i int)")
        db.create_user(ADMIN, "admins-password")
        db.run("GRANT SELECT, CREATE USER, RELOAD, PROCESS ON *.* TO contract_admin WITH GRANT OPTION")
        yield MySqlBench(db)
        db.run("DROP DATABASE contract")
        db.drop_users(keep=before)
