"""Keeps a server and its folder for as long as whoever started it lives: run as a script, in a session of its own.

    keeper.py NAME USER      stdout: the new folder's path      stdin: a pipe that the starter holds open

Each line on stdin is a JSON array, a command to run in the folder as USER; its exit code is answered on stdout, unless
the command begins with "serve": that one stays. Or with "restart": the one that was served last is stopped, that is
answered, and this one stays in its place. When the pipe ends, because the starter closed it or died (by SIGKILL
too), the keeper stops whatever runs and removes the folder. It knows only the standard library, and Ctrl-C in the
starter's terminal does not reach it.
"""

import json
import os
import pwd
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

STOP_SECONDS = 10
POLL_SECONDS = 0.02
SERVE, RESTART = "serve", "restart"


def keep(name: str, user: str) -> None:
    """Do what stdin says until it ends, or until a server that is to stay has ended by itself."""
    folder = Path(tempfile.mkdtemp(prefix=f"keyturn-{name}-"))
    children: list[subprocess.Popen[bytes]] = []
    try:
        if user:
            shutil.chown(folder, user)
        os.chdir(folder)
        print(folder, flush=True)
        while (command := _next_command(children)) is not None:
            serve = command[0] in (SERVE, RESTART)
            if command[0] == RESTART:
                _stop(children.pop())
                print(0, flush=True)
            children.append(_start(command[serve:], folder, user))
            if not serve and not _answer(children.pop(), children):
                return
    finally:
        for child in reversed(children):  # what stands on another goes first
            _stop(child)
        shutil.rmtree(folder, ignore_errors=True)


def _next_command(servers: list["subprocess.Popen[bytes]"]) -> list[str] | None:
    """The next line on stdin; None where it has ended, or a server has."""
    while not select.select([0], [], [], POLL_SECONDS)[0]:
        if any(server.poll() is not None for server in servers):
            print("The server has ended. The end of its log:", file=sys.stderr)
            print(Path("server.log").read_text(errors="replace")[-2000:], file=sys.stderr)
            return None
    line = os.read(0, 65536)
    return json.loads(line) if line else None


def _start(command: list[str], folder: Path, user: str) -> "subprocess.Popen[bytes]":
    account: dict[str, Any] = {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []} if user else {}
    environment = {**os.environ, "TMPDIR": str(folder)}  # what ours names the account may not write
    with (folder / "server.log").open("ab") as log:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder,
            env=environment,
            start_new_session=True,
            **account,
        )


def _answer(child: "subprocess.Popen[bytes]", children: list["subprocess.Popen[bytes]"]) -> bool:
    """Wait for a command and answer its exit code; False where stdin ends before it does."""
    while child.poll() is None:
        if select.select([0], [], [], POLL_SECONDS)[0]:
            children.append(child)
            return False
    print(child.returncode, flush=True)
    return True


def _stop(child: "subprocess.Popen[bytes]") -> None:
    child.send_signal(signal.SIGINT)  # PostgreSQL's fast shutdown, which heeds no SIGTERM after it
    child.send_signal(signal.SIGTERM)  # MySQL's
    try:
        child.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    for pid in _of_session(child.pid):  # what it has left behind, such as a runtime by Lambda's emulator
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _of_session(leader: int) -> Iterator[int]:
    """The processes that still live in the session that a child of ours began; on Linux, elsewhere none is known."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # pid (name) state ppid pgrp session …
            if int(stat.read_text().rpartition(")")[2].split()[3]) == leader:
                yield int(stat.parent.name)


if __name__ == "__main__":
    for survived in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(survived, lambda *_: None)  # not SIG_IGN, which a server would inherit: Erlang's then heeds none
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    keep(*sys.argv[1:])
