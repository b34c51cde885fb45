"""Forks a process for each invocation from one that has the function imported: run as a script, MODULE:HANDLER.

It says {"ready": true} first. Each line on stdin is {"event": …, "seconds": …}; the answer is a line {"pid": …} at once,
and a line {"error": …, "log": …} when that process has ended, by itself or by a signal.
"""

import contextlib
import importlib
import io
import json
import os
import sys
import time
import traceback
from typing import Any, TextIO

from testkit.warm.runtime import Context

ANSWERS: TextIO
HASTE = 20  # the function's own pauses are so many times as short: they prove nothing here, and come thousands of times


def main(handler: Any) -> None:
    """Serve invocations until stdin ends."""
    pause = time.sleep
    time.sleep = lambda seconds: pause(float(seconds) / HASTE)
    _warm_up(handler)
    _tell({"ready": True})
    for line in sys.stdin:
        asked = json.loads(line)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            _invoke(handler, asked, writing)
        os.close(writing)
        _tell({"pid": child})
        with os.fdopen(reading) as log:
            text = log.read()
        _, status = os.waitpid(child, 0)
        error = text.rpartition("\nERROR ")[2].strip() if "\nERROR " in text else None
        if os.WIFSIGNALED(status):
            error = f"Runtime.ExitError: signal {os.WTERMSIG(status)}"
        _tell({"error": error, "log": text})


def _warm_up(handler: Any) -> None:
    """One event that comes to nothing, so that what boto loads at its first call is there before the first fork."""
    event = {"Step": "createSecret", "SecretId": "warm-up", "ClientRequestToken": "0" * 32}
    with contextlib.suppress(Exception), contextlib.redirect_stdout(io.StringIO()):
        handler(event, Context(30))


def _invoke(handler: Any, asked: dict[str, Any], writing: int) -> None:
    """In the child: stdout is the function's log; what it raises is the log's last line."""
    sys.stdout = os.fdopen(writing, "w")
    try:
        handler(asked["event"], Context(asked["seconds"]))
    except Exception as error:  # noqa: BLE001  whatever it is, Lambda reports it
        print(f"\nERROR {''.join(traceback.format_exception_only(error)).strip()}")
    sys.stdout.flush()
    os._exit(0)


def _tell(answer: dict[str, Any]) -> None:
    ANSWERS.write(json.dumps(answer) + "\n")
    ANSWERS.flush()


if __name__ == "__main__":
    ANSWERS = sys.stdout
    module, _, attribute = sys.argv[1].partition(":")
    main(getattr(importlib.import_module(module), attribute))
