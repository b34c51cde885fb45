"""The time that an invocation has left.

Lambda ends a function without a word when its time is up, so nothing may wait longer than what is left, less a margin
in which to report. The end of the invocation is ambient: whoever waits asks `at_most`.
"""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from common.errors import TargetUnavailable

GUARD_AGAIN = 5.0  # seconds after which a step makes sure that it is still wanted
MARGIN = 2.0  # seconds, to write the log line and answer
_end: ContextVar[float] = ContextVar("end", default=math.inf)
_start: ContextVar[float] = ContextVar("start", default=math.inf)
_guard: ContextVar[Callable[[], None]] = ContextVar("guard", default=lambda: None)


@contextmanager
def until_timeout(seconds: float) -> Iterator[None]:
    """Inside, nobody waits past `seconds` from now, less the margin."""
    now = time.monotonic()
    start, end = _start.set(now), _end.set(now + seconds - MARGIN)
    try:
        yield
    finally:
        _start.reset(start)
        _end.reset(end)


@contextmanager
def guarded_by(guard: Callable[[], None]) -> Iterator[None]:
    """Inside, `before_change` calls this guard, which raises where the step must not act any more."""
    token = _guard.set(guard)
    try:
        yield
    finally:
        _guard.reset(token)


def before_change() -> None:
    """Every target calls this directly before it changes anything, after it has logged in.

    A delivery that hung (a slow login, a frozen process) must not act in the next rotation: a step that has been under
    way for long guards again.
    """
    if time.monotonic() - _start.get() > GUARD_AGAIN:
        _guard.get()()


def left() -> float:
    """Seconds that are left; infinite outside an invocation."""
    return _end.get() - time.monotonic()


def at_most(seconds: float) -> float:
    """`seconds`, or what is left if that is less; TargetUnavailable if nothing is."""
    allowed = min(seconds, left())
    if allowed <= 0:
        raise out_of_time()
    return allowed


def out_of_time() -> TargetUnavailable:
    """The error for too little time that is left."""
    return TargetUnavailable(
        "out-of-time",
        "The function's time is up before the server has answered.",
        "Give the function a longer timeout (30 s is enough for a server that answers), then rotate again.",
    )
