"""A built function as Lambda runs it: the artifact alone, under AWS's own runtime interface emulator.

    runtime = make_runtime(folder)                       # what Lambda has of its own: the runtime client, boto3
    with emulated_function(artifact, "rotators.postgres.app.handler", runtime, **environment) as function:
        aws.add(function)                                # the simulator calls it as the service does

The emulator is in the wheel of aws-sam-cli; it forwards an invocation to the runtime client (`awslambdaric`), prints
what the function prints, and starts the runtime anew when it has died or its time is up. Linux only.
"""

import importlib.util
import os
import platform
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from testkit.servers.process import keeper
from testkit.simulator.calls import ACCOUNT, REGION
from testkit.simulator.functions import HttpFunction

_MACHINES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}
_REPORTED_SECONDS = 5.0  # how long the emulator may take to print what it has answered already
_LAST_LINES = ("REPORT RequestId", "Waiting for runtime domain processes termination")  # the second where it was killed


def machine() -> str | None:
    """The architecture of this machine in Lambda's words; None where Lambda knows none such."""
    return _MACHINES.get(platform.machine().lower())


def find_emulator() -> Path | None:
    """The emulator's binary for this machine; None where aws-sam-cli carries none."""
    package = importlib.util.find_spec("samcli")
    if sys.platform != "linux" or package is None or package.origin is None or machine() is None:
        return None
    return Path(package.origin).parent / "local" / "rapid" / f"aws-lambda-rie-{machine()}"


def make_runtime(folder: Path, constraints: Path) -> Path:
    """A Python with nothing but the runtime's own packages, at the versions in `constraints`; its interpreter."""
    uv, python = Path(sys.executable).with_name("uv"), folder / "bin" / "python"
    subprocess.run([uv, "venv", "-q", "--python", sys.executable, folder], check=True)
    wanted = ("-c", constraints, "awslambdaric", "boto3")
    subprocess.run([uv, "pip", "install", "-q", "--python", python, *wanted], check=True)
    return python


@dataclass
class Emulator:
    """The emulator's process, as seen from outside: what it has printed, and the runtime that it runs.

    runtime: the interpreter, which runs nothing else
    """

    log: Path
    runtime: Path
    _read: int = field(default=0)

    def printed(self) -> str:
        """What was printed since the last call; where that holds an invocation, to its end."""
        end = time.monotonic() + _REPORTED_SECONDS
        while True:
            with self.log.open("rb") as log:
                log.seek(self._read)
                raw = log.read()
            new = raw.decode(errors="replace")
            started, ended = "START RequestId" in new, any(line in new for line in _LAST_LINES)
            if ended or not started or time.monotonic() > end:
                self._read += len(raw)
                return new
            time.sleep(0.01)

    def runtime_pid(self) -> int | None:
        """The process that runs the function now."""
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                if path.read_bytes().partition(b"\0")[0] == str(self.runtime).encode():
                    return int(path.parent.name)
        return None

    def freeze(self) -> Callable[[], None]:
        """Stop the runtime where it is; what is answered kills it. The crash seam, as ProcessFunction has it."""
        pid = self.runtime_pid()
        if pid is None:
            return lambda: None
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)

        def kill() -> None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

        return kill


@dataclass(frozen=True)
class EmulatedFunction(HttpFunction):
    """A function under the emulator. `emulator` is what freezes and kills its runtime."""

    emulator: Emulator = field(kw_only=True)

    def freeze(self) -> Callable[[], None]:
        """The crash seam, as ProcessFunction has it."""
        return self.emulator.freeze()


@contextmanager
def emulated_function(
    artifact: Path, handler: str, runtime: Path, *, timeout: int = 30, **environment: str
) -> Iterator[EmulatedFunction]:
    """The function with this environment and time-out (seconds); emulator and runtime end with the block."""
    binary = find_emulator()
    assert binary is not None, "there is no emulator for this machine"
    name = handler.split(".")[-3]
    settings = {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(artifact),
        "LAMBDA_TASK_ROOT": str(artifact),
        "AWS_LAMBDA_FUNCTION_NAME": f"packaged-{name}",
        "AWS_LAMBDA_FUNCTION_TIMEOUT": str(timeout),
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        **environment,
    }
    # An address of its own, so that nobody takes a port between our choosing it and the emulator's listening there.
    address = f"127.{random.randint(1, 254)}.{random.randint(0, 255)}.{random.randint(1, 254)}"
    with keeper(f"lambda-{name}", user="") as kept:
        bootstrap = kept.folder / "bootstrap"
        # As Lambda's own: it starts in the function's folder, and nothing is on its path but that and the runtime's.
        bootstrap.write_text(f'#!/bin/sh\ncd "{artifact}" && exec "{runtime}" -P -m awslambdaric {handler}\n')
        bootstrap.chmod(0o755)
        listening = (f"--runtime-interface-emulator-address={address}:8080", f"--runtime-api-address={address}:9001")
        words = (f"{variable}={value}" for variable, value in settings.items())
        kept.serve("/usr/bin/env", "-i", *words, binary, *listening, bootstrap, handler, port=8080, host=address)
        emulator = Emulator(kept.folder / "server.log", runtime)
        yield EmulatedFunction(
            f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:packaged-{name}",
            f"http://{address}:8080/2015-03-31/functions/function/invocations",
            emulator.printed,
            emulator=emulator,
        )
