"""`make demo`, as somebody who pipes it, breaks it, or interrupts it."""

import itertools
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from testkit.servers.postgres import find_binaries
from tests.integration.test_nothing_is_left import processes_with
from tests.needed import no_server

ROOT = Path(__file__).parents[2]
SABOTAGED = """
import sys
import demo.__main__ as demo
import demo.stage as stage
import rotators.postgres.target as target
stage.ROTATIONS, stage.SLOW_MOTION, stage.RECOVERY = 1, 0, 1
target.Postgres.change_password = lambda *_: None
{more}
sys.exit(demo.main())
"""

SABOTAGED_KEYS = """
import sys
import demo.__main__ as demo
import demo.issued.services as services
import demo.issued.stage as stage
import common.issued_key as issued_key
import rotators.api_key.target as target
services.find_ntfy = lambda: None
stage.PAUSE = 0
{broken}
sys.exit(demo.main("api_key"))
"""


def left_of(folder: str) -> list[str]:
    """Processes that name the folder, and what is in it."""
    return processes_with(folder) + [str(path) for path in Path(folder).iterdir()]


@contextmanager
def demo(*arguments: str) -> Iterator[tuple["subprocess.Popen[str]", Path]]:
    """The demo in a process of its own, with a folder for all that it makes; nothing is left of it at the end."""
    if find_binaries() is None:
        no_server("no PostgreSQL")
    with tempfile.TemporaryDirectory() as own:
        folder = Path(own)
        folder.chmod(0o755)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        with subprocess.Popen(
            [sys.executable, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=ROOT,
            env={**environment, "TMPDIR": own},
        ) as process:
            yield process, folder
            process.wait(60)
        end = time.monotonic() + 20
        while left_of(own) and time.monotonic() < end:
            time.sleep(0.05)
        assert left_of(own) == []


@pytest.mark.parametrize("target", ["mysql", "mariadb"])
def test_other_targets(request: pytest.FixtureRequest, target: str) -> None:
    """Every strategy of the target, with its case, and every promise holds."""
    request.getfixturevalue(target)  # skips where there is none
    with demo("-m", "demo", target) as (process, _):
        output, _ = process.communicate(timeout=90)
    assert process.returncode == 0, output
    cases = [("single-user      ", "S1"), ("alternating-users", "A3")]
    for strategy, case in [*cases, ("dual-password    ", "D1")] if target == "mysql" else cases:
        assert f"rotation 4  {strategy}  setSecret     {case}" in output
    assert "server:             0" in output
    assert "Every promise held" in output


def test_without_a_server_it_says_what_would_help() -> None:
    """The exit code is 2."""
    answer = subprocess.run(
        [sys.executable, "-m", "demo", "mysql"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"PATH": "/nowhere"},
        check=False,
    )
    assert answer.returncode == 2
    assert "put mysqld (8.0 or later) on the PATH" in " ".join(answer.stdout.split())


def test_piped_it_is_readable_and_every_promise_holds() -> None:
    """Under 60 s, a line a step, no control characters, the table, exit code 0."""
    started = time.monotonic()
    with demo("-m", "demo") as (process, _):
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert time.monotonic() - started < 60
    assert "\x1b" not in output
    assert max(map(len, output.splitlines())) <= 120
    for number in range(1, 5):
        for strategy, case in (("single-user      ", "S1"), ("alternating-users", "A3")):
            for step in ("createSecret", f"setSecret     {case}", "testSecret", "finishSecret"):
                assert f"rotation {number}  {strategy}  {step}" in output
    for part in (
        "AWSCURRENT refused",
        "│    10 │",
        "│    11 │",
        "│ still logs in ",
        "│ refused ",
        "server:             0",
        "Every promise held",
    ):
        assert part in output


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("", "Rotation 1 (single-user) failed: LoginRejected"),
        ("target.Postgres.check = lambda *_: 'shop'", "AWSCURRENT does not log in after rotation 1 (single-user)."),
    ],
    ids=["a rotation fails", "a rotation says that it succeeded"],
)
def test_a_broken_promise_is_an_exit_code(more: str, says: str) -> None:
    """A target that does not do what it says: the demo sees it, and does not say that all is well."""
    with demo("-c", SABOTAGED.format(more=more)) as (process, _):
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 1, output
    assert "A promise broke" in output
    assert says in output
    assert "Every promise held" not in output


def test_issued_keys() -> None:
    """Under 40 s: each key by moment, the application never refused, no key in full anywhere, exit code 0."""
    started = time.monotonic()
    with demo("-m", "demo", "api_key") as (process, _):
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert time.monotonic() - started < 40
    assert "\x1b" not in output
    assert max(map(len, output.splitlines())) <= 120
    for number in range(1, 4):
        for step in ("createSecret  K1", "setSecret  ", "testSecret  ", "finishSecret  K2"):
            assert f"rotation {number}  {step}" in output
    rows = [line.split("│") for line in output.splitlines() if line.startswith("│")]
    assert [[cell.strip() for cell in row[3:-1] if cell.strip()] for row in rows] == [
        ["current", "current", "previous", "previous", *["revoked"] * 4],
        ["pending", "current", "current", *["previous"] * 3, "revoked"],
        ["pending", *["current"] * 3, "previous"],
        ["orphan", "orphan", "revoked"],
        ["pending", "current"],
    ]
    assert not re.search("(tk|key)_[a-z0-9]{4}", output)
    assert " 0 refused" in output
    assert "Every promise held" in output


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (
            "issued_key.is_orphan = lambda *_: False",
            "after 3: the keys are revoked, orphan, previous, orphan, current",
        ),
        ("stage.BETWEEN = 0", "The application's key was refused"),
        ("target.IssuingService.issue_key = lambda *_: 1 / 0", "Rotation 1 failed: UnexpectedError"),
    ],
    ids=["nothing is revoked", "the cache outlives two rotations", "nothing is issued"],
)
def test_a_broken_promise_of_issued_keys_is_an_exit_code(broken: str, says: str) -> None:
    """A sweep that sweeps nothing, a rotation that fails: the demo sees it, on the key service."""
    with demo("-c", SABOTAGED_KEYS.format(broken=broken)) as (process, _):
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 1, output
    assert "A promise broke" in output
    assert says in " ".join(output.split())
    assert "Every promise held" not in output


@pytest.mark.parametrize(
    ("sent", "after"),
    [
        *itertools.product([signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL], ["up in", "starting"]),
        (signal.SIGINT, "rotation 1"),
        (signal.SIGKILL, "rotation 1"),
    ],
)
def test_interrupted_it_leaves_nothing(sent: signal.Signals, after: str) -> None:
    """At any moment, by any signal: no process, no folder; `demo` looks."""
    interrupt(sent, after, "postgres")


@pytest.mark.parametrize(("sent", "after"), [(signal.SIGINT, "rotation 1"), (signal.SIGKILL, "abandoned")])
def test_interrupted_with_issued_keys_it_leaves_nothing(sent: signal.Signals, after: str) -> None:
    """Likewise, in mid-rotation and after a death of the function."""
    interrupt(sent, after, "api_key")


def interrupt(sent: signal.Signals, after: str, target: str) -> None:
    """Send the signal to the demo when it has printed this."""
    with demo("-u", "-m", "demo", target) as (process, folder):
        assert process.stdout is not None
        if after == "starting":
            while not any(folder.iterdir()):
                time.sleep(0.005)
        else:
            while after not in process.stdout.readline():
                pass
        process.send_signal(sent)
        process.communicate(timeout=30)
    assert process.returncode not in (0, None)
