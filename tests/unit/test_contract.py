"""The contract kit on a fake target."""

from dataclasses import dataclass, field

import pytest

from common.secret import Secret
from testkit.contract import ChangesPasswordContract, ClonesUsersContract
from testkit.fake import FakeTarget, User


@dataclass
class FakeBench:
    """A fake server, empty but for its admin."""

    target: FakeTarget = field(default_factory=FakeTarget)

    def user(self, name: str, password: str) -> Secret:
        """A user with a right."""
        self.target.users[name] = User(password, frozenset({"read"}))
        return Secret({"engine": "fake", "host": "db", "username": name, "password": password}, "AWSCURRENT of app")

    @property
    def admin(self) -> Secret:
        """The admin."""
        return self.user("the_admin", "admins-password")

    def rights(self, login: Secret) -> object:
        """As the server has them."""
        return self.target.users[login.text("username")].rights

    def give_more(self, login: Secret) -> None:
        """One right more."""
        self.target.users[login.text("username")].rights |= {"more"}

    def exists(self, name: str) -> bool:
        """As the server has it."""
        return name in self.target.users


class TestFake(ChangesPasswordContract, ClonesUsersContract):
    """Both abilities."""

    @pytest.fixture
    def bench(self) -> FakeBench:
        """A new server for each test."""
        return FakeBench()
