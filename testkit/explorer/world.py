"""A world in memory: what Secrets Manager keeps, a server's users or keys, deliveries that hang; and the promise.

A State is what is there between two calls of the function, and a World the same while it runs. Users are `app` and, for
alternating users, `app_clone`; passwords are numbered as they appear, so that two histories that end alike are one state.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from testkit.explorer.answers import Answer
from testkit.explorer.faults import LIMITS

if TYPE_CHECKING:
    from common.strategy import Strategy
    from testkit.explorer.acts import Act
    from testkit.explorer.delivery import Delivery

BASE, CLONE = "app", "app_clone"
UNKNOWN = "a password that is in no version"
RECOVERS = "what a limit has cost, this rotation recovers"
Value = tuple[str, str, str]  # a user, its password or key, and a field that a rotation carries along


class Broken(BaseException):
    """A promise is broken, at this very instant."""


@dataclass(frozen=True)
class Version:
    """A version of the secret. value: None where it is empty."""

    id: str
    value: Value | None
    labels: frozenset[str]


@dataclass(frozen=True)
class Kept:
    """What Secrets Manager keeps of the secret. Versions are in the order of their making. enabled: whether it rotates."""

    versions: tuple[Version, ...]
    enabled: bool = True

    def holder(self, label: str) -> Version | None:
        """The version that holds the label."""
        return next((one for one in self.versions if label in one.labels), None)

    def version(self, version_id: str) -> Version | None:
        """The version with this id."""
        return next((one for one in self.versions if one.id == version_id), None)

    def pending(self, token: str) -> bool:
        """Whether the rotation with this token is under way."""
        holder = self.holder("AWSPENDING")
        return self.enabled and holder is not None and holder.id == token

    def without_pending(self) -> "Kept":
        """AWSPENDING taken off."""
        return replace(self, versions=tuple(replace(one, labels=one.labels - {"AWSPENDING"}) for one in self.versions))

    def promoted(self, to: str) -> "Kept":
        """AWSCURRENT on this version, AWSPREVIOUS on the one that had it."""
        return replace(self, versions=tuple(_relabelled(one, to) for one in self.versions))

    def with_version(self, version: Version) -> "Kept":
        """One more, or in the place of the one with its id; AWSPENDING is on one version at most."""
        kept = self.without_pending() if "AWSPENDING" in version.labels else self
        if kept.version(version.id):
            return replace(kept, versions=tuple(version if one.id == version.id else one for one in kept.versions))
        return replace(kept, versions=(*kept.versions, version))


def _relabelled(one: Version, to: str) -> Version:
    labels = one.labels - {"AWSCURRENT", "AWSPREVIOUS"}
    if one.id == to:
        return replace(one, labels=labels | {"AWSCURRENT"})
    return replace(one, labels=labels | {"AWSPREVIOUS"} if "AWSCURRENT" in one.labels else labels)


@dataclass(frozen=True)
class User:
    """A user of the server. second: with dual passwords. rights: the base's, or "more" than it has; all else is less."""

    primary: str
    second: str | None = None
    rights: str = "the base's"


@dataclass(frozen=True)
class Hung:
    """A delivery that hangs. answers: what it has been told so far. late: after so many answers the time went by.

    stalled: it hangs between its guard and its change
    """

    step: str
    token: str
    answers: tuple[Answer, ...]
    late: int
    stalled: bool = False


@dataclass(frozen=True)
class State:
    """All that there is.

    before: what Secrets Manager kept before the last write, which a read that lags still shows. keys: {a live key: its
    label}, where a service issues them. keeps: AWSPREVIOUS is promised to work. excused: why AWSCURRENT need not work until
    the next rotation's end. disturbed: this try of the rotation may fail, as what was excused has come into it
    """

    now: Kept
    before: Kept
    users: tuple[tuple[str, User], ...] = ()
    keys: tuple[tuple[str, str], ...] = ()
    hung: tuple[Hung, ...] = ()
    keeps: bool = False
    excused: str = ""
    disturbed: bool = False

    def holder(self, label: str) -> Version | None:
        """The version that holds the label."""
        return self.now.holder(label)

    def wrote(self, now: Kept) -> "State":
        """The same after a write to Secrets Manager."""
        return replace(self, now=now, before=self.now)

    def with_user(self, name: str, user: User) -> "State":
        """The same with this user."""
        return replace(self, users=tuple(sorted({**dict(self.users), name: user}.items())))

    def orphaned_keys(self) -> set[str]:
        """Keys that were issued for the secret, and that no staged version holds."""
        return {key for key, label in self.keys if label} - {key for _, key, _ in self._held()}

    def orphaned_passwords(self) -> set[str]:
        """Passwords of the secret's users that no staged version of theirs holds."""
        known = {(name, password) for name, password, _ in self._held()}
        found = {(name, one) for name, user in self.users for one in (user.primary, user.second) if one}
        return {password for _, password in found - known}

    def _held(self) -> set[Value]:
        return {one.value for one in self.now.versions if one.value and one.labels}

    def works(self, version: Version | None) -> bool:
        """Whether the version's user logs in with its password, and has its rights."""
        if version is None or version.value is None:
            return False
        name, password, _ = version.value
        if self.keys:
            return password in dict(self.keys)
        user = dict(self.users).get(name)
        return user is not None and password in {user.primary, user.second} and user.rights in ("the base's", "more")

    def settled(self) -> "State":
        """The same without an excuse that is over: AWSCURRENT works. Beyond a limit only a new rotation ends it."""
        return self if self.disturbed or self.excused in LIMITS else self.forgiven()

    def forgiven(self) -> "State":
        """The same without an excuse, where AWSCURRENT works."""
        return replace(self, excused="") if self.excused and self.works(self.holder("AWSCURRENT")) else self

    def recovering(self) -> "State":
        """The same at the start of a rotation, which ends what went beyond a limit."""
        return (replace(self, excused=RECOVERS) if self.excused in LIMITS else self).forgiven()

    def renamed(self) -> "State":
        """The same with passwords numbered as they appear: what differs in their names alone is one state."""
        names: dict[str, str] = {}

        def new(plain: Any) -> Any:
            if isinstance(plain, str):
                return names.setdefault(plain, f"*{len(names)}") if plain.startswith("*") else plain
            if isinstance(plain, tuple):
                return tuple(new(one) for one in plain)
            if isinstance(plain, Answer):
                return replace(plain, value=new(plain.value))
            return plain

        def kept(one: Kept) -> Kept:
            return Kept(tuple(Version(v.id, new(v.value), v.labels) for v in one.versions), one.enabled)

        now = kept(self.now)
        return replace(
            self,
            now=now,
            before=kept(self.before),
            users=tuple((who, User(new(user.primary), new(user.second), user.rights)) for who, user in self.users),
            keys=tuple(sorted((new(key), label) for key, label in self.keys)),
            hung=tuple(replace(one, answers=new(one.answers)) for one in self.hung),
        )


@dataclass(frozen=True)
class Kind:
    """A strategy, the server that it is at, and what is promised.

    gap: AWSCURRENT may be refused between setSecret's change and finishSecret. ends_previous: the step that may end
    AWSPREVIOUS's login; None where it never works. acts: what people may do. reconciles: the tag of W6 is there. sweeps: keys
    are issued, and revoked. There a step may fail without a fault, taking AWSPENDING off (K1, K4): the next one does not
    """

    name: str
    make: Callable[["Delivery"], "Strategy"]
    first: State
    acts: tuple["Act", ...]
    gap: bool = False
    ends_previous: str | None = "setSecret"
    reconciles: bool = False
    sweeps: bool = False


@dataclass
class World:
    """A state that changes while the function runs.

    running: the deliveries under way, the outermost first. instants: hashes of the states that were there before a call of
    theirs, shared by all worlds of a search
    """

    kind: Kind
    state: State
    instants: set[int] = field(default_factory=set)
    running: list["Delivery"] = field(default_factory=list)

    def note_instant(self) -> None:
        """What is there now, and how far each delivery has come: another order of events that leads here is no new state.

        Up to its last fault a delivery goes where one without that fault has been, so only what comes then is looked at
        """
        outermost = self.running[0]
        if any(len(outermost.calls) < fault.call for fault in outermost.faults):
            return
        state, reads = self.state, tuple(one.lagging is None for one in self.running)
        running = tuple(one.as_hung() for one in self.running)
        self.instants.add(hash((replace(state, hung=state.hung + running).renamed(), len(state.hung), reads)))

    def write(self, now: Kept) -> None:
        """Secrets Manager keeps this."""
        self.state = self.state.wrote(now)

    def keep_the_promise(self) -> None:
        """AWSCURRENT works; or, with a gap or an excuse, some version does, so that a rotation can recover it."""
        state = self.state
        if state.keeps and not state.works(state.holder("AWSPREVIOUS")):
            raise Broken("AWSPREVIOUS is refused before the next rotation's change")
        if state.works(state.holder("AWSCURRENT")):
            return
        if not (self.kind.gap or state.excused):
            raise Broken("AWSCURRENT is refused")
        known = all(user.primary != UNKNOWN for _, user in state.users)
        if known and not any(state.works(one) for one in state.now.versions):
            raise Broken("no version of the secret logs in")
