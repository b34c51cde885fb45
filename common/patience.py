"""Trying again: what Secrets Manager may just not show yet, and servers that are away for a moment."""

import time
from collections.abc import Callable
from typing import TypeVar

from common import clock
from common.errors import NotRotatable, TargetUnavailable

T = TypeVar("T")
RETRY_PAUSE = 1.0  # seconds before the one retry of a server that was unavailable
# Reads of Secrets Manager may lag behind its writes: seconds before each further look at what may just not be seen yet.
LAG_PAUSES = (0.2, 0.5, 1.0)
# G2, G4, a pending value that is missing; and AWSCURRENT that was just moved.
LAGGING = {"version-unknown", "version-not-pending", "version-empty", "too-late"}


def patiently(read: Callable[[], T]) -> T:
    """Read once more, up to three times within 2 s, where what is missing may only not be seen yet."""
    for pause in LAG_PAUSES:
        try:
            return read()
        except NotRotatable as error:
            if error.code not in LAGGING:
                raise
        time.sleep(pause)
    return read()


def retried(act: Callable[[], T]) -> T:
    """Once more where the server was unavailable and time is left: acting again is safe, every step finds out anew."""
    try:
        return act()
    except TargetUnavailable as unavailable:
        if clock.left() < 2 * RETRY_PAUSE:
            raise
        first = unavailable
    time.sleep(RETRY_PAUSE)
    try:
        return act()
    except TargetUnavailable as unavailable:
        # "Out of time" on the second try would hide what was wrong on the first.
        raise first if unavailable.code == "out-of-time" else unavailable from None
