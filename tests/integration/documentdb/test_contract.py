"""The contract kit on a real server that speaks MongoDB's protocol."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from common.errors import ChangeRefused, TakeoverRefused
from common.secret import Secret
from common.target import ClonesUsers, Pair, Proven
from rotators.documentdb.target import DocumentDb
from testkit.contract import AdminBench, ChangesPasswordContract, ClonesUsersContract
from testkit.servers.mongo import READ, MongoServer

ADMIN = "contract_admin"


@dataclass
class MongoBench:
    """A server, and the users that a test has made there."""

    server: MongoServer
    target: DocumentDb = field(default_factory=DocumentDb)

    def user(self, name: str, password: str) -> Secret:
        """A user who may read."""
        self.server.create_user(name, password)
        return Secret(self.server.secret(name, password), "AWSCURRENT of app")

    @property
    def admin(self) -> Secret:
        """The admin."""
        return Secret(self.server.secret(ADMIN, "admins-password"), "AWSCURRENT of admin")

    def rights(self, login: Secret) -> object:
        """By the catalog."""
        return self.server.roles(login.text("username"))

    def give_more(self, login: Secret) -> None:
        """FerretDB cannot: see the test that takes its place."""
        raise NotImplementedError

    def exists(self, name: str) -> bool:
        """By the catalog."""
        return name in self.server.users()


class TestDocumentDb(ChangesPasswordContract, ClonesUsersContract):
    """Both abilities."""

    @pytest.fixture
    def bench(self, mongo: MongoServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[MongoBench]:
        """A server, with an admin."""
        monkeypatch.setenv("TLS_CA_FILE", str(mongo.ca_file))
        before = mongo.users()
        mongo.create_user(ADMIN, "admins-password")
        yield MongoBench(mongo)
        mongo.drop_users(keep=before)

    def test_an_unrelated_user_is_not_taken_over(self, bench: AdminBench, clones: ClonesUsers) -> None:
        """W5: one with a role that the base has not."""
        assert isinstance(bench, MongoBench)
        bench.server.create_user("plain", "Password-0", roles=READ)
        current = Secret(bench.server.secret("plain", "Password-0"), "AWSCURRENT of app")
        unrelated = bench.user("plain_clone", "its-own-password")
        pending = current.with_fields("pending", username="plain_clone", password="Password-1")
        with pytest.raises(TakeoverRefused):
            clones.alternate(bench.admin, current, pending, Pair.of("plain"), Proven(clones.check(current)))
        clones.check(unrelated)

    def test_a_clone_that_has_more_than_its_base(self, bench: AdminBench, clones: ClonesUsers) -> None:
        """The base's turn would lose a role: both remedies are named."""
        assert isinstance(bench, MongoBench)
        bench.server.create_user("plain", "Password-0", roles=READ)
        current = bench.user("plain_clone", "Password-1")
        pending = current.with_fields("pending", username="plain", password="Password-2")
        with pytest.raises(ChangeRefused, match=r"grantRolesToUser.*revokeRolesFromUser") as error:
            clones.alternate(bench.admin, current, pending, Pair.of("plain"), Proven("x", "x"))
        assert error.value.code == "clone-holds-rights"
        clones.check(current)
