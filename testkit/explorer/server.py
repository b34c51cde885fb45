"""A server in memory, with every ability that the strategies for passwords need."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from common.errors import ChangeForbidden, ChangeRefused, LoginRejected, NotPrimary, PolicyRefused, TakeoverRefused
from common.password import PasswordPolicy
from common.secret import Account, Secret
from common.target import Pair, Proven
from testkit.explorer.world import State, User

if TYPE_CHECKING:
    from testkit.explorer.delivery import Delivery

CLONE_HOLDS_MORE = "clone-holds-more"


@dataclass
class Server:
    """The server, for one delivery. by_admin: no user may change itself (S1b). remembers: it refuses the password that is set."""

    delivery: "Delivery"
    by_admin: bool = False
    remembers: bool = False
    name: str = "explored"
    credential: tuple[str, ...] = ("password",)
    password_policy: PasswordPolicy = field(default_factory=lambda: PasswordPolicy(shortest=8, longest=64))
    username_unit: Literal["characters"] = "characters"

    def account(self, login: Secret) -> Account:
        """Always of one server."""
        return Account("explored", "db", 1, login.text("username"))

    admin_account = account

    def longest_username(self, _: Secret) -> int:
        """Long enough."""
        return 64

    def check(self, login: Secret) -> str:
        """A login."""
        self._log_in(login)
        return login.text("username")

    def check_alternate(self, login: Secret, _pair: Pair) -> None:
        """A login."""
        self.check(login)

    def change_password(self, login: Secret, pending: Secret) -> None:
        """A login, and the change."""
        self._log_in(login)
        if self.by_admin:
            raise ChangeForbidden("change-forbidden", "Not by itself.", "See the admin.", proven=login.text("username"))
        self._change(login, lambda user: replace(user, primary=pending.text("password")))

    def reset_password(self, _admin: Secret, pending: Secret, proven: str | None = None) -> None:
        """By the admin."""
        assert proven in (None, pending.text("username"))
        self.delivery.look("the server: login as the admin", lambda: None)
        self._set(pending.text("username"), lambda user: replace(user, primary=pending.text("password")))

    def retain_password(self, login: Secret, pending: Secret) -> None:
        """MySQL's RETAIN CURRENT PASSWORD, which keeps the primary one: refused where the login came by the second."""

        def retain(user: User) -> User:
            if login.text("password") != user.primary:
                raise NotPrimary("password-secondary", "It is the second one.", "Replace the primary one.")
            return replace(user, primary=pending.text("password"), second=user.primary)

        self._log_in(login)
        self._change(login, retain)

    def replace_primary(self, login: Secret, pending: Secret, _primary: Secret | None) -> bool:
        """The primary one by another; the second one stays."""
        self._log_in(login)
        self._change(login, lambda user: replace(user, primary=pending.text("password")))
        return True

    def alternate(self, _admin: Secret, _current: Secret, pending: Secret, pair: Pair, proven: Proven) -> None:
        """A2: W5, then the clone is there with its rights; a new one cannot log in. A3: the password."""
        name, new = pending.text("username"), pending.text("password")
        rights = self.delivery.look("the server: the admin compares the two", lambda: _rights(self._state, pair.clone))
        if rights == "more" and name == pair.clone and proven.other is None:
            raise TakeoverRefused("takeover-refused", "It holds more than the base.", "Let it log in.")
        if rights == "more" and name == pair.base:
            raise ChangeRefused(CLONE_HOLDS_MORE, "The clone holds more than the base.", "GRANT or REVOKE it.")
        if name == pair.clone:
            self.delivery.change(f"the server: {name} is made ready", lambda: self._ready(name))
        self._set(name, lambda user: replace(user, primary=new))

    def _ready(self, name: str) -> None:
        user = dict(self._state.users).get(name, User("*locked"))
        self.delivery.world.state = self._state.with_user(name, replace(user, rights="the base's"))

    @property
    def _state(self) -> State:
        return self.delivery.world.state

    def _log_in(self, login: Secret) -> None:
        self.delivery.look(f"the server: login as {login.text('username')}", lambda: self._user(login).rights)

    def _user(self, login: Secret) -> User:
        user = dict(self._state.users).get(login.text("username"))
        if user is None or login.text("password") not in {user.primary, user.second}:
            raise LoginRejected("login-rejected", "Refused.", "See the version.")
        return user

    def _change(self, login: Secret, change: Callable[[User], User]) -> None:
        """In the session that `login` has opened, which goes on when the password changes meanwhile."""
        self._set(login.text("username"), change)

    def _set(self, name: str, change: Callable[[User], User]) -> None:
        def do() -> None:
            user = dict(self._state.users).get(name)
            if user is None:
                raise ChangeRefused("user-missing", "It is gone.", "Make it.")
            after = change(user)
            if self.remembers and after.primary == user.primary:
                raise PolicyRefused("password-refused", "It has been used before.", "Take another one.")
            self.delivery.world.state = self._state.with_user(name, after)

        self.delivery.change(f"the server: {name}'s password is changed", do)


def _rights(state: State, name: str) -> str | None:
    user = dict(state.users).get(name)
    return user.rights if user else None
