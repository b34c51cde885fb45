"""A service in memory that issues keys; a key is its own id, and lives in the field password."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

from common.errors import LimitReached, LoginRejected
from common.secret import Account, Secret
from common.target import Authority, ListedKey
from testkit.explorer.delivery import Delivery
from testkit.explorer.world import BASE, State

_numbers = itertools.count()


@dataclass
class Service:
    """The service, for one delivery. limit: how many keys it lets live. by_admin: an admin's key issues and revokes."""

    delivery: Delivery
    limit: int = 100
    by_admin: bool = False
    name: str = "explored"
    credential: tuple[str, ...] = ("password",)

    def account(self, login: Secret) -> Account:
        """Always of one service."""
        return Account("explored", "db", 1, login.text("username"))

    admin_account = account

    def key_id(self, value: Secret) -> str | None:
        """The key."""
        return value.text("password")

    def check(self, login: Secret) -> str:
        """Whether the key lives."""
        self.delivery.look("the service: check", lambda: self._alive(login))
        return BASE

    def proven_key_id(self, login: Secret) -> str | None:
        """The key, if it lives."""
        self.check(login)
        return self.key_id(login)

    def issue_key(self, by: Authority, label: str) -> Mapping[str, str]:
        """Another one each time."""

        def issue() -> str:
            self._allow(by)
            if len(self._state.keys) >= self.limit:
                raise LimitReached("key-limit", "No more.", "Revoke one.")
            new = f"*key-{next(_numbers)}"
            self._keep((*self._state.keys, (new, label)))
            return new

        return {"password": self.delivery.change("the service: a key is issued", issue)}

    def keys(self, by: Authority) -> list[ListedKey]:
        """All that live."""

        def listed() -> tuple[tuple[str, str], ...]:
            self._allow(by)
            return self._state.keys

        found = self.delivery.look("the service: the keys are listed", listed)
        return [ListedKey(key, label or None) for key, label in found]

    def revoke_key(self, by: Authority, key_id: str) -> None:
        """It lives no more."""

        def revoke() -> None:
            self._allow(by)
            self._keep(tuple(one for one in self._state.keys if one[0] != key_id))

        self.delivery.change("the service: a key is revoked", revoke)

    @property
    def _state(self) -> State:
        return self.delivery.world.state

    def _keep(self, keys: tuple[tuple[str, str], ...]) -> None:
        state = self._state
        self.delivery.world.state = State(**{**vars(state), "keys": tuple(sorted(keys))})

    def _allow(self, by: Authority) -> None:
        if not self.by_admin:
            self._alive(by.login)

    def _alive(self, login: Secret) -> None:
        if login.text("password") not in dict(self._state.keys):
            raise LoginRejected("login-rejected", "Refused.", "See the version.")
