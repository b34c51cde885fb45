"""Lambda functions as the simulator calls them."""

import contextlib
import io
import json
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TextIO

import urllib3


@dataclass(frozen=True)
class Invocation:
    """What came of one call.

    error: "Type: message", None where it returned. log: what the function printed.
    """

    error: str | None
    log: str
    seconds: float

    def records(self) -> list[dict[str, Any]]:
        """The lines of the log that are JSON objects: structured log lines and embedded metrics."""
        lines = [json.loads(line) for line in self.log.splitlines() if line.startswith("{")]
        return [line for line in lines if isinstance(line, dict)]


class Function(Protocol):
    """A function that the simulator can call."""

    @property
    def arn(self) -> str:
        """What RotateSecret names."""
        ...

    def invoke(self, event: Mapping[str, str]) -> Invocation:
        """Call it once, synchronously."""
        ...


@dataclass(frozen=True)
class Context:
    """Lambda's context object, as far as rotation functions use it."""

    function_name: str
    invoked_function_arn: str
    end: float
    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds that are left."""
        return max(0, round((self.end - time.monotonic()) * 1000))


@dataclass(frozen=True)
class PythonFunction:
    """A Python handler in this process. What it prints is kept, as Lambda keeps it. timeout: seconds."""

    arn: str
    handler: Callable[[Any, Any], object]
    timeout: float = 30

    def invoke(self, event: Mapping[str, str]) -> Invocation:
        """Call the handler with an event of its own and a context; an exception is a failed invocation."""
        started = time.monotonic()
        context = Context(self.arn.rpartition(":")[2], self.arn, started + self.timeout)
        error = None
        with _captured() as log:
            try:
                self.handler(dict(event), context)
            except Exception as failure:  # noqa: BLE001  whatever it is, Lambda reports it
                error = f"{type(failure).__name__}: {failure}"
        seconds = time.monotonic() - started
        if seconds > self.timeout:
            error = f"Task timed out after {self.timeout:.2f} seconds"  # Lambda would have ended it then
        return Invocation(error, log.getvalue(), seconds)


@dataclass(frozen=True)
class HttpFunction:
    """A function behind Lambda's Invoke API, as its runtime interface emulator and `sam local start-lambda` serve it.

    Called once at a time: parallel requests make the emulator panic. printed: what the function has printed since it was
    asked last. timeout: seconds that this end waits, more than the function's own
    """

    arn: str
    url: str
    printed: Callable[[], str] = lambda: ""
    timeout: float = 120
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def invoke(self, event: Mapping[str, str]) -> Invocation:
        """POST the event."""
        with self._one_at_a_time:
            self.printed()
            started = time.monotonic()
            try:
                answer = urllib3.request("POST", self.url, json=event, timeout=self.timeout, retries=False)
            except urllib3.exceptions.HTTPError as failure:
                error: str | None = f"Runtime.Unknown: no answer ({type(failure).__name__})"
            else:
                error = _answered_error(answer.status, answer.data.decode(errors="replace"))
            return Invocation(error, self.printed(), time.monotonic() - started)


_ENDED = "Runtime.ExitError: the runtime ended while it answered"


def _answered_error(status: int, body: str) -> str | None:
    """What the Invoke API's answer says went wrong: an object with errorMessage, or a text where the runtime ended."""
    try:
        said = json.loads(body or "null")
    except ValueError:
        # A text where it was ended, by a time-out; or an answer that the runtime's death cut off.
        return body.strip() if status == 200 and body.strip() else _ENDED
    if isinstance(said, dict) and "errorMessage" in said:
        return f"{said.get('errorType', 'Error')}: {said['errorMessage']}"
    return None if status == 200 else _ENDED


class _ByThread(io.TextIOBase):
    """A stdout that keeps what a thread prints while it runs a function, and passes on what others print."""

    def __init__(self, real: TextIO) -> None:
        self.real, self.logs = real, dict[int, io.StringIO]()

    def write(self, text: str) -> int:
        """To this thread's log, else to the real stdout."""
        return self.logs.get(threading.get_ident(), self.real).write(text)

    def flush(self) -> None:
        """Likewise."""
        self.logs.get(threading.get_ident(), self.real).flush()


_capturing = threading.Lock()


@contextlib.contextmanager
def _captured() -> Iterator[io.StringIO]:
    """What this thread prints inside; several threads may capture at once."""
    log, me = io.StringIO(), threading.get_ident()
    with _capturing:
        if not isinstance(sys.stdout, _ByThread):
            sys.stdout = _ByThread(sys.stdout)
        stdout = sys.stdout
        stdout.logs[me] = log
    try:
        yield log
    finally:
        with _capturing:
            del stdout.logs[me]
            if not stdout.logs and sys.stdout is stdout:
                sys.stdout = stdout.real
