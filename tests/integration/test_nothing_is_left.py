"""Servers, folders and ports: gone with whoever started them, however it ended."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from testkit.servers.postgres import find_binaries
from tests.needed import no_server

STARTER = """
import sys, time
from pathlib import Path
from testkit.servers.postgres import find_binaries, postgres_server
with postgres_server(find_binaries()) as server:
    print(server.folder, server.port, flush=True)
    {then}
"""


def start(then: str, folder: Path) -> "subprocess.Popen[str]":
    """A process of its own that has a server, with its temporary files in `folder`."""
    return subprocess.Popen(
        [sys.executable, "-c", STARTER.format(then=then)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "TMPDIR": str(folder)},
    )


def processes() -> Iterator[tuple[int, str]]:
    """(pid, command line) of every process on this machine."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            yield int(path.parent.name), path.read_bytes().replace(b"\0", b" ").decode(errors="replace")


def processes_with(text: str) -> list[str]:
    """The command lines on this machine that contain the text."""
    return [command for _, command in processes() if text in command]


@pytest.mark.parametrize(
    ("then", "sent"),
    [
        ("pass", None),
        ("raise RuntimeError", None),
        ("time.sleep(60)", signal.SIGINT),
        ("time.sleep(60)", signal.SIGTERM),
        ("time.sleep(60)", signal.SIGHUP),
        ("time.sleep(60)", signal.SIGKILL),
    ],
    ids=["ends", "fails", "Ctrl-C", "terminated", "hung up", "killed"],
)
def test_a_server_goes_with_its_starter(then: str, sent: signal.Signals | None) -> None:
    """No process, no folder: also where the starter was given no chance to clean up."""
    if find_binaries() is None:
        no_server("no PostgreSQL")
    with tempfile.TemporaryDirectory() as own:
        Path(own).chmod(0o755)
        starter = start(then, Path(own))
        assert starter.stdout is not None
        folder = starter.stdout.readline().split()[0]
        assert folder.startswith(own)
        if sent is not None:
            assert processes_with(folder)
            starter.send_signal(sent)
        starter.wait(20)
        starter.stdout.close()
        end = time.monotonic() + 20
        while (processes_with(folder) or Path(folder).exists()) and time.monotonic() < end:
            time.sleep(0.05)
        assert processes_with(folder) == []
        assert not Path(folder).exists()
        assert list(Path(own).iterdir()) == []
