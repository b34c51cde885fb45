"""The handler: one line and one metric a step, errors in our words, nothing of a defect's message."""

import json
import traceback
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from common.errors import RotationError, TargetUnavailable, UnexpectedError
from common.handler import Handler, rotation_handler
from common.password import PasswordPolicy
from common.secret import Account, Secret
from common.strategy import SingleUser
from testkit.simulator import Rotation, Simulator

CANARY = "canary-PASSWORD-77"
VALUE = {"username": "app", "password": CANARY}


@dataclass
class Broken:
    """A target that fails as it is told."""

    failure: Exception | None = None
    name: str = "broken"
    credential: tuple[str, ...] = ("password",)
    password_policy: ClassVar[PasswordPolicy] = PasswordPolicy(shortest=8, longest=64)
    calls: int = 0

    def account(self, secret: Secret) -> Account:
        """The user, at no server."""
        return Account("broken", "db", 1, secret.text("username"))

    admin_account = account

    def check(self, login: Secret) -> str:
        """As told."""
        assert login["password"]
        self.calls += 1
        if self.failure:
            raise self.failure
        return login.text("username")

    def change_password(self, login: Secret, pending: Secret) -> None:
        """As told."""
        assert pending["password"]
        self.check(login)

    def reset_password(self, admin: Secret, pending: Secret, proven: str | None = None) -> None:  # noqa: ARG002
        """As told."""
        self.change_password(admin, pending)


def rotated(aws: Simulator, target: Broken) -> Rotation:
    """One rotation of a secret by this target."""
    client = aws.client()
    client.create_secret(Name="app", SecretString=json.dumps(VALUE))
    handler = rotation_handler(SingleUser(target), client=client)
    aws.tries = 1
    return aws.rotate("app", RotationLambdaARN=aws.add_function("f", handler).arn)


def lines(rotation: Rotation) -> list[dict[str, Any]]:
    """The structured log lines and metrics of a rotation."""
    return [record for run in rotation.runs if run.invocation for record in run.invocation.records()]


def test_one_line_and_one_metric_a_step(aws: Simulator) -> None:
    """What an operator searches for, and what alarms count."""
    rotation = rotated(aws, Broken())
    records = lines(rotation)
    assert len(records) == 2 * 4 + 1, "testSecret has the gap besides"
    line, metric = records[2], records[3]
    assert {name: line[name] for name in ("level", "message", "step", "outcome", "case", "strategy", "target")} == {
        "level": "INFO",
        "message": "step succeeded",
        "step": "setSecret",
        "outcome": "succeeded",
        "case": "S1",
        "strategy": "single-user",
        "target": "broken",
    }
    assert (line["secret_id"], line["version"]) == (rotation.arn, rotation.token)
    assert isinstance(line["milliseconds"], int)
    (declared,) = metric["_aws"]["CloudWatchMetrics"]
    assert declared["Namespace"] == "Keyturn"
    assert declared["Dimensions"] == [["target", "strategy", "step"]]
    assert {entry["Name"]: entry["Unit"] for entry in declared["Metrics"]} == {
        "StepSucceeded": "Count",
        "StepDuration": "Milliseconds",
    }
    assert (metric["step"], metric["StepSucceeded"]) == ("setSecret", [1.0])


def test_the_gap_of_a_single_user(aws: Simulator) -> None:
    """Told by testSecret, succeed or fail: how long the new password has been stored, in the log and as a metric."""
    for target in (Broken(), Broken(TargetUnavailable("target-silent", "No answer.", "Look."))):
        client = aws.client()
        name = f"app-{target.failure}"
        client.create_secret(Name=name, SecretString=json.dumps(VALUE))
        working = rotation_handler(SingleUser(Broken()), client=client)
        tested = rotation_handler(SingleUser(target), client=client)

        def handler(event: dict[str, str], context: Any) -> None:
            (tested if event["Step"] == "testSecret" else working)(event, context)  # noqa: B023  called in this turn

        aws.tries = 1
        rotation = aws.rotate(name, RotationLambdaARN=aws.add_function("f", handler).arn)
        told = [line for line in lines(rotation) if line.get("gap_milliseconds") is not None]
        assert [line["step"] for line in told] == ["testSecret"]
        (metric,) = [line for line in lines(rotation) if "SingleUserGap" in line]
        (declared,) = metric["_aws"]["CloudWatchMetrics"]
        assert declared["Dimensions"] == [["target", "strategy"]]
        assert declared["Metrics"] == [{"Name": "SingleUserGap", "Unit": "Milliseconds"}]
        assert metric["SingleUserGap"] == [told[0]["gap_milliseconds"]]
        assert 0 < told[0]["gap_milliseconds"] < 30_000
        assert rotation.succeeded == (target.failure is None)


def test_a_failed_step(aws: Simulator) -> None:
    """The line has the code, what happened and the fix; the metric has the code as its reason."""
    rotation = rotated(aws, Broken(TargetUnavailable("target-silent", "No answer.", "Look.")))
    line, metric, by_reason = lines(rotation)[-3:]
    assert (line["level"], line["outcome"]) == ("ERROR", "failed")
    assert (line["error_code"], line["what"], line["fix"]) == ("target-silent", "No answer.", "Look.")
    assert (metric["StepFailed"], "reason" in metric) == ([1.0], False), "for an alarm on any failure"
    assert (by_reason["StepFailed"], by_reason["reason"]) == ([1.0], "target-silent")
    assert rotation.error == "TargetUnavailable: No answer. Look. [target-silent]"


def test_an_unavailable_server_is_tried_twice(aws: Simulator) -> None:
    """Once more, and only where nothing was learned."""
    target = Broken(TargetUnavailable("target-silent", "No answer.", "Look."))
    rotated(aws, target)
    assert target.calls == 2


def test_a_defect_is_told_by_type_and_frames(aws: Simulator) -> None:
    """Its message may hold a value, and is neither logged nor raised; nor is it reachable by the error's context."""
    target = Broken(KeyError(CANARY))
    rotation = rotated(aws, target)
    assert "Unexpected KeyError at tests/unit/test_handler.py" in str(rotation.error)
    assert "[unexpected]" in str(rotation.error)
    assert CANARY not in rotation.log + str(rotation.error)


def call(handler: Handler, event: object) -> RotationError:
    """The error that this event ends in."""

    class Context:
        aws_request_id = "r"
        function_name = "f"

        def get_remaining_time_in_millis(self) -> int:
            return 30_000

    with pytest.raises(RotationError) as error:
        handler(event, Context())
    return error.value


def test_the_error_that_is_raised_carries_no_other(aws: Simulator) -> None:
    """No __cause__ or __context__ that a runtime, a tracer or an error tracker would print."""
    client = aws.client()
    client.create_secret(Name="app", SecretString=json.dumps(VALUE))
    handler = rotation_handler(SingleUser(Broken(KeyError(CANARY))), client=client)
    function = aws.add_function("f", lambda *_: None)
    aws.rotate("app", RotationLambdaARN=function.arn)
    token = aws.rotations[-1].token
    client.put_secret_value(
        SecretId="app", SecretString=json.dumps(VALUE), ClientRequestToken=token, VersionStages=["AWSPENDING"]
    )
    error = call(handler, {"Step": "testSecret", "SecretId": "app", "ClientRequestToken": token})
    assert isinstance(error, UnexpectedError)
    assert (error.__cause__, error.__context__) == (None, None)
    frames = traceback.TracebackException.from_exception(error, capture_locals=True)
    assert CANARY not in "".join(frames.format())


def test_known_values_are_masked_wherever_they_appear(aws: Simulator) -> None:
    """An error of a careless target that quotes the password: masked in the log line and in the exception."""
    rotation = rotated(aws, Broken(TargetUnavailable("target-silent", f"No answer to {CANARY}.", f"Not {CANARY}?")))
    assert CANARY not in rotation.log + str(rotation.error)
    assert "No answer to *****." in rotation.log


def test_what_is_raised_is_masked_in_every_form(aws: Simulator) -> None:
    """str, repr and args."""
    client = aws.client()
    client.create_secret(Name="app", SecretString=json.dumps(VALUE))
    handler = rotation_handler(SingleUser(Broken(TargetUnavailable("x", CANARY, CANARY))), client=client)
    token = aws.rotate("app", RotationLambdaARN=aws.add_function("f", lambda *_: None).arn).token
    client.put_secret_value(
        SecretId="app", SecretString=json.dumps(VALUE), ClientRequestToken=token, VersionStages=["AWSPENDING"]
    )
    error = call(handler, {"Step": "testSecret", "SecretId": "app", "ClientRequestToken": token})
    assert CANARY not in f"{error} {error!r} {error.args}"


def test_who_writes_a_secret_cannot_make_the_log_unreadable(aws: Simulator) -> None:
    """Values that are words of the log's own: what operators search for stays."""
    words = {
        "outcome": "failed",
        "a": "setSecret",
        "b": "succeeded",
        "c": "step",
        "d": "error_code",
        "e": "single-user",
    }
    client = aws.client()
    client.create_secret(Name="app", SecretString=json.dumps(VALUE | words))
    handler = rotation_handler(SingleUser(Broken()), client=client)
    rotation = aws.rotate("app", RotationLambdaARN=aws.add_function("f", handler).arn)
    line = lines(rotation)[2]
    assert (line["step"], line["outcome"], line["strategy"]) == ("setSecret", "succeeded", "single-user")


def test_no_second_try_without_time(aws: Simulator) -> None:
    """The retry of an unavailable server is left out where its pause would use up what is left."""
    target = Broken(TargetUnavailable("target-silent", "No answer.", "Look."))
    client = aws.client()
    client.create_secret(Name="app", SecretString=json.dumps(VALUE))
    function = aws.add_function("f", rotation_handler(SingleUser(target), client=client), timeout=3.5)
    aws.tries = 1
    aws.rotate("app", RotationLambdaARN=function.arn)
    assert target.calls == 1


def test_the_rotation_token_is_masked(aws: Simulator, capsys: pytest.CaptureFixture[str]) -> None:
    """It is sensitive: whoever has it may write the secret."""
    handler = rotation_handler(SingleUser(Broken()), client=aws.client())
    rotation_token = "r0tation-" * 5
    event = {
        "Step": "createSecret",
        "SecretId": rotation_token,
        "ClientRequestToken": "t",
        "RotationToken": rotation_token,
    }
    assert rotation_token not in str(call(handler, event))
    assert rotation_token not in capsys.readouterr().out


@pytest.mark.parametrize("event", [None, {}, {"Step": "x", "SecretId": "s", "ClientRequestToken": "t"}])
def test_a_malformed_event_is_logged_too(aws: Simulator, capsys: pytest.CaptureFixture[str], event: object) -> None:
    """Whatever it is, there is a line and a metric, and no call."""
    error = call(rotation_handler(SingleUser(Broken()), client=aws.client()), event)
    line, metric, by_reason = map(json.loads, capsys.readouterr().out.splitlines())
    assert line["error_code"] == by_reason["reason"] == error.code
    assert metric["step"] == "unknown"
    assert not aws.calls
