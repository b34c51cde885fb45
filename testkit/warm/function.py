"""A Lambda function in a process of its own that stays warm."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from testkit.simulator import Invocation
from testkit.simulator.calls import ACCOUNT, REGION
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
    keep = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    aws = {"AWS_DEFAULT_REGION": REGION, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    with subprocess.Popen(
        [sys.executable, "-m", "testkit.warm.runtime", handler],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**keep, **aws, **environment},
    ) as process:
        _line(process)
        yield WarmFunction(f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{handler.split('.')[-2]}", process)
