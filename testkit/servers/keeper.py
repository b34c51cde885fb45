"""Keeps one server for as long as whoever started it lives: run as a script, in a session of its own.

    keeper.py FOLDER USER COMMAND…      stdin: a pipe that the starter holds open

When the pipe ends, because the starter closed it or died (by SIGKILL too), the keeper stops the server and removes the
folder. It knows only the standard library, and Ctrl-C in the starter's terminal does not reach it.
"""

import pwd
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

STOP_SECONDS = 10


def main(folder: Path, user: str, command: list[str]) -> int:
    """Start the server, wait for the pipe or the server to end, clean up. The server's exit code."""
    try:
        with (folder / "server.log").open("ab") as log:
            server = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder, **account_of(user)
            )
        # A server that ends by itself must end the keeper too, so that the starter sees it.
        threading.Thread(target=_stop_when_starter_ends, args=(server,), daemon=True).start()
        return server.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def account_of(user: str) -> dict[str, Any]:
    """Popen's arguments that run a command as this user, our own where it is empty."""
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []} if user else {}


def _stop_when_starter_ends(server: "subprocess.Popen[bytes]") -> None:
    sys.stdin.buffer.read()
    server.send_signal(signal.SIGINT)  # PostgreSQL's fast shutdown
    try:
        server.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()


if __name__ == "__main__":
    for ignored in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(ignored, signal.SIG_IGN)
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:]))
