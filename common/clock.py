"""The time that an invocation has left.

Lambda ends a function without a word when its time is up, so nothing may wait longer than what is left, less a margin
in which to report. The end of the invocation is ambient: whoever waits asks `at_most`.
"""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from common.errors import TargetUnavailable

MARGIN = 2.0  # seconds, to write the log line and answer
_end: ContextVar[float] = ContextVar("end", default=math.inf)


@contextmanager
def until_timeout(seconds: float) -> Iterator[None]:
    """Inside, nobody waits past `seconds` from now, less the margin."""
    token = _end.set(time.monotonic() + seconds - MARGIN)
    try:
        yield
    finally:
        _end.reset(token)


def left() -> float:
    """Seconds that are left; infinite outside an invocation."""
    return _end.get() - time.monotonic()


def at_most(seconds: float) -> float:
    """`seconds`, or what is left if that is less; TargetUnavailable if nothing is."""
    allowed = min(seconds, left())
    if allowed <= 0:
        raise TargetUnavailable(
            "out-of-time",
            "The function's time is up before the server has answered.",
            "Give the function a longer timeout (30 s is enough for a server that answers), then rotate again.",
        )
    return allowed
