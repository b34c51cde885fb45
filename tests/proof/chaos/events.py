"""What may happen to a secret, as values that hypothesis draws and shrinks, and that print as they would be written."""

from collections.abc import Mapping
from dataclasses import dataclass

from hypothesis import strategies as st

from testkit.faults import CUT_AFTER, CUT_BEFORE, ERROR_500, REFUSED, SILENT, THROTTLED, TRANSPORT, Fault, Where
from testkit.simulator.rotations import STEPS

# What people do, in mid-rotation or between two.
CANCEL, PUT_AGAIN, PENDING_OFF = (
    "an operator calls CancelRotateSecret",
    "an operator puts AWSCURRENT's value with another note",
    "an operator takes AWSPENDING off",
)
GO_BACK, GRANT, REVOKE = (
    "an operator goes back to AWSPREVIOUS",
    "a right is granted to the base user",
    "a right is revoked from the base user",
)
IN_MID_ROTATION = (CANCEL, PUT_AGAIN, PENDING_OFF)
RESTART = "and the server ends every connection"  # PostgreSQL: it crashes, and starts again
SHUT_DOWN = "and the server is shut down, and started again"  # MySQL, MariaDB; any other: as above
DELIVERED_INSIDE = "waits while the same step is delivered once more"
REPEATED = (THROTTLED, ERROR_500, CUT_BEFORE, CUT_AFTER, REFUSED)  # to several messages in a row
# How a step is delivered.
AT_ONCE, AGAIN, AN_OLD_ONE = "is delivered twice at once", "is delivered again", "comes after one of another time"


@dataclass(frozen=True)
class Trouble:
    """What happens at a step of a rotation. time: at its first try (1) or a later one. fault: at a message; else how it is called."""

    step: str
    what: Fault | str
    time: int = 1


@dataclass(frozen=True)
class Rotate:
    """RotateSecret, with what happens meanwhile. tries: by the service. stale_reads: in each step."""

    troubles: tuple[Trouble, ...] = ()
    tries: int = 3
    stale_reads: int = 0

    @property
    def undisturbed(self) -> bool:
        """Whether nothing goes wrong."""
        return not self.troubles and not self.stale_reads


@dataclass(frozen=True)
class Do:
    """Something between two rotations."""

    what: str


Happening = Rotate | Do
Messages = Mapping[tuple[str, Where], int]
# At how many messages of a step a fault may be drawn: as many as a calm rotation sends, the first or the second. They are
# not counted in the very run, or its seed would not repeat it. A message that never comes is no fault.
_ONE_USER: Messages = {
    ("createSecret", "Secrets Manager"): 3,
    ("setSecret", "Secrets Manager"): 3,
    ("setSecret", "the server"): 13,
    ("testSecret", "Secrets Manager"): 2,
    ("testSecret", "the server"): 12,
    ("finishSecret", "Secrets Manager"): 2,
}
_TWO_USERS: Messages = {**_ONE_USER, ("setSecret", "Secrets Manager"): 4, ("setSecret", "the server"): 40}
_KEYS: Messages = {
    ("createSecret", "Secrets Manager"): 4,
    ("createSecret", "the server"): 4,
    ("setSecret", "Secrets Manager"): 1,
    ("testSecret", "Secrets Manager"): 2,
    ("testSecret", "the server"): 4,
    ("finishSecret", "Secrets Manager"): 7,
    ("finishSecret", "the server"): 12,
}
_ODD: Mapping[str, Messages] = {  # by what scenarios' names begin with
    "redshift, alternating": {("setSecret", "Secrets Manager"): 6, ("setSecret", "the server"): 117},
    "documentdb, alternating": {("setSecret", "the server"): 32},
    "mongodb, alternating": {("setSecret", "the server"): 30},
    "api_key, chosen": {("setSecret", "Secrets Manager"): 4, ("testSecret", "the server"): 4},
    "api_key, issued, ntfy": {("createSecret", "the server"): 8},
}


def messages_of(scenario: str) -> Messages:
    """Of the scenario of this name."""
    keys, two = "issued" in scenario, "alternating" in scenario
    odd = next((messages for name, messages in _ODD.items() if scenario.startswith(name)), {})
    return {**(_KEYS if keys else _TWO_USERS if two else _ONE_USER), **odd}


def happenings(messages: Messages, *, rights: bool) -> st.SearchStrategy[list[Happening]]:
    """Up to six, of a scenario whose steps send so many messages. rights: whether the base user's can change."""
    between = [PUT_AGAIN, PENDING_OFF, GO_BACK, CANCEL, *([GRANT, REVOKE] if rights else [])]
    meanwhile = [*IN_MID_ROTATION, *([GRANT] if rights else [])]
    troubles = st.lists(
        _troubles(messages, meanwhile), min_size=1, max_size=5, unique_by=lambda one: (one.step, one.time)
    )
    rotate: st.SearchStrategy[Happening] = st.builds(
        Rotate, troubles.map(tuple), st.sampled_from([3, 1]), st.sampled_from([0, 0, 0, 1, 2])
    )
    do: st.SearchStrategy[Happening] = st.builds(Do, st.sampled_from(between))
    return st.lists(st.one_of(rotate, rotate, rotate, do, st.just(Rotate())), min_size=2, max_size=6)


def _troubles(messages: Messages, acts: list[str]) -> st.SearchStrategy[Trouble]:
    """At a message, or by the delivery; mostly at the first try of a step."""
    faults = st.sampled_from(sorted(messages)).flatmap(lambda point: _faults(*point, messages[point], acts))
    time = st.sampled_from([1, 1, 1, 2, 3])
    delivered = st.sampled_from([AGAIN, AT_ONCE, AN_OLD_ONE, *acts])
    at_a_message = faults.flatmap(lambda found: st.builds(Trouble, st.just(found[0]), st.just(found[1]), time))
    return st.one_of(
        at_a_message, at_a_message, at_a_message, st.builds(Trouble, st.sampled_from(STEPS), delivered, time)
    )


def _faults(step: str, where: Where, messages: int, acts: list[str]) -> st.SearchStrategy[tuple[str, Fault]]:
    whats = [*TRANSPORT, RESTART, SHUT_DOWN, DELIVERED_INSIDE, *acts]
    if where == "Secrets Manager":
        whats = [THROTTLED, ERROR_500, SILENT, *TRANSPORT, DELIVERED_INSIDE, *acts]
    return st.builds(
        lambda message, what, times: (step, Fault(where, message, what, times if what in REPEATED else 1)),
        st.integers(1, messages),
        st.sampled_from(whats),
        st.sampled_from([1, 2, 5]),
    )


def plain(happening: Happening) -> str:
    """In words."""
    if isinstance(happening, Do):
        return happening.what
    tries = "" if happening.tries > 1 else ", and the service does not try again"
    stale = f", {happening.stale_reads} stale reads in each step" if happening.stale_reads else ""
    return f"RotateSecret{stale}{tries}"


def said(trouble: Trouble) -> str:
    """In words."""
    fault = trouble.what
    if isinstance(fault, str):
        return fault
    more = f" ({fault.times} of them)" if fault.times > 1 else ""
    return f"message {fault.message} to {fault.where} {fault.what}{more}"
