"""A world in memory: a secret's versions, a server's users, and where in it a call may go wrong.

A State is what is there between two calls of the function; a World is the same while the function runs, with the fault
that is to happen. Users are `app` and, for alternating users, `app_clone`; passwords are numbered as they appear, so
that two histories which end alike are one state.
"""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeVar, get_args

from common import redaction
from common.dual_password import DualPassword
from common.engine import Report, run_step
from common.errors import (
    LoginRejected,
    NotPrimary,
    NotRotatable,
    PolicyRefused,
    RotationError,
    StoreError,
    TargetUnavailable,
)
from common.event import Event
from common.guard import Description
from common.issued_key import IssuedKey
from common.password import PasswordPolicy
from common.secret import Account, Secret
from common.strategy import AlternatingUsers, SingleUser, Strategy
from common.target import Authority, ListedKey, Pair, Proven

ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:app-AbCdEf"
ADMIN_ARN = ARN.replace("app-", "admin-")
BASE = "app"
How = Literal[
    "dies before", "dies after", "gets no answer, nothing done", "gets no answer, all done", "twice", "policy"
]
HOW: tuple[How, ...] = get_args(How)
T = TypeVar("T")
_numbers = itertools.count()


def version_id(number: int, by: str = "0") -> str:
    """As long as the service's are. by: "0" for a rotation's, another letter for an operator's."""
    return f"{by}{number:031d}"


class Died(BaseException):
    """The function is gone: nothing of it runs on, not even its handlers of errors."""


class Broken(BaseException):
    """A promise is broken, at this very instant."""


@dataclass(frozen=True)
class Version:
    """A version of the secret. value: (user, password), None where it is empty."""

    id: str
    value: tuple[str, str] | None
    labels: frozenset[str]


@dataclass(frozen=True)
class User:
    """A user of the server. second: with dual passwords. rights: whether it has those of the base."""

    primary: str
    second: str | None = None
    rights: bool = True


@dataclass(frozen=True)
class State:
    """All that there is. Versions are in the order of their making. keys: {a live key: its label}, where a service issues them."""

    versions: tuple[Version, ...]
    users: tuple[tuple[str, User], ...] = ()
    keys: tuple[tuple[str, str], ...] = ()

    def holder(self, label: str) -> Version | None:
        """The version that holds the label."""
        return next((one for one in self.versions if label in one.labels), None)

    def renamed(self) -> "State":
        """The same with passwords numbered as they appear: what differs in their names alone is one state."""
        names: dict[str | None, str | None] = {None: None}

        def name(password: str | None) -> str | None:
            return names.setdefault(password, f"password-{len(names)}")

        versions = tuple(
            replace(one, value=one.value and (one.value[0], str(name(one.value[1])))) for one in self.versions
        )
        users = tuple(
            (who, replace(user, primary=str(name(user.primary)), second=name(user.second))) for who, user in self.users
        )
        keys = tuple(sorted((str(name(key)), label) for key, label in self.keys))
        return State(versions, users, keys)

    def orphans(self) -> set[str]:
        """Keys that were issued for the secret, and that no staged version holds."""
        held = {one.value[1] for one in self.versions if one.value and one.labels}
        return {key for key, label in self.keys if label} - held

    def works(self, version: Version | None) -> bool:
        """Whether the version's user logs in with its password, and has its rights."""
        if version is None or version.value is None:
            return False
        if self.keys:
            return version.value[1] in dict(self.keys)
        user = dict(self.users).get(version.value[0])
        return user is not None and version.value[1] in {user.primary, user.second} and user.rights


@dataclass(frozen=True)
class Kind:
    """A strategy with its promise. gap: AWSCURRENT may be refused between setSecret's change and finishSecret."""

    name: str
    make: Callable[["World"], Strategy]
    gap: bool
    first: State


@dataclass(frozen=True)
class Fault:
    """What goes wrong at the function's call with this number (from 1)."""

    call: int
    how: How


@dataclass
class World:
    """A state that changes while the function runs, and the fault that is to happen. said: the calls, in order."""

    kind: Kind
    state: State
    fault: Fault | None = None
    said: list[str] = field(default_factory=list)
    again: Callable[[], object] = lambda: None

    def call(self, what: str, act: Callable[[], T], *, changes: bool = False) -> T:
        """One call of the function's: the fault where it is this one's turn, and the promise looked at after it."""
        self.said.append(what)
        how = self.fault.how if self.fault and self.fault.call == len(self.said) else None
        if how == "dies before":
            raise Died
        if how == "gets no answer, nothing done":
            raise self._lost(what)
        if how == "policy" and changes:
            raise PolicyRefused("password-refused", "The policy refuses it.", "Choose another.")
        if how == "twice":
            fault, self.fault = self.fault, None
            self.again()
            self.fault = fault
        answer = act()
        self._keep_the_promise()
        if how == "dies after":
            raise Died
        if how == "gets no answer, all done":
            raise self._lost(what)
        return answer

    def _lost(self, what: str) -> RotationError:
        kind = StoreError if what.startswith("Secrets Manager") else TargetUnavailable
        return kind("answer-lost", f"{what}: no answer.", "Again.")

    def _keep_the_promise(self) -> None:
        """AWSCURRENT works; or, with a gap, some version of the secret does, so that a rotation can recover it."""
        current = self.state.holder("AWSCURRENT")
        works = self.state.works(current)
        if not works and self.kind.gap:
            works = any(self.state.works(one) for one in self.state.versions)
        if not works:
            raise Broken("AWSCURRENT is refused" if not self.kind.gap else "no version of the secret logs in")

    def put(self, **changes: Any) -> None:
        """Change the state."""
        self.state = replace(self.state, **changes)


@dataclass
class Store:
    """Secrets Manager, as common.store shows it."""

    world: World
    api: Any = None

    def describe(self, secret_id: str) -> Description:
        """DescribeSecret: versions with labels only."""
        assert secret_id == ARN
        return self.world.call("Secrets Manager: DescribeSecret", self._described)

    def _described(self) -> Description:
        stages = {one.id: one.labels for one in self.world.state.versions if one.labels}
        return Description(ARN, True, stages, {"rotation:strategy": self.world.kind.name})  # noqa: FBT003

    def read_version(self, _arn: str, version: str, name: str) -> Secret:
        """GetSecretValue by id."""

        def read() -> Secret:
            found = next((one for one in self.world.state.versions if one.id == version), None)
            if found is None or found.value is None:
                raise NotRotatable("version-empty", f"{name} has no value.", "Wait.")
            return secret(*found.value, name)

        return self.world.call("Secrets Manager: GetSecretValue", read)

    def read_other(self, _named: str) -> tuple[str, Secret]:
        """GetSecretValue of the admin's."""
        return self.world.call(
            "Secrets Manager: GetSecretValue (admin)", lambda: (ADMIN_ARN, secret("boss", "b", "admin"))
        )

    def unlabelled(self, _secret: Description) -> list[str]:
        """ListSecretVersionIds, newest first."""

        def ids() -> list[str]:
            return [one.id for one in reversed(self.world.state.versions) if not one.labels]

        return self.world.call("Secrets Manager: ListSecretVersionIds", ids)

    def stage(self, event: Event, pending: Secret) -> bool:
        """PutSecretValue under the token."""

        def put() -> bool:
            found = [one for one in self.world.state.versions if one.id == event.token]
            value = (pending.text("username"), pending.text("password"))
            if found and found[0].value is not None:
                return found[0].value == value
            others = not_pending(one for one in self.world.state.versions if one.id != event.token)
            self.world.put(versions=(*others, Version(event.token, value, frozenset({"AWSPENDING"}))))
            return True

        return self.world.call("Secrets Manager: PutSecretValue", put)

    def unstage(self, _secret: Description, token: str) -> None:
        """UpdateSecretVersionStage: AWSPENDING off this version."""

        def off() -> None:
            holder = self.world.state.holder("AWSPENDING")
            if holder and holder.id == token:
                self.world.put(versions=not_pending(self.world.state.versions))

        self.world.call("Secrets Manager: UpdateSecretVersionStage (AWSPENDING off)", off)

    def promote(self, described: Description, token: str) -> None:
        """UpdateSecretVersionStage: AWSCURRENT from the version that was described; AWSPREVIOUS follows."""

        def move() -> None:
            holder = self.world.state.holder("AWSCURRENT")
            if holder is None or holder.id != described.version("AWSCURRENT"):
                raise StoreError("store-refused", "AWSCURRENT is not where it was.", "Again.")
            self.world.put(versions=moved(self.world.state.versions, token))

        self.world.call("Secrets Manager: UpdateSecretVersionStage", move)


def not_pending(versions: Iterable[Version]) -> tuple[Version, ...]:
    """These versions without AWSPENDING."""
    return tuple(replace(one, labels=one.labels - {"AWSPENDING"}) for one in versions)


def moved(versions: Sequence[Version], to: str) -> tuple[Version, ...]:
    """AWSCURRENT on this version, AWSPREVIOUS on the one that had it."""
    changed = []
    for one in versions:
        labels = one.labels - {"AWSCURRENT", "AWSPREVIOUS"}
        if one.id == to:
            labels |= {"AWSCURRENT"}
        elif "AWSCURRENT" in one.labels:
            labels |= {"AWSPREVIOUS"}
        changed.append(replace(one, labels=labels))
    return tuple(changed)


@dataclass
class Server:
    """A server in memory, with every ability that the strategies for passwords need."""

    world: World
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
        self.world.call(f"the server: login as {login.text('username')}", lambda: self._user(login))
        return login.text("username")

    def check_alternate(self, login: Secret, _pair: Pair) -> None:
        """A login."""
        self.check(login)

    def change_password(self, login: Secret, pending: Secret) -> None:
        """A login, and the change."""
        self._change(login, pending, lambda user, new: replace(user, primary=new))

    def reset_password(self, _admin: Secret, pending: Secret, _proven: str | None = None) -> None:
        """By the admin."""
        raise AssertionError(pending.name)

    def retain_password(self, login: Secret, pending: Secret) -> None:
        """MySQL's RETAIN CURRENT PASSWORD, which keeps the primary one: refused where the login came by the second."""

        def retain(user: User, new: str) -> User:
            if login.text("password") != user.primary:
                raise NotPrimary("password-secondary", "It is the second one.", "Replace the primary one.")
            return replace(user, primary=new, second=user.primary)

        self._change(login, pending, retain)

    def replace_primary(self, login: Secret, pending: Secret, _primary: Secret | None) -> bool:
        """The primary one by another; the second one stays."""
        self._change(login, pending, lambda user, new: replace(user, primary=new))
        return True

    def alternate(self, _admin: Secret, _current: Secret, pending: Secret, pair: Pair, _proven: Proven) -> None:
        """A2 and A3, as two calls: the clone is there with its rights, and cannot log in; then its password."""
        name, new = pending.text("username"), pending.text("password")

        def ready() -> None:
            users = dict(self.world.state.users)
            if name == pair.clone:
                old = users.get(name)
                users[name] = replace(old, rights=True) if old else User("locked")
                self.world.put(users=tuple(sorted(users.items())))

        def set_password() -> None:
            users = dict(self.world.state.users)
            users[name] = replace(users[name], primary=new)
            self.world.put(users=tuple(sorted(users.items())))

        self.world.call(f"the server: {name} is readied", ready)
        self.world.call(f"the server: {name} gets its password", set_password, changes=True)

    def _user(self, login: Secret) -> User:
        user = dict(self.world.state.users).get(login.text("username"))
        if user is None or login.text("password") not in {user.primary, user.second}:
            raise LoginRejected("login-rejected", "Refused.", "See the version.")
        return user

    def _change(self, login: Secret, pending: Secret, change: Callable[[User, str], User]) -> None:
        name = login.text("username")
        self.world.call(f"the server: login as {name}", lambda: self._user(login))

        def do() -> None:
            user = change(self._user(login), pending.text("password"))
            users = {**dict(self.world.state.users), name: user}
            self.world.put(users=tuple(sorted(users.items())))

        self.world.call(f"the server: {name}'s password is changed", do, changes=True)


@dataclass
class Service:
    """A service in memory that issues keys; a key is its own id, and lives in the field password."""

    world: World
    name: str = "explored"
    credential: tuple[str, ...] = ("password",)
    by_admin: bool = False

    def account(self, login: Secret) -> Account:
        """Always of one service."""
        return Account("explored", "db", 1, login.text("username"))

    admin_account = account

    def key_id(self, value: Secret) -> str | None:
        """The key."""
        return value.text("password")

    def check(self, login: Secret) -> str:
        """Whether the key lives."""
        self.world.call("the service: check", lambda: self._alive(login))
        return "app"

    def proven_key_id(self, login: Secret) -> str | None:
        """The key, if it lives."""
        self.check(login)
        return self.key_id(login)

    def issue_key(self, by: Authority, label: str) -> Mapping[str, str]:
        """Another one each time."""

        def issue() -> Mapping[str, str]:
            self._alive(by.login)
            new = f"new-key-{next(_numbers)}"
            self.world.put(keys=tuple(sorted((*self.world.state.keys, (new, label)))))
            return {"password": new}

        return self.world.call("the service: a key is issued", issue)

    def keys(self, by: Authority) -> list[ListedKey]:
        """All that live."""

        def listed() -> list[ListedKey]:
            self._alive(by.login)
            return [ListedKey(key, label or None) for key, label in self.world.state.keys]

        return self.world.call("the service: the keys are listed", listed)

    def revoke_key(self, by: Authority, key_id: str) -> None:
        """It lives no more."""

        def revoke() -> None:
            self._alive(by.login)
            self.world.put(keys=tuple(one for one in self.world.state.keys if one[0] != key_id))

        self.world.call("the service: a key is revoked", revoke)

    def _alive(self, login: Secret) -> None:
        if login.text("password") not in dict(self.world.state.keys):
            raise LoginRejected("login-rejected", "Refused.", "See the version.")


FIRST = Version(version_id(0), (BASE, "password-1"), frozenset({"AWSCURRENT"}))
ONE_USER = State((FIRST,), users=((BASE, User("password-1")),))
SINGLE_USER = Kind("single-user", lambda world: SingleUser(Server(world)), gap=True, first=ONE_USER)
ALTERNATING_USERS = Kind("alternating-users", lambda world: AlternatingUsers(Server(world)), gap=False, first=ONE_USER)
DUAL_PASSWORD = Kind("dual-password", lambda world: DualPassword(Server(world)), gap=False, first=ONE_USER)
ISSUED_KEY = Kind(
    "issued-key", lambda world: IssuedKey(Service(world)), gap=False, first=State((FIRST,), keys=(("password-1", ""),))
)


def secret(user: str, password: str, name: str) -> Secret:
    """A value."""
    fields = {"engine": "explored", "host": "db", "username": user, "password": password, "masterarn": ADMIN_ARN}
    return Secret(fields, name, ARN)


def deliver(kind: Kind, state: State, step: str, token: str, fault: Fault | None) -> tuple[World, str | None]:
    """One call of the function by the service: (the world afterwards, the error; "died" where the function has)."""
    world = World(kind, state, fault)
    world.again = lambda: _run(world, step, token)
    try:
        error = _run(world, step, token)
    except Died:
        error = "died"
    world.state = world.state.renamed()
    return world, error


def _run(world: World, step: str, token: str) -> str | None:
    strategy = world.kind.make(world)
    try:
        with redaction.invocation():
            store: Any = Store(world)
            run_step(Event(step, ARN, token), store, lambda _: (strategy,), Report("explored"))
    except RotationError as error:
        return str(error)
    return None
