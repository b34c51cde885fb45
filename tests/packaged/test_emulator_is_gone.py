"""The emulator and the runtime that it started: gone with whoever started them, however it ended."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from testkit.emulator import find_emulator
from tests.integration.test_nothing_is_left import processes, processes_with
from tests.needed import no_server
from tests.packaged.conftest import ROOT

STARTER = """
import os, signal, sys, time
from pathlib import Path
from testkit.emulator import emulated_function
artifact, runtime, end = sys.argv[1:]
with emulated_function(Path(artifact), "rotators.postgres.app.handler", Path(runtime)) as function:
    print(function.emulator.log.parent, str(function.invoke({}).error).rpartition(" ")[2], flush=True)
    if end == "ends":
        sys.exit()
    if end == "emulator killed":
        function.emulator.freeze()
        os.kill(int(sys.stdin.readline()), signal.SIGKILL)
        sys.exit()
    time.sleep(60)
"""


@pytest.mark.parametrize("end", ["ends", "killed", "emulator killed"])
def test_the_emulator_goes_with_its_starter(built_local: Path, runtime: Path, end: str) -> None:
    """No emulator, no runtime."""
    if find_emulator() is None:
        no_server("Lambda's runtime interface emulator runs on Linux only")
    command = [sys.executable, "-c", STARTER, str(built_local / "PostgresRotator"), str(runtime), end]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as starter:
        assert starter.stdin is not None
        assert starter.stdout is not None
        folder, code = starter.stdout.readline().split()
        assert code == "[event-malformed]"
        if end == "killed":
            assert processes_with(f"{runtime} -P -m awslambdaric")
            starter.send_signal(signal.SIGKILL)
        if end == "emulator killed":
            # It leaves a frozen runtime behind, which is in a process group of its own.
            (emulator,) = [pid for pid, command in processes() if "aws-lambda-rie" in command and folder in command]
            starter.stdin.write(f"{emulator}\n")
            starter.stdin.flush()
        starter.wait(20)
    until = time.monotonic() + 20
    while (processes_with(str(runtime)) or Path(folder).exists()) and time.monotonic() < until:
        time.sleep(0.05)
    assert processes_with(str(runtime)) + processes_with(folder) == []
    assert not Path(folder).exists()
