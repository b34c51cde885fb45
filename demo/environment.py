"""Where the demo's functions find Secrets Manager, and whom they trust: as in Lambda, in their environment."""

import os
from pathlib import Path

from testkit.simulator import Simulator


def set_environment(aws: Simulator, ca_file: Path | None) -> None:
    """For functions in this process, and those that it starts."""
    os.environ.update(
        AWS_DEFAULT_REGION="eu-west-1",
        AWS_ACCESS_KEY_ID="demo",
        AWS_SECRET_ACCESS_KEY="demo",
        SECRETS_MANAGER_ENDPOINT=aws.endpoint,
        TLS_CA_FILE=str(ca_file),
    )
