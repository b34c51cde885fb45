"""OverdueWatch: once an hour, which secrets should have been rotated by now and have not.

A rotation that fails is in CloudTrail; one that never begins is nowhere, but in NextRotationDate: "The next rotation is
scheduled to occur on or before this date. … If rotation is unsuccessful, this date may be in the past" (API reference,
DescribeSecret). So the secrets are listed, and those counted whose date is longer ago than GRACE_HOURS.

- Watched are the secrets of this account and region whose rotation is on and whose function is one of FUNCTIONS, in
  whatever version or alias. Not those of another account, which ListSecrets does not name, nor those that RDS or
  another service rotates without a function.
- A watched secret without NextRotationDate is not overdue: nothing is promised for it.
- Only ListSecrets is called: names, dates and tags come with it, never a value.
- Where listing fails the function does, and emits nothing: the alarm takes a missing count for a bad one.

Environment: STACK, the metrics' dimension; FUNCTIONS, ARNs with commas between; GRACE_HOURS, 24 without it.
"""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeAlias

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_secretsmanager.type_defs import SecretListEntryTypeDef

Handler: TypeAlias = Callable[[object, object], None]

FIX = (
    "See why in CloudTrail (RotationStarted, RotationFailed) and in the rotation function's log, then call RotateSecret. "
    "docs/runbook.md, 'A secret is overdue', says how."
)
logger = Logger(service="keyturn-watch", utc=True, location=None)


def overdue_watch(
    client: "SecretsManagerClient | None" = None, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> Handler:
    """A Lambda handler that counts. client, now: for tests."""
    secrets_manager = client or boto3.client(
        "secretsmanager",
        endpoint_url=os.environ.get("SECRETS_MANAGER_ENDPOINT") or None,
        config=Config(connect_timeout=5, read_timeout=10, retries={"mode": "standard"}, user_agent_extra="keyturn"),
    )

    def handler(_event: object, _context: object) -> None:
        """One log line for each secret that is overdue, and both counts as metrics."""
        functions = {_unqualified(arn.strip()) for arn in os.environ["FUNCTIONS"].split(",") if arn.strip()}
        latest = now() - timedelta(hours=float(os.environ.get("GRACE_HOURS") or 24))
        watched = list(_watched(secrets_manager, functions))
        overdue = [secret for secret in watched if (date := secret.get("NextRotationDate")) and date < latest]
        for secret in overdue:
            _log(secret, now())
        _emit(os.environ["STACK"], overdue=len(overdue), watched=len(watched))

    return handler


def _watched(client: "SecretsManagerClient", functions: set[str]) -> "Iterator[SecretListEntryTypeDef]":
    """The secrets whose rotation is on, by one of these functions."""
    for page in client.get_paginator("list_secrets").paginate(IncludePlannedDeletion=False):
        for secret in page["SecretList"]:
            if secret.get("RotationEnabled") and _unqualified(secret.get("RotationLambdaARN", "")) in functions:
                yield secret


def _unqualified(function_arn: str) -> str:
    """The function's ARN without a version or alias."""
    return ":".join(function_arn.split(":")[:7])


def _log(secret: "SecretListEntryTypeDef", now: datetime) -> None:
    """What is known of one that is overdue."""
    due, rotated = secret["NextRotationDate"], secret.get("LastRotatedDate")
    facts = {
        "secret_id": secret["ARN"],
        "next_rotation_date": due.astimezone(UTC).isoformat(),
        "last_rotated_date": rotated.astimezone(UTC).isoformat() if rotated else "never",
        "hours_overdue": round((now - due) / timedelta(hours=1), 1),
    }
    logger.error("rotation overdue", extra={**facts, "fix": FIX})


def _emit(stack: str, *, overdue: int, watched: int) -> None:
    """Both counts in CloudWatch's embedded format."""
    record = EphemeralMetrics(namespace="Keyturn")
    record.add_dimension("stack", stack)
    record.add_metric("SecretsOverdue", MetricUnit.Count, overdue)
    record.add_metric("SecretsWatched", MetricUnit.Count, watched)
    record.flush_metrics()


handler = overdue_watch()
