"""The Lambda handler: an event in, one log line and one metric out, errors in our words only."""

import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from logging import StreamHandler
from typing import TYPE_CHECKING, Protocol, TextIO, TypeAlias

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from common import clock, redaction
from common.accounts import api_for, own_api
from common.engine import Report, StrategiesFor, run_step
from common.errors import RotationError, UnexpectedError
from common.event import STEP_SPELLINGS, Event, parse_event
from common.store import Store
from common.strategy import Strategy

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


class LambdaContext(Protocol):
    """What we use of Lambda's context object."""

    aws_request_id: str
    function_name: str

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda ends this invocation."""
        ...


Handler: TypeAlias = Callable[[object, LambdaContext], None]


def rotation_handler(*strategies: Strategy, client: "SecretsManagerClient | None" = None) -> Handler:
    """A Lambda handler that rotates by these strategies, the first being the default.

    client: for tests; by default one is made here, at import, and kept: the only thing that outlives an invocation
    """
    return handler_by_secret(strategies[0].target.name, lambda _: strategies, client)


def handler_by_secret(
    target: str, strategies_for: StrategiesFor, client: "SecretsManagerClient | None" = None
) -> Handler:
    """A Lambda handler whose strategies depend on the secret: on its ARN and tags, never on its value.

    target: what logs and metrics call it
    """
    own = Store(client or own_api("secretsmanager"), own_api)
    logger = Logger(
        service="keyturn",
        logger_handler=_Stdout(),
        json_serializer=_json,
        utc=True,
        location=None,
    )
    redaction.silence_wire_logs()

    def handler(event: object, context: LambdaContext) -> None:
        """Do one step; raise a RotationError where it failed, which is how Secrets Manager learns of it."""
        report = Report(target)
        started = time.monotonic()
        with redaction.invocation(), clock.until_timeout(context.get_remaining_time_in_millis() / 1000):
            error = _attempt(event, lambda parsed: _store_for(parsed, own, context), strategies_for, report)
            milliseconds = round((time.monotonic() - started) * 1000)
            facts = {
                **_facts(event),
                **{
                    name: value
                    for name, value in vars(report).items()
                    if value != [] and (name, value) != ("gap_milliseconds", None)
                },
                "milliseconds": milliseconds,
                "request_id": context.aws_request_id,
            }
            _log(logger, facts, error)
            _emit(facts, error)
        if error:
            del event  # error trackers print the locals of this frame, and it may hold a RotationToken
            raise error

    return handler


def _json(record: dict[str, object]) -> str:
    """One line, masked. Half a character (a lone surrogate), which no stdout takes, stays an escape."""
    line = json.dumps(redaction.mask_record(record), ensure_ascii=False, default=str)
    return line.encode(errors="backslashreplace").decode()


def _store_for(event: Event, own: Store, context: LambdaContext) -> Store:
    """The secrets of the account that the event's secret is of."""
    api = api_for(event.secret_id, context.function_name)
    return Store(api("secretsmanager"), api) if api else own


def _attempt(
    event: object, store_for: Callable[[Event], Store], strategies_for: StrategiesFor, report: Report
) -> RotationError | None:
    """Do the step; the error as a value, freed of the driver's exception that caused it."""
    try:
        parsed = parse_event(event)
        redaction.learn(parsed.rotation_token)
        run_step(parsed, store_for(parsed), strategies_for, report)
    except RotationError as failed:
        error = failed
    except Exception as defect:  # noqa: BLE001  whatever it is, its message must not leave
        error = _unexpected(defect)
    else:
        return None
    # Neither another exception nor the locals of our frames go with it: error trackers print both.
    error.__context__ = error.__cause__ = None
    error.what, error.fix = redaction.mask_text(error.what), redaction.mask_text(error.fix)
    error.args = (error.code, error.what, error.fix)
    return error.with_traceback(None)


def _unexpected(defect: Exception) -> UnexpectedError:
    """An exception that we did not foresee, by type and frames: its message may hold a value."""
    frames = " < ".join(
        f"{os.path.relpath(frame.filename)}:{frame.lineno} {frame.name}"
        for frame in reversed(traceback.extract_tb(defect.__traceback__))
    )
    return UnexpectedError(
        "unexpected",
        f"Unexpected {type(defect).__name__} at {frames}.",
        "This is a defect of the function: please report it with this line.",
    )


def _facts(event: object) -> dict[str, object]:
    """What the log says of the event, even of one that is malformed: texts only; the step in its one spelling."""
    fields = {name: text for name, text in event.items() if isinstance(text, str)} if isinstance(event, Mapping) else {}
    return {
        "step": STEP_SPELLINGS.get(fields.get("Step", "").replace("_", "").lower()),
        "secret_id": fields.get("SecretId"),
        "version": fields.get("ClientRequestToken"),
    }


def _log(logger: Logger, facts: Mapping[str, object], error: RotationError | None) -> None:
    """One line a step."""
    if error is None:
        logger.info("step succeeded", extra={"outcome": "succeeded", **facts})
    else:
        why = {"error_code": error.code, "what": error.what, "fix": error.fix}
        logger.error("step failed", extra={"outcome": "failed", **facts, **why})


def _emit(facts: Mapping[str, object], error: RotationError | None) -> None:
    """Metrics in CloudWatch's embedded format: steps and their duration by target, strategy and step, failures by reason too."""
    by_step = {name: str(facts.get(name) or "unknown") for name in ("target", "strategy", "step")}
    duration = ("StepDuration", MetricUnit.Milliseconds, float(str(facts["milliseconds"])))
    _flush(by_step, [("StepFailed" if error else "StepSucceeded", MetricUnit.Count, 1.0), duration])
    if error is not None:
        _flush({**by_step, "reason": error.code}, [("StepFailed", MetricUnit.Count, 1.0)])
    if "gap_milliseconds" in facts:
        gap = float(str(facts["gap_milliseconds"]))
        _flush(
            {name: by_step[name] for name in ("target", "strategy")}, [("SingleUserGap", MetricUnit.Milliseconds, gap)]
        )


def _flush(dimensions: Mapping[str, str], metrics: list[tuple[str, MetricUnit, float]]) -> None:
    """One record of metrics under one set of dimensions."""
    record = EphemeralMetrics(namespace="Keyturn")
    for name, value in dimensions.items():
        record.add_dimension(name, value)
    for metric in metrics:
        record.add_metric(*metric)
    record.flush_metrics()


class _Stdout(StreamHandler[TextIO]):
    """Writes to what sys.stdout is when a line is logged, not when the function was imported."""

    def __init__(self) -> None:
        super().__init__(sys.stdout)

    @property
    def stream(self) -> TextIO:
        return sys.stdout

    @stream.setter
    def stream(self, _: TextIO) -> None:
        pass
