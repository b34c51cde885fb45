"""Starting a server under a keeper (see keeper.py), and stopping it."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from testkit.servers.keeper import RESTART, SERVE

_KEEPER = Path(__file__).with_name("keeper.py")


def server_user() -> str:
    """The account that servers run as: nobody where we are root (PostgreSQL refuses root), else our own ("")."""
    return "nobody" if os.geteuid() == 0 else ""


@dataclass(frozen=True)
class Keeper:
    """A keeper, and the folder that it keeps for a server."""

    folder: Path
    process: "subprocess.Popen[str]"

    def run(self, *command: str | Path) -> None:
        """Run a command in the folder, as the server's account; RuntimeError with its output where it fails."""
        self._send(*command)
        assert self.process.stdout is not None
        if self.process.stdout.readline().strip() != "0":
            raise RuntimeError(f"{command[0]} failed: {self._log_end()}")

    def serve(self, *command: str | Path, port: int, host: str = "127.0.0.1", seconds: float = 30) -> None:
        """Start a server; return when it listens on the port, RuntimeError with its log where it does not."""
        self._send(SERVE, *command)
        self._until_it_listens(host, port, seconds)

    def restart(self, *command: str | Path, port: int, host: str = "127.0.0.1", seconds: float = 30) -> None:
        """Stop the server that was started last, in an orderly way, and start this one in its place; else as `serve`."""
        self._send(RESTART, *command)
        assert self.process.stdout is not None
        self.process.stdout.readline()  # the old one listens no longer
        self._until_it_listens(host, port, seconds)

    def _until_it_listens(self, host: str, port: int, seconds: float) -> None:
        end = time.monotonic() + seconds
        while True:
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"The server did not come up: {self._log_end()}")
            try:
                socket.create_connection((host, port), timeout=1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return

    def give(self, *paths: Path) -> None:
        """Make the server's account own these files."""
        if user := server_user():
            for path in paths:
                shutil.chown(path, user)

    def _send(self, *command: str | Path) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([str(word) for word in command]) + "\n")
        self.process.stdin.flush()

    def _log_end(self) -> str:
        log = self.folder / "server.log"
        return log.read_text(errors="replace")[-2000:] if log.exists() else "(its log is above)"


@contextmanager
def keeper(name: str, user: str | None = None) -> Iterator[Keeper]:
    """A keeper with a new folder, which the server's account owns. All is gone at the end, or when we die.

    user: the account; "" is our own, by default server_user()
    """
    with subprocess.Popen(
        [sys.executable, "-I", str(_KEEPER), name, server_user() if user is None else user],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:  # leaving the block ends its stdin, and waits
        assert process.stdout is not None
        yield Keeper(Path(process.stdout.readline().strip()), process)


def free_port() -> int:
    """A TCP port of the loopback interface that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
