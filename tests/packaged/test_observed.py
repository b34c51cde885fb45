"""What an operator sees of the packaged function: the emulator's output is what CloudWatch Logs would hold."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from testkit.servers.postgres import PostgresServer
from testkit.simulator import Rotation, Simulator
from tests.integration.world import FIRST, World, drop, make_world
from tests.packaged.conftest import Start

FORGOTTEN = "canary-forgotten-PASSWORD"
LINE = {
    "level", "message", "timestamp", "service", "outcome", "step", "secret_id", "version", "strategy", "target",
    "milliseconds", "request_id",
}  # fmt: skip


@pytest.fixture
def observed(server: PostgresServer, aws: Simulator, trusted: Path, start: Start) -> Iterator[World]:
    """A user whose rotation is run by the packaged function."""
    assert trusted.exists()
    world = make_world(server, aws, "observed", FIRST)
    world.function = start()
    yield world
    drop(world)


def lines(rotation: Rotation) -> list[dict[str, Any]]:
    """The structured log lines."""
    return [one for run in rotation.runs if run.invocation for one in run.invocation.records() if "level" in one]


def metrics(rotation: Rotation) -> list[dict[str, Any]]:
    """The embedded metrics."""
    return [one for run in rotation.runs if run.invocation for one in run.invocation.records() if "_aws" in one]


def test_one_line_a_step(observed: World) -> None:
    """JSON, with the step, its outcome and case, how long it took, and whose it was."""
    rotation = observed.rotated()
    seen = lines(rotation)
    assert [one["step"] for one in seen] == ["createSecret", "setSecret", "testSecret", "finishSecret"]
    assert [one.get("case") for one in seen] == [None, "S1", None, None]
    for one in seen:
        # Where only the value would tell the strategy, finishSecret does not: it reads none.
        # The gap of a single user is told by the step that has seen the new password work.
        assert ("gap_milliseconds" in one) == (one["step"] == "testSecret")
        assert set(one) - {"case", "gap_milliseconds"} == LINE - (
            {"strategy"} if one["step"] == "finishSecret" else set()
        )
        assert (one["level"], one["outcome"], one["target"]) == ("INFO", "succeeded", "postgres")
        assert (one["secret_id"], one["version"]) == (observed.arn, rotation.token)
        assert 0 < one["milliseconds"] < 5000
        assert f"START RequestId: {one['request_id']}" in rotation.log


def test_metrics_of_a_success(observed: World) -> None:
    """One record a step in CloudWatch's embedded format: a count and a duration, by target, strategy and step."""
    seen = metrics(observed.rotated())
    (gap,) = [one for one in seen if "SingleUserGap" in one]
    assert gap["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["target", "strategy"]]
    assert (gap["target"], gap["strategy"]) == ("postgres", "single-user")
    assert 0 < gap["SingleUserGap"][0] < 30_000
    seen.remove(gap)
    assert len(seen) == 4
    for one in seen:
        (directive,) = one["_aws"]["CloudWatchMetrics"]
        assert directive["Namespace"] == "Keyturn"
        assert directive["Dimensions"] == [["target", "strategy", "step"]]
        assert directive["Metrics"] == [
            {"Name": "StepSucceeded", "Unit": "Count"},
            {"Name": "StepDuration", "Unit": "Milliseconds"},
        ]
        # What a directive names must be there, dimensions as texts, or CloudWatch drops the record.
        assert all(isinstance(one[name], str) for name in directive["Dimensions"][0])
        assert one["StepSucceeded"] == [1.0]
        assert one["StepDuration"][0] >= 0


def test_a_failure_says_what_to_do_and_counts_by_reason(observed: World) -> None:
    """The line has the code, what happened and the fix; the same code is the metric's reason."""
    observed.aws.tries = 1
    observed.server.set_password(observed.user, FORGOTTEN)
    rotation = observed.rotate()
    last = lines(rotation)[-1]
    assert (last["level"], last["outcome"], last["step"]) == ("ERROR", "failed", "setSecret")
    assert last["error_code"] == "no-login-works"
    assert f"localhost:{observed.server.port}" in last["what"]
    assert last["fix"]
    plain, by_reason = metrics(rotation)[-2:]
    assert plain["StepFailed"] == by_reason["StepFailed"] == [1.0]
    assert by_reason["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["target", "strategy", "step", "reason"]]
    assert by_reason["reason"] == "no-login-works"


def test_nothing_that_is_printed_holds_a_password(observed: World) -> None:
    """Neither of ours, nor what Lambda's runtime prints of an exception by itself."""
    observed.rotated()
    second = observed.value()["password"]
    observed.server.set_password(observed.user, FORGOTTEN)
    failed = observed.rotate()
    third = observed.value("AWSPENDING")["password"]
    printed = "".join(rotation.log for rotation in observed.aws.rotations) + str(failed.error)
    assert "[ERROR] LoginRejected" in printed  # the runtime's own report is among it
    for password in (FIRST, second, third, FORGOTTEN):
        assert password not in printed
        assert json.dumps(password)[1:-1] not in printed
