"""A Lambda function in a process of its own for each invocation, which can be killed at any moment."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from testkit.simulator import Invocation
from testkit.spawned import arn_of, spawned


@dataclass
class ProcessFunction:
    """The function of a module, such as "rotators.postgres.app:handler", forked from a process that has it imported."""

    arn: str
    zygote: "subprocess.Popen[str]"
    timeout: float = 30
    _pid: int | None = field(default=None)

    def invoke(self, event: Mapping[str, str]) -> Invocation:
        """Run it in a new process, and wait for its end."""
        started = time.monotonic()
        assert self.zygote.stdin is not None
        self.zygote.stdin.write(json.dumps({"event": event, "seconds": self.timeout}) + "\n")
        self.zygote.stdin.flush()
        self._pid = self._answer()["pid"]
        answer = self._answer()
        self._pid = None
        return Invocation(answer["error"], answer["log"], time.monotonic() - started)

    def freeze(self) -> Callable[[], None]:
        """Stop the running invocation where it is; what is answered kills it, and no other that may run by then."""
        pid = self._pid
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        return lambda: self._kill(pid)

    def _kill(self, pid: int | None) -> None:
        """SIGKILL this invocation, if it is still the one that runs; nothing of it runs when this returns."""
        if pid is None or pid != self._pid:
            return
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        while _runs(pid):
            time.sleep(0.0005)

    def _answer(self) -> dict[str, Any]:
        assert self.zygote.stdout is not None
        answer: dict[str, Any] = json.loads(self.zygote.stdout.readline())
        return answer


def _runs(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    try:
        with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123  of Linux, as the signal's semantics here
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@contextmanager
def process_function(handler: str, **environment: str) -> Iterator[ProcessFunction]:
    """The function, with this environment; its process ends with the block."""
    with spawned("testkit.crash.zygote", handler, environment) as zygote:
        yield ProcessFunction(arn_of(handler), zygote)
