"""One call of a handler, and all that came out of it: what it printed, as bytes, what it logged, what it raised."""

import contextlib
import importlib.util
import io
import json
import logging
import re
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import boto3
import pytest

from common.handler import Handler
from testkit.simulator.functions import Context
from tests.proof.memory import Memory

ERRORS = Path(__file__).parents[2] / "docs" / "errors.md"
CODES = frozenset(re.findall(r"^\| `([a-z0-9-]+)` \|", ERRORS.read_text(), re.MULTILINE))
ROTATORS = ("postgres", "mysql", "redshift", "documentdb", "api_key")


@dataclass(frozen=True)
class Seen:
    """What came of one call. stdout, stderr: as Lambda's, in strict UTF-8. debug: what anybody logged, at DEBUG."""

    error: BaseException | None
    stdout: str
    stderr: str
    debug: str
    seconds: float

    @property
    def code(self) -> str | None:
        """Of the error; None where there is none."""
        return getattr(self.error, "code", None)

    def records(self) -> list[dict[str, Any]]:
        """Every line of stdout, which is JSON. Lambda knows one end of a line; splitlines knows more."""
        return [json.loads(line) for line in self.stdout.split("\n") if line]

    def log_line(self) -> dict[str, Any]:
        """The one that is no metric."""
        (line,) = [record for record in self.records() if "level" in record]
        return line

    def places(self) -> dict[str, str]:
        """Everything that somebody may read, by what to call it."""
        raised = list(_raised(self.error))
        return {
            "stdout, with the metrics": self.stdout,
            "stderr": self.stderr,
            "logs at DEBUG": self.debug,
            "the exception": "\n".join(f"{one}\n{one!r}\n{one.args}\n{vars(one)}" for one in raised),
            "its frames' locals": "\n".join(_locals(one) for one in raised),
        }


def call(handler: Handler, event: object, *, seconds: float = 30) -> Seen:
    """Call the handler as Lambda does, listening to everything; whatever it raises is kept."""
    out, err, debug = _Utf8(), _Utf8(), io.StringIO()
    context = Context("keyturn", "arn:aws:lambda:eu-west-1:123456789012:function:keyturn", time.monotonic() + seconds)
    started, error = time.monotonic(), None
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), _listening(debug):
        try:
            handler(event, context)  # type: ignore[arg-type]  # what a handler may not do: set its fields
        except Exception as raised:  # noqa: BLE001  that it is one of ours is for the test to say
            error = raised
    return Seen(error, out.text(), err.text(), debug.getvalue(), time.monotonic() - started)


class _Utf8(io.TextIOWrapper):
    """A stdout as Lambda's: what cannot be written as UTF-8 is an error."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", errors="strict", newline="")

    def text(self) -> str:
        """All that was written."""
        self.flush()
        written: io.BytesIO = self.buffer  # type: ignore[assignment]  # it was made of one
        return written.getvalue().decode()


@contextlib.contextmanager
def _listening(to: io.StringIO) -> Iterator[None]:
    """Every logger, at DEBUG: what an operator sees who turns it on in a hurry."""
    root, listener = logging.getLogger(), logging.StreamHandler(to)
    level, others = root.level, root.handlers[:]
    root.handlers[:] = [listener]
    root.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        root.setLevel(level)
        root.handlers[:] = others


def _raised(error: BaseException | None) -> Iterator[BaseException]:
    """The error, and whatever hangs on it."""
    known: list[BaseException] = []
    left = [error]
    while left:
        one = left.pop()
        if one is not None and one not in known:
            known.append(one)
            yield one
            left += [one.__cause__, one.__context__]


def _locals(error: BaseException) -> str:
    """The locals of each frame of ours that the traceback still holds, as error trackers print them."""
    frames: list[FrameType] = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    ours = [frame for frame in frames if frame.f_code.co_filename != __file__]
    return "\n".join(f"{name} = {value!r}" for frame in ours for name, value in frame.f_locals.items())


@contextlib.contextmanager
def functions(*rotators: str) -> Iterator[tuple[Memory, dict[str, Handler]]]:
    """`rotators.NAME.app.handler`, imported anew, so that its client is one of a Secrets Manager in memory; by NAME."""
    memory = Memory()
    with pytest.MonkeyPatch.context() as patch:
        session = boto3.Session()
        session.events.register("before-send", memory.answer)  # type: ignore[arg-type]  # its stubs know no answers
        patch.setattr(boto3, "DEFAULT_SESSION", session)
        yield memory, {name: fresh(f"rotators.{name}.app") for name in rotators or ROTATORS}


def fresh(module: str) -> Handler:
    """The module's handler, of a module object of its own: sys.modules keeps what it has."""
    spec = importlib.util.find_spec(module)
    assert spec
    assert spec.loader
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    handler: Handler = made.handler
    return handler


def impatient(patch: pytest.MonkeyPatch) -> None:
    """No pauses before what is tried again: chance makes thousands of them."""
    patch.setattr("common.patience.RETRY_PAUSE", 0.0)
    patch.setattr("common.patience.LAG_PAUSES", (0.0, 0.0, 0.0))
    patch.setattr("common.rotation.ADMIN_PAUSE", 0.0)
