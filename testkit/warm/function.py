"""A Lambda function in a process of its own that stays warm."""

import json
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from testkit.simulator import Invocation
from testkit.spawned import arn_of, spawned
from testkit.warm.usage import Usage, usage


@dataclass(frozen=True)
class WarmFunction:
    """The function of a module, such as "rotators.postgres.app:handler", called once at a time in one process."""

    arn: str
    process: "subprocess.Popen[str]"
    timeout: float = 30

    def invoke(self, event: Mapping[str, str]) -> Invocation:
        """Hand it the event, and wait for its answer."""
        started = time.monotonic()
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"event": event, "seconds": self.timeout}) + "\n")
        self.process.stdin.flush()
        answer = _line(self.process)
        return Invocation(answer["error"], answer["log"], time.monotonic() - started)

    @property
    def usage(self) -> Usage:
        """What its process holds, between two invocations."""
        return usage(self.process.pid)


def _line(process: "subprocess.Popen[str]") -> dict[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError("The function's process has ended.")
    answer: dict[str, Any] = json.loads(line)
    return answer


@contextmanager
def warm_function(handler: str, **environment: str) -> Iterator[WarmFunction]:
    """The function, with this environment; its process ends with the block."""
    with spawned("testkit.warm.runtime", handler, environment) as process:
        yield WarmFunction(arn_of(handler), process)
