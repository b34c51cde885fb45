"""What is promised at the end of a step: that it succeeds without a fault, and what has been tidied up then."""

from dataclasses import replace

from common.errors import RotationError
from common.event import STEPS
from testkit.explorer import acts
from testkit.explorer.faults import LIMITS
from testkit.explorer.moment import Moment, Search
from testkit.explorer.server import CLONE_HOLDS_MORE
from testkit.explorer.world import Kind, State


class Complaint(Exception):
    """A promise is broken."""


def after_finish(kind: Kind, moment: Moment, state: State, *, calm: bool) -> State:
    """AWSCURRENT works, AWSPREVIOUS where that is promised, and no key is nobody's. calm: without a fault."""
    if state.disturbed or state.excused in LIMITS or (state.excused and _done_before(moment)):
        return state
    if not state.works(state.holder("AWSCURRENT")):
        raise Complaint("The rotation has ended, and AWSCURRENT is refused.")
    if moment.state.excused:  # it has recovered from that
        return state
    previous = state.works(state.holder("AWSPREVIOUS"))
    if calm and kind.ends_previous and not _done_before(moment) and not previous:
        raise Complaint("The rotation has ended, and AWSPREVIOUS is refused.")
    if calm and (orphans := state.orphaned_keys()):
        raise Complaint(f"The rotation has ended, and leaves {len(orphans)} keys that nobody holds.")
    if calm and not _done_before(moment) and (orphans := state.orphaned_passwords()):
        raise Complaint(f"The rotation has ended, and leaves {len(orphans)} passwords that nobody holds.")
    return replace(state, keeps=previous and kind.ends_previous is not None)


def _done_before(moment: Moment) -> bool:
    """G3: an earlier delivery has moved AWSCURRENT already."""
    current = moment.state.holder("AWSCURRENT")
    return current is not None and current.id == moment.token


def refused_for_a_reason(search: Search, moment: Moment, state: State, error: RotationError, said: str) -> Moment:
    """A step that fails without a fault: only where the docs say so, and then its remedy helps. said: the step, and what lagged."""
    failed = replace(moment, state=state)
    if remedied := _remedied(state, error):
        return replace(failed, state=remedied, step=STEPS[0])
    if _gives_up(search.kind, moment, state, error):
        return replace(failed, step=None, gave_up=True)
    if search.beyond and (remedied := _remedied_beyond(state, error)):
        return replace(failed, state=remedied, step=None)
    raise Complaint(f"{said}{', without any fault,' if said == moment.step else ''} fails: {error}")


def _remedied(state: State, error: RotationError) -> State | None:
    """docs/how-it-works.md, W5, A2: a clone that holds more than its base is refused, and the operator told what to revoke.

    K4: "If nothing may be revoked: `key-limit`", as where a key made by hand is in the way: the operator revokes it
    """
    if error.code in (CLONE_HOLDS_MORE, "takeover-refused"):
        return acts.REVOKE.do(state)
    return acts.MAKE_ROOM.do(state) if error.code == "key-limit" else None


def _gives_up(kind: Kind, moment: Moment, state: State, error: RotationError) -> bool:
    """docs/how-it-works.md, K1, K4: AWSPENDING is taken off where its key is dead, or a key that was never stored is in the way."""
    says = error.code in ("key-limit", "login-rejected")
    return says and kind.sweeps and not moment.gave_up and not state.now.pending(moment.token)


def _remedied_beyond(state: State, error: RotationError) -> State | None:
    """docs/how-it-works.md, "What remains between a look and a change": what a change in that moment may cost.

    A value that was stored late is staged again, and judged by G5: the operator takes AWSPENDING off, as the error says. An
    issued key of AWSCURRENT's was revoked: the operator goes back to AWSPREVIOUS. A key was issued for a version that has
    one, and takes the last place: the operator revokes it
    """
    if error.code == "key-limit":
        return acts.MAKE_MORE_ROOM.do(state)
    if error.code == "pending-differs":
        return acts.TAKE_OFF.do(state)
    return acts.GO_BACK.do(state) if error.code == "login-rejected" else None
