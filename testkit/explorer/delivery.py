"""One delivery of a step: a call of the real engine, with what goes wrong at which of its calls.

A delivery that hangs is kept as the answers that it has had; to let it go on, the engine is run again with these, and
asks the world from there on. Time goes by where it hung, so `clock.before_change` guards again, as it does in Lambda.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from common import clock, redaction
from common.engine import Report, run_step
from common.errors import PolicyRefused, RotationError, StoreError, TargetUnavailable
from common.event import Event
from testkit.explorer import faults
from testkit.explorer.answers import Answer, answered
from testkit.explorer.faults import Fault
from testkit.explorer.store import ARN, Store
from testkit.explorer.world import Hung, Kept, World

T = TypeVar("T")
ELAPSED: ContextVar[float] = ContextVar("elapsed", default=0.0)  # seconds that this delivery has been under way
LATE = 60.0  # seconds


class Gone(BaseException):
    """The function is gone, or hangs: nothing of it runs on, not even its handlers of errors. hung: what is left of it."""

    def __init__(self, hung: Hung | None = None) -> None:
        super().__init__(hung)
        self.hung = hung


@dataclass(frozen=True)
class Call:
    """A call that a delivery has made. sort: "read" and "write" of Secrets Manager, "look" and "change" at the server.

    lags: a read that is answered as of before the last write would be answered otherwise. guarded: a change right after
    the guard has been asked again, as time had gone by. harmless: of a step that changes nothing
    """

    what: str
    sort: str
    lags: bool = False
    guarded: bool = False
    harmless: bool = False


@dataclass
class Delivery:
    """A delivery in a world. resumed: what it has lived through where it goes on late."""

    world: World
    step: str
    token: str
    faults: tuple[Fault, ...] = ()
    resumed: Hung | None = None
    calls: list[Call] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    lagging: Kept | None = None

    def run(self) -> RotationError | str | None:
        """The error; "gone" where it died or hangs; None where it succeeded."""
        world = self.world
        if self.step == world.kind.ends_previous and not self.resumed:
            world.state = replace(world.state, keeps=False)
        strategy = world.kind.make(self)
        store: Any = Store(self)
        elapsed = ELAPSED.set(0.0)
        world.running.append(self)
        try:
            with redaction.invocation(), clock.until_timeout(math.inf):
                event = Event(self.step, ARN, self.token)
                run_step(event, store, lambda _: (strategy,), Report("explored"))
        except RotationError as error:
            return error
        except Gone as gone:
            if gone.hung:
                world.state = replace(world.state, hung=(*world.state.hung, gone.hung))
            return "gone"
        finally:
            world.running.pop()
            ELAPSED.reset(elapsed)
        return None

    def read(self, what: str, look: Callable[[Kept], Any]) -> Any:
        """Read Secrets Manager: as it is; or as it was before the last write, where this read lags."""
        state = self.world.state
        now = answered(lambda: look(state.now))
        call = Call(
            f"Secrets Manager: {what}",
            "read",
            lags=now != answered(lambda: look(state.before)),
            harmless=self._harmless,
        )
        return self._call(call, lambda: look(self.lagging or self.world.state.now))

    def write(self, what: str, act: Callable[[], Any]) -> Any:
        """Write to Secrets Manager."""
        return self._call(Call(f"Secrets Manager: {what}", "write", guarded=self._guarded), act)

    def look(self, what: str, act: Callable[[], Any]) -> Any:
        """Ask the server."""
        return self._call(Call(what, "look", harmless=self._harmless), act)

    def change(self, what: str, act: Callable[[], Any]) -> Any:
        """Change something at the server; the guard stands directly before it, as in every target."""
        clock.before_change()
        return self._call(Call(what, "change", guarded=self._guarded), act)

    @property
    def _guarded(self) -> bool:
        """Whether the guard stands directly before what comes next: asked again, or where a delivery has stalled."""
        stalled = self.resumed and self.resumed.stalled and len(self.calls) == len(self.resumed.answers)
        return ELAPSED.get() > 0 or bool(stalled)

    @property
    def _harmless(self) -> bool:
        return self.step == "testSecret"

    def _call(self, call: Call, act: Callable[[], Any]) -> Any:
        self.calls.append(call)
        number = len(self.calls)
        known = self.resumed.answers if self.resumed else ()
        answer = known[number - 1] if number <= len(known) else self._live(number, call, act)
        self.answers.append(answer)
        if self.resumed and number == self.resumed.late:
            ELAPSED.set(LATE)
        return answer.given()

    def _live(self, number: int, call: Call, act: Callable[[], Any]) -> Answer:
        """A call that is made now: the fault where it is this one's turn, and the promise looked at after it."""
        self.world.note_instant()
        with self._faulty(number) as how:
            if how == faults.POLICY:
                return Answer(None, PolicyRefused, "password-refused")
            if how == faults.NOTHING_DONE:
                return _lost(call)
            answer = answered(act)
            self.world.keep_the_promise()
            if how == faults.DIES_AFTER:
                raise Gone
            return _lost(call) if how == faults.ALL_DONE else answer

    @contextmanager
    def _faulty(self, number: int) -> Iterator[str | None]:
        """What happens before the call, and how the call itself goes."""
        fault = next((one for one in self.faults if one.call == number), None)
        how, world = fault.how if fault else None, self.world
        if how == faults.DIES_BEFORE:
            raise Gone
        if how in (faults.HANGS, faults.STALLS):
            raise Gone(self.as_hung(stalled=how == faults.STALLS))
        if fault and fault.limit:
            world.state = replace(world.state, excused=fault.limit, keeps=False)
        if how == faults.TWICE:
            Delivery(world, self.step, self.token).run()
        if fault and fault.goes_on is not None:
            go_on(world, fault.goes_on).run()
        if fault and fault.act:
            world.state = replace(fault.act.do(world.state) or world.state, disturbed=True)
        lagged = self.lagging
        if how in (faults.LAGS, faults.LAGS_ON):
            self.lagging = world.state.before
        try:
            yield how
        finally:
            if how == faults.LAGS:
                self.lagging = lagged

    def as_hung(self, *, stalled: bool = False) -> Hung:
        """How far it has come, which is what is kept of it where it hangs. Where it has hung before, the time went by then."""
        late = self.resumed.late if self.resumed and self.resumed.answers else len(self.answers) + stalled
        return Hung(self.step, self.token, tuple(self.answers), late, stalled)


def go_on(world: World, hung: Hung, more: tuple[Fault, ...] = ()) -> Delivery:
    """A delivery that hung, taken out of the state: run it, and it goes on."""
    left = list(world.state.hung)
    left.remove(hung)
    world.state = replace(world.state, hung=tuple(left))
    if hung.stalled:
        world.state = replace(world.state, disturbed=True, excused=faults.STALLED, keeps=False)
    return Delivery(world, hung.step, hung.token, more, hung)


def _lost(call: Call) -> Answer:
    return Answer(None, StoreError if call.sort in ("read", "write") else TargetUnavailable, "answer-lost")
