"""Calls that may block for as long as they like, given an end.

A look-up by the system's resolver takes 20 s and more where a VPC has no DNS, and boto tries each address of an
endpoint, each time, for its whole time-out: either would use up the function's time and leave no error.
"""

import queue
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def bounded(call: Callable[[], T], seconds: float) -> T:
    """What `call` answers or raises; TimeoutError after `seconds`. Only for reads: a call given up on goes on alone."""
    answers: queue.SimpleQueue[tuple[T | None, Exception | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            answers.put((call(), None))
        except Exception as error:  # noqa: BLE001  whatever it is, it is raised where it is waited for
            answers.put((None, error))

    # A daemon, so that a call that hangs does not keep the function from ending.
    threading.Thread(target=run, daemon=True).start()
    try:
        answer, error = answers.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError from None
    if error is not None:
        raise error
    return answer  # type: ignore[return-value]  # None only where T is
