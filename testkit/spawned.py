"""A function in a process of its own, that is told what to do by lines on its stdin."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from testkit.simulator.calls import ACCOUNT, REGION


@contextmanager
def spawned(script: str, handler: str, environment: dict[str, str]) -> "Iterator[subprocess.Popen[str]]":
    """The process of a module of ours that serves this handler; it is ready, and ends with the block."""
    keep = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    aws = {"AWS_DEFAULT_REGION": REGION, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    with subprocess.Popen(
        [sys.executable, "-m", script, handler],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**keep, **aws, **environment},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline(), f"{handler} cannot be imported"
        yield process


def arn_of(handler: str) -> str:
    """What RotateSecret names, of a handler such as "rotators.postgres.app:handler"."""
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{handler.split('.')[-2]}"
