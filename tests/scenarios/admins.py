"""The admin of a scenario, and where its secret is found."""

import json
from collections.abc import Mapping
from typing import Any

ADMIN, ADMIN_PASSWORD = "matrix_admin", "matrix-admin-password"
ADMIN_SECRETS = "*:secret:matrix/admin-*"


def admin_arn(client: Any, value: Mapping[str, object]) -> str:
    """The admin's secret, made at the first call."""
    try:
        found: str = client.describe_secret(SecretId="matrix/admin")["ARN"]
    except client.exceptions.ResourceNotFoundException:
        found = client.create_secret(Name="matrix/admin", SecretString=json.dumps(value))["ARN"]
    return found
