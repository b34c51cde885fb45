"""How far is searched; and where a search is: a state, and where in its rotations the service is."""

from dataclasses import dataclass, replace

from common.event import STEPS
from testkit.explorer.store import version_id
from testkit.explorer.world import Kind, State, Version


@dataclass(frozen=True)
class Search:
    """How far: so many rotations, so many faults; beyond: the limit too, after which AWSCURRENT may be refused for a while."""

    kind: Kind
    rotations: int
    faults: int
    beyond: bool = False


@dataclass(frozen=True)
class Moment:
    """step: what the service calls next, for this token; None where it calls nothing. begun: rotations so far. left: faults.

    gave_up: the last try took AWSPENDING off, without a fault (K4): another one does not, but for what stalled and came late
    """

    state: State
    step: str | None
    token: str
    begun: int
    left: int
    gave_up: bool = False

    def trying_again(self) -> "Moment":
        """From createSecret, with the same token."""
        return replace(self, state=replace(self.state, disturbed=False).settled(), step=STEPS[0])


def rotated(moment: Moment) -> tuple[str, Moment]:
    """RotateSecret: AWSPENDING on a new, empty version; where an earlier rotation is not complete, that one again."""
    state, pending = moment.state, moment.state.holder("AWSPENDING")
    if pending is not None and "AWSCURRENT" not in pending.labels:
        # What enabling alone changes is no write that a read could lag behind: the labels are as before.
        on = replace(state, now=replace(state.now, enabled=True), before=replace(state.before, enabled=True))
        return "RotateSecret: the same rotation goes on", replace(moment, state=on, token=pending.id).trying_again()
    token = version_id(moment.begun + 1)
    staged = Version(token, None, frozenset({"AWSPENDING"}))
    after = state.wrote(replace(state.now, enabled=True).with_version(staged)).recovering()
    return "RotateSecret", replace(moment, state=after, token=token, begun=moment.begun + 1).trying_again()
