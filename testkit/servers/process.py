"""Starting a server under a keeper (see keeper.py), and stopping it."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_KEEPER = Path(__file__).with_name("keeper.py")


def server_user() -> str:
    """The account that servers run as: nobody where we are root (PostgreSQL refuses root), else our own ("")."""
    return "nobody" if os.geteuid() == 0 else ""


@contextmanager
def server_folder(name: str) -> Iterator[Path]:
    """A new folder that the server's account owns; gone at the end, whatever happens."""
    folder = Path(tempfile.mkdtemp(prefix=f"keyturn-{name}-"))
    try:
        give_to_server(folder)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def give_to_server(*paths: Path) -> None:
    """Make the server's account own these files."""
    if user := server_user():
        for path in paths:
            shutil.chown(path, user)


@contextmanager
def running(folder: Path, command: Sequence[str]) -> Iterator["subprocess.Popen[bytes]"]:
    """The keeper of a running `command`; stopped, and the folder removed, at the end or when we die."""
    keeper = subprocess.Popen(
        [sys.executable, "-I", str(_KEEPER), str(folder), server_user(), *command],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        yield keeper
    finally:
        keeper.communicate()  # ends its stdin


def free_port() -> int:
    """A TCP port of the loopback interface that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def wait_for_port(port: int, keeper: "subprocess.Popen[bytes]", log: Path, seconds: float = 30) -> None:
    """Return when somebody listens; RuntimeError with the end of the log where the server died, or did not come up."""
    end = time.monotonic() + seconds
    while True:
        if keeper.poll() is not None or time.monotonic() > end:
            text = log.read_text(errors="replace")[-2000:] if log.exists() else "(no log)"
            raise RuntimeError(f"The server did not come up: {text}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
