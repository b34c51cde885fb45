"""The search: from each state on, all that the service, an operator or bad luck may do next."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from common.errors import RotationError
from common.event import STEPS
from testkit.explorer import faults
from testkit.explorer.delivery import Delivery, go_on
from testkit.explorer.faults import LIMITS, Fault
from testkit.explorer.memory import in_memory
from testkit.explorer.moment import Moment, Search, rotated
from testkit.explorer.promises import Complaint, after_finish, refused_for_a_reason
from testkit.explorer.world import Broken, Hung, Kind, State, World

Next = tuple[str, Moment]
Make = Callable[[tuple[Fault, ...]], Delivery]


@dataclass(frozen=True)
class Found:
    """What a search has found.

    states: between two steps, of the world and of the service. inner: of the world and the function that runs in it, before
    any of its calls. calls: of the function. complaint: the broken promise and its trace, if any
    """

    states: int
    inner: int
    calls: int
    complaint: str | None


def explore(search: Search) -> Found:
    """Every state that can be reached; the shortest way to a broken promise, if there is one."""
    start = Moment(search.kind.first, None, "", 0, search.faults)
    came: dict[Moment, tuple[Moment, str] | None] = {start: None}
    waiting, counted = deque([start]), Counted()
    with in_memory():
        while waiting:
            moment = waiting.popleft()
            try:
                for said, after in _next(search, moment, counted):
                    if after not in came:
                        came[after] = (moment, said)
                        waiting.append(after)
            except Complaint as complaint:
                return Found(len(came), len(counted.instants), counted.calls, _trace(came, moment, str(complaint)))
    return Found(len(came), len(counted.instants), counted.calls, None)


@dataclass
class Counted:
    """How often the function was called, and which instants that led through."""

    calls: int = 0
    instants: set[int] = field(default_factory=set)


def _next(search: Search, moment: Moment, counted: Counted) -> Iterator[Next]:
    """(what happens, what is then)."""
    if moment.step is None and moment.begun == search.rotations:
        return
    if moment.step is None:
        yield rotated(moment)
    else:
        yield from _deliveries(search, moment, counted)
    for hung in dict.fromkeys(moment.state.hung):
        yield from _late(search, moment, hung, counted)
    if moment.left:
        yield from _acts(search.kind, moment)


def _deliveries(search: Search, moment: Moment, counted: Counted) -> Iterator[Next]:
    """The step without a fault, which must succeed, as where a read lags and nothing else is wrong; then with each fault at each call."""
    step, token = moment.step or "", moment.token

    def make(what: tuple[Fault, ...]) -> Delivery:
        return Delivery(World(search.kind, moment.state, counted.instants), step, token, what)

    for delivery, error in _runs(search, make, moment.left, counted):
        left = moment.left - _cost(delivery.faults)
        state = delivery.world.state.settled().renamed()
        said = f"{step}{_told(delivery)}"
        if error is None:
            yield said, _succeeded(search.kind, moment, delivery, state, left)
            continue
        if not state.disturbed and (
            not delivery.faults or (moment.left == search.faults and _only_lags(delivery, error))
        ):
            assert isinstance(error, RotationError)
            yield f"{said} fails: {error}", refused_for_a_reason(search, moment, state, error, said)
            continue
        # The service tries again from createSecret, with the same token; or nobody does, until the next RotateSecret.
        failed = replace(moment, state=state, left=left, gave_up=False)
        if state.now.pending(moment.token):
            yield said, failed.trying_again()
        yield said, replace(failed, step=None)


def _only_lags(delivery: Delivery, error: RotationError | str) -> bool:
    """Reads lag, each once, and are looked at again: not whether rotation is enabled, nor a guard that is asked again."""
    lags = all(one.how == faults.LAGS for one in delivery.faults)
    again = (one.call > 1 and "DescribeSecret" in delivery.calls[one.call - 1].what for one in delivery.faults)
    return lags and not any(again) and isinstance(error, RotationError) and error.code != "rotation-disabled"


def _succeeded(kind: Kind, moment: Moment, delivery: Delivery, state: State, left: int) -> Moment:
    """After a step that succeeded."""
    following = STEPS[STEPS.index(delivery.step) + 1 :]
    if not following:
        state = after_finish(kind, moment, state, calm=not delivery.faults)
    step = following[0] if following and state.now.pending(delivery.token) else None
    return replace(moment, state=state, step=step, left=left, gave_up=False)


def _late(search: Search, moment: Moment, hung: Hung, counted: Counted) -> Iterator[Next]:
    """A delivery that hung goes on; nobody hears how it ends. Then the service does what it would have done."""
    state = moment.state

    def make(what: tuple[Fault, ...]) -> Delivery:
        return go_on(World(search.kind, state, counted.instants), hung, what)

    for delivery, _ in _runs(search, make, moment.left, counted):
        after = delivery.world.state.settled().renamed()
        step = moment.step if after.now.pending(moment.token) else None
        if step is None and moment.step is not None and _finished(after, moment.token):
            step = moment.step
        said = f"the {hung.step} of {hung.token.lstrip('0')} that hung goes on{_told(delivery)}"
        left, gave_up = moment.left - _cost(delivery.faults), moment.gave_up and after.excused not in LIMITS
        yield said, replace(moment, state=after, step=step, left=left, gave_up=gave_up)


def _finished(state: State, token: str) -> bool:
    current = state.holder("AWSCURRENT")
    return state.now.enabled and current is not None and current.id == token


def _runs(
    search: Search, make: Make, left: int, counted: Counted
) -> Iterator[tuple[Delivery, RotationError | str | None]]:
    """A delivery without a fault, and with every sequence of them that is left, at all calls that it then makes."""
    todo: list[tuple[Fault, ...]] = [()]
    while todo:
        what = todo.pop()
        delivery = make(what)
        hung, first = delivery.world.state.hung, len(delivery.resumed.answers) if delivery.resumed else 0
        counted.calls += 1
        try:
            error = delivery.run()
        except Broken as broken:
            raise Complaint(f"{delivery.step}{_told(delivery)}: {broken}") from None
        yield delivery, error
        if what and what[-1].how in faults.ENDS:
            continue
        for number in range(max([first, *(one.call for one in what)]) + 1, len(delivery.calls) + 1):
            more = _faults(search, delivery, number, hung)
            allowed = (one for one in more if search.beyond or not one.limit)
            todo += [(*what, one) for one in allowed if _cost(what) + one.cost <= left and _once(what, one)]


def _faults(search: Search, delivery: Delivery, number: int, hung: tuple[Hung, ...]) -> Iterator[Fault]:
    """What may go wrong at this call, what people may do before it, and which delivery that hung may go on before it."""
    call, last = delivery.calls[number - 1], number == len(delivery.calls)
    yield from faults.at(call, number, last=last)
    if number == 1:
        return  # it is as good as between two steps
    sweeping = search.kind.sweeps and any(one.step == "finishSecret" for one in hung)
    limit = faults.MOVED if sweeping and delivery.step == "finishSecret" else ""
    for act in search.kind.acts:
        if act.meanwhile and call.sort != "look":  # a server does not see it
            yield Fault(number, f"{act.said} before", act, limit=limit)
    for one in dict.fromkeys(hung):
        yield Fault(number, f"the {one.step} of {one.token.lstrip('0')} that hung goes on before", goes_on=one, cost=0)


def _once(what: tuple[Fault, ...], one: Fault) -> bool:
    return one.goes_on is None or all(other.goes_on is None for other in what)


def _cost(what: tuple[Fault, ...]) -> int:
    return sum(one.cost for one in what)


def _told(delivery: Delivery) -> str:
    """What went wrong, in plain words."""
    told = (f"{one.how} call {one.call}, {delivery.calls[one.call - 1].what}" for one in delivery.faults)
    return "".join(f"; {text}" for text in told).replace(";", ":", 1)


def _acts(kind: Kind, moment: Moment) -> Iterator[Next]:
    """What people do between two steps."""
    for act in kind.acts:
        after = act.do(moment.state)
        if after is not None and after != moment.state:
            step = moment.step if after.now.pending(moment.token) else None
            yield act.said, replace(moment, state=after.settled().renamed(), step=step, left=moment.left - 1)


def _trace(came: dict[Moment, tuple[Moment, str] | None], moment: Moment, complaint: str) -> str:
    """What happened, in order, in plain words."""
    lines, at = [complaint], came[moment]
    while at is not None:
        moment, said = at
        lines.append(said)
        at = came[moment]
    return "\n".join(reversed(lines))
