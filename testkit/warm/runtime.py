"""The process of a warm function: run as a script, MODULE:HANDLER. It imports no more than the function does.

It says {"ready": true} first. Each line on stdin is {"event": …, "seconds": …}; the answer is a line {"error": …, "log": …}.
"""

import contextlib
import importlib
import io
import json
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any


class Context:
    """Lambda's context, as far as it is used."""

    aws_request_id = "testkit"
    function_name = "testkit"

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds that are left."""
        return max(0, round((self._end - time.monotonic()) * 1000))


def main(handler: Callable[[Any, Any], object]) -> None:
    """Serve invocations until stdin ends."""
    answers = sys.stdout
    print(json.dumps({"ready": True}), file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(_answer(handler, json.loads(line))), file=answers, flush=True)


def _answer(handler: Callable[[Any, Any], object], asked: dict[str, Any]) -> dict[str, str | None]:
    error = None
    with contextlib.redirect_stdout(io.StringIO()) as log:
        try:
            handler(asked["event"], Context(asked["seconds"]))
        except Exception as failure:  # noqa: BLE001  whatever it is, Lambda reports it
            error = "".join(traceback.format_exception_only(failure)).strip()
    return {"error": error, "log": log.getvalue()}


if __name__ == "__main__":
    module, _, attribute = sys.argv[1].partition(":")
    main(getattr(importlib.import_module(module), attribute))
