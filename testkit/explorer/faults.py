"""What may go wrong at a call of the function, and which of it is worth trying at which call.

Not tried, as another one leaves the same behind: a death before a call where a delivery may hang, as that may stay so for
ever; a death after a call that another call follows (it is one before that); an answer that is lost of a call that changes
nothing, in two ways; or of one to Secrets Manager, where the step ends at once, but for ListSecretVersionIds.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from testkit.explorer.acts import Act
    from testkit.explorer.delivery import Call
    from testkit.explorer.world import Hung

DIES_BEFORE, DIES_AFTER = "dies before", "dies after"
NOTHING_DONE, ALL_DONE = "gets no answer, nothing done", "gets no answer, all done"
TWICE = "a second delivery of the step, whole, before"
POLICY = "the server's policy refuses"
HANGS = "hangs before"
LAGS, LAGS_ON = "reads as of before the last write, once,", "reads as of before the last write from here on,"
STALLS = "stalls between its guard and"

STALLED = "a delivery stalls between its guard and its change"
"""A limit: docs/how-it-works.md, "What remains between a look and a change", the first. The delivery stops after
`clock.before_change` has let it through and before the change is made, and goes on in another rotation: nothing can stop
it there."""
MOVED = "somebody takes AWSPENDING off in the middle of an issued key's finishSecret"
"""A limit: docs/how-it-works.md, "What remains between a look and a change", the second. An earlier rotation's sweep, which
goes on in that very moment, sees a version without a label, and revokes the key that is promoted a moment later."""

LIMITS = frozenset({STALLED, MOVED})


@dataclass(frozen=True)
class Fault:
    """What goes wrong at the call with this number (from 1).

    act: somebody does this before it. goes_on: a hung delivery does. limit: the documented limit that this goes beyond
    """

    call: int
    how: str
    act: "Act | None" = None
    goes_on: "Hung | None" = None
    limit: str = ""
    cost: int = 1


def at(call: "Call", number: int, *, last: bool) -> Iterator[Fault]:
    """The faults of this call. last: no other call follows."""
    changes = call.sort in ("write", "change")
    yield Fault(number, TWICE)
    yield Fault(number, DIES_BEFORE if call.harmless or call.guarded else HANGS)
    if last:
        yield Fault(number, DIES_AFTER)
    if changes:
        yield Fault(number, STALLS, limit=STALLED)
    if call.what.startswith("the ") or "ListSecretVersionIds" in call.what:
        yield Fault(number, NOTHING_DONE)
        if changes:
            yield Fault(number, ALL_DONE)
    if call.sort == "change" and "password" in call.what:
        yield Fault(number, POLICY)
    if call.lags:
        yield Fault(number, LAGS)
        yield Fault(number, LAGS_ON)


ENDS = frozenset({DIES_BEFORE, DIES_AFTER, HANGS, STALLS})  # after these the delivery makes no further call
