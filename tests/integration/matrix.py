"""What the crash matrices of all targets do alike."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from testkit.crash.matrix import Scenario, run_matrix

Record = Callable[[str, object], None]
ADMIN, ADMIN_PASSWORD = "matrix_admin", "matrix-admin-password"
ADMIN_SECRETS = "*:secret:matrix/admin-*"


def every_death(scenario: Scenario, record: Record) -> None:
    """AWSCURRENT logs in, its rights are no fewer, one version is current, no credential is orphaned."""
    coverage = run_matrix(scenario)
    record("covered", str(coverage))
    assert not coverage.broken, "\n".join(coverage.broken)
    assert coverage.runs == 4 * sum(coverage.messages.values()) > 100


def admin_arn(client: Any, value: Mapping[str, object]) -> str:
    """The admin's secret, made at the first call."""
    try:
        found: str = client.describe_secret(SecretId="matrix/admin")["ARN"]
    except client.exceptions.ResourceNotFoundException:
        found = client.create_secret(Name="matrix/admin", SecretString=json.dumps(value))["ARN"]
    return found
