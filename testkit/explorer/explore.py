"""The search: from each state on, all that the service, an operator or bad luck may do next."""

import os
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from unittest import mock

from common.event import STEPS
from testkit.explorer.world import (
    ADMIN_ARN,
    HOW,
    Broken,
    Fault,
    Kind,
    State,
    Version,
    World,
    deliver,
    moved,
    not_pending,
    version_id,
)


@dataclass(frozen=True)
class Moment:
    """A state, and where in its rotations the service is.

    step: what it will call next; None where no rotation is under way. begun: rotations so far. faults: how many are left
    """

    state: State
    step: str | None
    begun: int
    faults: int


@dataclass(frozen=True)
class Found:
    """What a search has found. steps: calls of the function. complaint: the broken promise and its trace, if any."""

    states: int
    steps: int
    complaint: str | None


def explore(kind: Kind, *, rotations: int, faults: int) -> Found:
    """Every state of so many rotations with so many faults; the shortest way to a broken promise, if there is one."""
    start = Moment(kind.first, None, 0, faults)
    came: dict[Moment, tuple[Moment, str] | None] = {start: None}
    waiting, steps = deque([start]), 0
    with _in_memory():
        while waiting:
            moment = waiting.popleft()
            try:
                for said, after, called in _next(kind, moment, rotations):
                    steps += called
                    if after not in came:
                        came[after] = (moment, said)
                        waiting.append(after)
            except Complaint as complaint:
                return Found(len(came), steps, _trace(came, moment, str(complaint)))
    return Found(len(came), steps, None)


class Complaint(Exception):
    """A promise is broken."""


def _next(kind: Kind, moment: Moment, rotations: int) -> Iterator[tuple[str, Moment, int]]:
    """(what happens, what is then, how many calls of the function it took)."""
    if moment.step is None:
        if moment.begun < rotations:
            yield _rotate(moment)
    else:
        yield from _deliveries(kind, moment)
    if moment.faults:
        yield from _operator(moment)


def _rotate(moment: Moment) -> tuple[str, Moment, int]:
    """RotateSecret: AWSPENDING on a new, empty version; where an earlier rotation is not complete, that one again."""
    state, pending = moment.state, moment.state.holder("AWSPENDING")
    if pending is not None and "AWSCURRENT" not in pending.labels:
        return "RotateSecret: the same rotation goes on", replace(moment, step=STEPS[0]), 0
    token = version_id(moment.begun + 1)
    versions = (*not_pending(state.versions), Version(token, None, frozenset({"AWSPENDING"})))
    after = Moment(replace(state, versions=versions), STEPS[0], moment.begun + 1, moment.faults)
    return "RotateSecret", after, 0


def _deliveries(kind: Kind, moment: Moment) -> Iterator[tuple[str, Moment, int]]:
    """The step without a fault, which must succeed; then with each fault at each of its calls."""
    assert moment.step is not None
    token = version_id(moment.begun)
    calm, error = _delivered(kind, moment, token, None)
    if error is not None:
        raise Complaint(f"{moment.step}, without any fault, fails: {error}")
    if moment.step == STEPS[-1] and calm.state.orphans():
        raise Complaint(f"{moment.step}, without any fault, leaves {len(calm.state.orphans())} keys that nobody holds.")
    yield moment.step, _then(moment, calm.state, moment.faults), 1
    if not moment.faults:
        return
    for number, what in enumerate(calm.said, 1):
        for how in HOW:
            if how == "policy" and "password" not in what:
                continue
            world, error = _delivered(kind, moment, token, Fault(number, how))
            said = f"{moment.step}: {how} at call {number}, {what}"
            if error is None:
                yield said, _then(moment, world.state, moment.faults - 1), 1
                continue
            pending = world.state.holder("AWSPENDING")
            over = pending is None or pending.id != token
            # The service tries again from createSecret, with the same token; or nobody does, until the next RotateSecret.
            for step in (None,) if over else (STEPS[0], None):
                yield said, replace(moment, state=world.state, step=step, faults=moment.faults - 1), 1


def _then(moment: Moment, state: State, faults: int) -> Moment:
    """After a step that succeeded; after the last one AWSCURRENT works, whatever the strategy."""
    assert moment.step is not None
    if moment.step == STEPS[-1] and not state.works(state.holder("AWSCURRENT")):
        raise Complaint("The rotation has ended, and AWSCURRENT is refused.")
    following = STEPS[STEPS.index(moment.step) + 1 :]
    return Moment(state, following[0] if following else None, moment.begun, faults)


def _delivered(kind: Kind, moment: Moment, token: str, fault: Fault | None) -> tuple[World, str | None]:
    try:
        assert moment.step is not None
        return deliver(kind, moment.state, moment.step, token, fault)
    except Broken as broken:
        how = f" ({fault.how} at call {fault.call})" if fault else ""
        raise Complaint(f"{moment.step}{how}: {broken}") from None


def _operator(moment: Moment) -> Iterator[tuple[str, Moment, int]]:
    """What people do, in mid-rotation and between: give a rotation up, put AWSCURRENT's value again, go back."""
    state, left = moment.state, moment.faults - 1
    pending, current, previous = map(state.holder, ("AWSPENDING", "AWSCURRENT", "AWSPREVIOUS"))
    assert current is not None
    if pending is not None and pending is not current:
        off = not_pending(state.versions)
        yield (
            "an operator takes AWSPENDING off",
            replace(moment, state=replace(state, versions=off), step=None, faults=left),
            0,
        )
        if state.works(current):
            by_hand = Version(version_id(len(state.versions), "h"), current.value, frozenset())
            put = moved((*off, by_hand), by_hand.id)
            yield (
                "an operator puts AWSCURRENT's value again",
                replace(moment, state=replace(state, versions=put), step=None, faults=left),
                0,
            )
    if previous is not None and state.works(previous) and (pending is None or pending is current):
        back = not_pending(moved(state.versions, previous.id))
        yield (
            "an operator goes back to AWSPREVIOUS",
            replace(moment, state=replace(state, versions=back), step=None, faults=left),
            0,
        )


def _trace(came: dict[Moment, tuple[Moment, str] | None], moment: Moment, complaint: str) -> str:
    """What happened, in order, in plain words."""
    lines, at = [complaint], came[moment]
    while at is not None:
        moment, said = at
        lines.append(said)
        at = came[moment]
    return "\n".join(reversed(lines))


@contextmanager
def _in_memory() -> Iterator[None]:
    """No waiting; passwords in order; the admin is allowed."""
    counter = iter(range(1, 1_000_000_000))

    def make(_recipe: object) -> str:
        return f"new-password-{next(counter)}"

    with (
        mock.patch("common.password.PasswordRecipe.make", make),
        mock.patch("time.sleep", return_value=None),
        mock.patch.dict(os.environ, {"ADMIN_SECRETS": ADMIN_ARN}, clear=True),
    ):
        yield
