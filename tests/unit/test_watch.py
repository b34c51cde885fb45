"""The dead man's watch, on the simulator's schedules, over HTTP."""

import json
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from testkit.simulator import Simulator
from tests.unit.test_schedules import Rotator
from watch import app

NOW = datetime(2026, 3, 12, 10, 30, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
Watch = Callable[[], tuple[dict[str, Any], list[dict[str, Any]]]]


@pytest.fixture
def time() -> list[datetime]:
    """What the time is, without what the simulator has been advanced by."""
    return [NOW]


@pytest.fixture
def aws(time: list[datetime]) -> Iterator[Simulator]:
    """A simulator at NOW."""
    with Simulator(clock=lambda: time[0].timestamp()) as simulator:  # noqa: PLW0108  the list changes
        yield simulator


@pytest.fixture
def rotator(aws: Simulator) -> Rotator:
    """A function of the stack."""
    return Rotator(aws)


@pytest.fixture
def watch(
    aws: Simulator, rotator: Rotator, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Watch:
    """The function at the simulator's time: the metrics that it emits, and its log lines."""
    monkeypatch.setenv("STACK", "keyturn-test")
    monkeypatch.setenv("FUNCTIONS", f"{rotator.arn}, arn:aws:lambda:eu-west-1:123456789012:function:other-of-ours")
    monkeypatch.delenv("GRACE_HOURS", raising=False)
    monkeypatch.setenv("SECRETS_MANAGER_ENDPOINT", aws.endpoint)
    handler = app.overdue_watch(now=lambda: datetime.fromtimestamp(aws.now(), UTC))

    def run() -> tuple[dict[str, Any], list[dict[str, Any]]]:
        capsys.readouterr()
        monkeypatch.setattr(app.logger.registered_handler, "stream", sys.stdout)  # which is pytest's by now
        handler({"detail-type": "Scheduled Event"}, None)
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        (metrics,) = [line for line in lines if "_aws" in line]
        return metrics, [line for line in lines if "_aws" not in line]

    return run


def scheduled(aws: Simulator, name: str, function_arn: str, expression: str = "rate(7 days)") -> str:
    """A secret that this function rotates, from now on; its ARN."""
    arn = aws.client().create_secret(Name=name, SecretString="one")["ARN"]
    aws.rotate(name, RotationLambdaARN=function_arn, RotationRules={"ScheduleExpression": expression})
    return arn


def counts(watch: Watch) -> tuple[float, float]:
    """How many are overdue, how many watched."""
    metrics, _ = watch()
    return metrics["SecretsOverdue"][0], metrics["SecretsWatched"][0]


def test_a_secret_that_rotates_on_schedule_is_never_overdue(aws: Simulator, rotator: Rotator, watch: Watch) -> None:
    """For three periods, hour by hour of the first day and then day by day."""
    scheduled(aws, "app", rotator.arn)
    for step in [HOUR] * 24 + [DAY] * 20:
        aws.advance(step)
        assert counts(watch) == (0, 1)
    assert len([event for event in aws.events if event.name == "RotationSucceeded"]) == 4


def test_a_function_that_fails_makes_it_overdue_after_the_window_and_the_grace(
    aws: Simulator, rotator: Rotator, watch: Watch
) -> None:
    """The window closes on the 19th at midnight; a day later it is overdue, and the log says which one; until it works again."""
    scheduled(aws, "fine", Rotator(aws, "other-of-ours").arn)
    arn = scheduled(aws, "app", rotator.arn)
    rotator.fails = True
    aws.advance(datetime(2026, 3, 20, 23, 59, 0, tzinfo=UTC) - NOW)
    assert counts(watch) == (0, 2)
    aws.advance(HOUR)
    metrics, (line,) = watch()
    assert (metrics["SecretsOverdue"], metrics["SecretsWatched"]) == ([1.0], [2.0])
    assert line["level"] == "ERROR"
    assert line["message"] == "rotation overdue"
    assert line["secret_id"] == arn
    assert line["next_rotation_date"] == "2026-03-19T23:59:59+00:00"
    assert line["last_rotated_date"] == NOW.isoformat()
    assert line["hours_overdue"] == 25.0
    assert "runbook" in line["fix"]
    rotator.fails = False
    aws.advance(7 * DAY)
    assert counts(watch) == (0, 2)


def test_a_rotation_that_never_begins_is_what_the_watch_is_for(
    aws: Simulator, rotator: Rotator, watch: Watch, time: list[datetime]
) -> None:
    """The time passes and the service does nothing, so that no event says that anything failed."""
    scheduled(aws, "app", rotator.arn)
    before = list(aws.events)
    time[0] += 9 * DAY
    assert counts(watch) == (1, 1)
    assert aws.events == before


def test_the_grace_is_a_setting(
    aws: Simulator, rotator: Rotator, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GRACE_HOURS."""
    scheduled(aws, "app", rotator.arn, "rate(4 hours)")
    rotator.fails = True
    aws.advance(datetime(2026, 3, 12, 15, 30, tzinfo=UTC) - NOW)
    assert counts(watch) == (0, 1)
    monkeypatch.setenv("GRACE_HOURS", "3")
    assert counts(watch) == (0, 1)
    monkeypatch.setenv("GRACE_HOURS", "2.5")
    assert counts(watch) == (1, 1)


def test_one_whose_rotation_is_off_or_that_is_deleted_is_not_counted(
    aws: Simulator, rotator: Rotator, watch: Watch
) -> None:
    """Nobody expects them to rotate."""
    for name in ("cancelled", "deleted"):
        scheduled(aws, name, rotator.arn)
    rotator.fails = True
    aws.advance(30 * DAY)
    assert counts(watch) == (2, 2)
    aws.client().cancel_rotate_secret(SecretId="cancelled")
    aws.client().delete_secret(SecretId="deleted")
    aws.client().create_secret(Name="never configured", SecretString="one")
    assert counts(watch) == (0, 0)


def test_one_that_was_never_rotated(aws: Simulator, rotator: Rotator, watch: Watch) -> None:
    """It is watched, and overdue when its first date has passed."""
    aws.client().create_secret(Name="app", SecretString="one")
    rules: Any = {"ScheduleExpression": "rate(7 days)"}
    aws.rotate("app", RotationLambdaARN=rotator.arn, RotationRules=rules, RotateImmediately=False)
    assert counts(watch) == (0, 1)
    rotator.fails = True
    aws.advance(9 * DAY)
    metrics, (line,) = watch()
    assert metrics["SecretsOverdue"] == [1.0]
    assert line["last_rotated_date"] == "never"


def test_of_other_functions_none_and_of_versions_and_aliases_all(
    aws: Simulator, rotator: Rotator, watch: Watch
) -> None:
    """FUNCTIONS names what is watched; `:live` is the same function."""
    scheduled(aws, "ours", rotator.arn)
    scheduled(aws, "by alias", Rotator(aws, "rotator:live").arn)
    scheduled(aws, "theirs", Rotator(aws, "rotator-of-others").arn)
    assert counts(watch) == (0, 2)


def test_many_pages_are_read_and_no_value(aws: Simulator, rotator: Rotator, watch: Watch) -> None:
    """ListSecrets answers a hundred at a time; nothing else is called."""
    for number in range(230):
        aws.client().create_secret(Name=f"app-{number}", SecretString="one")
    for number in (5, 150, 229):
        rules: Any = {"ScheduleExpression": "rate(7 days)"}
        aws.rotate(f"app-{number}", RotationLambdaARN=rotator.arn, RotationRules=rules)
    rotator.fails = True
    aws.advance(9 * DAY)
    metrics, lines = watch()
    assert (metrics["SecretsOverdue"], metrics["SecretsWatched"]) == ([3.0], [3.0])
    assert {line["secret_id"].split(":")[-1].rpartition("-")[0] for line in lines} == {"app-5", "app-150", "app-229"}
    assert aws.calls_by("keyturn") == ["ListSecrets"] * 3
    assert all(call.parameters["IncludePlannedDeletion"] is False for call in aws.calls if "keyturn" in call.user_agent)


def test_the_metrics_are_what_the_alarm_asks_for(watch: Watch) -> None:
    """CloudWatch's embedded format: namespace, the one dimension, names and units, as template.yaml has them."""
    metrics, lines = watch()
    assert lines == []
    assert metrics.pop("_aws")["CloudWatchMetrics"] == [
        {
            "Namespace": "Keyturn",
            "Dimensions": [["stack"]],
            "Metrics": [
                {"Name": "SecretsOverdue", "Unit": "Count"},
                {"Name": "SecretsWatched", "Unit": "Count"},
            ],
        }
    ]
    assert metrics == {"stack": "keyturn-test", "SecretsOverdue": [0.0], "SecretsWatched": [0.0]}


@pytest.mark.parametrize("functions", ["", "arn:aws:lambda:eu-west-1:123456789012:function:rotator,"])
def test_what_a_service_rotates_without_a_function_is_not_ours(
    aws: Simulator, watch: Watch, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, functions: str
) -> None:
    """Managed rotation has no RotationLambdaARN, which is not the same as an empty one of FUNCTIONS."""
    assert watch()
    monkeypatch.setenv("FUNCTIONS", functions)
    client = aws.client(region_name="eu-west-1")
    with Stubber(client) as stub:
        managed: Any = {"ARN": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:rds!cluster-1a2b-a1B2c3"}
        managed |= {"RotationEnabled": True, "OwningService": "rds", "NextRotationDate": NOW}
        stub.add_response("list_secrets", {"SecretList": [managed]})
        app.overdue_watch(client, lambda: NOW + 9 * DAY)({}, None)
    (metrics,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert metrics["SecretsWatched"] == [0.0]


def test_where_listing_fails_so_does_the_function(
    aws: Simulator, watch: Watch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Even on a later page, and no count is emitted: the alarm takes a missing one for a bad one."""
    assert watch()
    client = aws.client(region_name="eu-west-1")
    with Stubber(client) as stub:
        stub.add_response("list_secrets", {"SecretList": [], "NextToken": "2"})
        stub.add_client_error("list_secrets", "ThrottlingException")
        with pytest.raises(ClientError, match="ThrottlingException"):
            app.overdue_watch(client)({}, None)
    assert "_aws" not in capsys.readouterr().out
