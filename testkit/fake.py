"""A target whose server is a dictionary: for tests of strategies, and to show that the contract kit holds for another.

It has all abilities, and the same edges as a real one; tests/unit/test_contract.py holds it to the contract kit.
"""

import threading
from dataclasses import dataclass, field
from typing import Literal

from common import clock
from common.errors import ChangeRefused, LoginRejected, TakeoverRefused, TargetUnavailable
from common.password import PasswordPolicy
from common.secret import Account, Secret
from common.target import Pair, Proven

PORT = 7777


@dataclass
class User:
    """A user of the fake server. base: whose clone it is."""

    password: str | None
    rights: frozenset[str] = frozenset()
    base: str | None = None


@dataclass
class FakeTarget:
    """The target and its server in one."""

    users: dict[str, User] = field(default_factory=dict)
    name: str = "fake"
    credential: tuple[str, ...] = ("password",)
    password_policy: PasswordPolicy = field(default_factory=lambda: PasswordPolicy(shortest=8, longest=64))
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def account(self, secret: Secret) -> Account:
        """Engine `fake`; host, port (7777), username, password."""
        secret.text("password")
        return Account(secret.engine({"fake": "fake"}), secret.host(), secret.port(PORT), secret.text("username"))

    admin_account = account

    def check(self, login: Secret) -> str:
        """The password is the user's."""
        self._user(login)
        return login.text("username")

    def change_password(self, login: Secret, pending: Secret) -> None:
        """Of the user that logs in."""
        with self._lock:
            user = self._user(login)
            clock.before_change()
            user.password = pending.text("password")

    def reset_password(self, admin: Secret, pending: Secret, proven: str | None = None) -> None:  # noqa: ARG002  users have one account here
        """By the admin."""
        with self._lock:
            self._user(admin)
            user = self._other(admin, pending.text("username"))
            if user is None:
                raise ChangeRefused("user-missing", "There is no such user.", "Create it.")
            clock.before_change()
            user.password = pending.text("password")

    @property
    def username_unit(self) -> Literal["characters"]:
        """Characters."""
        return "characters"

    def longest_username(self, _: Secret) -> int:
        """As long as on many a server."""
        return 64

    def alternate(self, admin: Secret, current: Secret, pending: Secret, pair: Pair, proven: Proven) -> None:
        """The clone gets the base's rights; pending's user gets its password, last."""
        with self._lock:
            self._user(admin)
            base, clone = self._other(admin, pair.base), self._other(admin, pair.clone)
            if base is None:
                raise ChangeRefused("user-missing", f"There is no user {pair.base!r}.", "Create it.")
            if clone is not None and clone.base != pair.base and proven.other is None:
                raise TakeoverRefused("user-not-ours", f"{pair.clone!r} is not provably ours.", "Prove it.")
            if current.text("username") not in (pair.base, pair.clone):
                raise TakeoverRefused("user-not-ours", "Current is neither of the two.", "Correct it.")
            clock.before_change()
            if pending.text("username") == pair.clone:
                self.users[pair.clone] = User(pending.text("password"), base.rights, pair.base)
            else:
                base.password = pending.text("password")

    def check_alternate(self, login: Secret, pair: Pair) -> None:
        """Either of the two logs in."""
        if login.text("username") in (pair.base, pair.clone):
            self.check(login)

    def _user(self, login: Secret) -> User:
        account = self.account(login)
        if account.port != PORT:
            raise TargetUnavailable("target-unreachable", f"Nothing answers at {account.host}:{account.port}.", "Look.")
        user = self.users.get(account.user)
        if user is None or user.password != login.text("password"):
            raise LoginRejected("login-rejected", f"The server refuses {account}.", "See the version.")
        return user

    def _other(self, admin: Secret, name: str) -> User | None:
        if name == admin.text("username"):
            raise ChangeRefused("admin-is-the-user", "The user is the admin itself.", "Give it a secret of its own.")
        return self.users.get(name)
