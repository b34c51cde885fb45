"""The emulator and the functions that it runs: gone with whoever started them, however it ended."""

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from testkit.servers.ministack import Ministack
from tests.integration.test_nothing_is_left import processes_with
from tests.packaged.conftest import ROOT

STARTER = """
import io, sys, time, zipfile
from testkit.servers.ministack import ministack
code = io.BytesIO()
with zipfile.ZipFile(code, "w") as file:
    file.writestr("app.py", "def handler(event, context): return 42")
with ministack() as cloud:
    client = cloud.client("lambda")
    role = "arn:aws:iam::123456789012:role/x"
    client.create_function(FunctionName="f", Runtime="python3.13", Role=role, Handler="app.handler", Code={"ZipFile": code.getvalue()})
    client.get_waiter("function_active_v2").wait(FunctionName="f")
    answer = client.invoke(FunctionName="f")["Payload"].read().decode()
    print(cloud.log.parent, cloud.port, answer, flush=True)
    if sys.argv[1] == "killed":
        time.sleep(60)
"""


@pytest.mark.parametrize("end", ["ends", "killed"])
def test_the_emulator_goes_with_its_starter(cloud: Ministack, end: str) -> None:
    """No function, no folder, nobody at its port; another emulator is left as it is."""
    command = [sys.executable, "-c", STARTER, end]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as starter:
        assert starter.stdout is not None
        folder, port, answer = starter.stdout.readline().split()
        assert answer == "42"
        if end == "killed":
            assert processes_with(f"{folder}/ministack-lambda-f-")  # the function's own process
            starter.send_signal(signal.SIGKILL)
        starter.wait(30)
    until = time.monotonic() + 20
    while (processes_with(folder) or Path(folder).exists()) and time.monotonic() < until:
        time.sleep(0.05)
    assert processes_with(folder) == []
    assert not Path(folder).exists()
    with socket.socket() as client:
        assert client.connect_ex(("127.0.0.1", int(port))) != 0
    assert cloud.client("lambda").list_functions()["ResponseMetadata"]["HTTPStatusCode"] == 200
