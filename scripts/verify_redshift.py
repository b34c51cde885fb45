"""`make verify-redshift`: what the stand-in for Redshift cannot prove, tried on a cluster of yours.

By environment (or make's own arguments): HOST, PORT (5439), DBNAME (dev), and a superuser, either ADMIN_SECRET (the id of its
secret, read with your own AWS credentials; its fields host, port and dbname serve where the others are not said) or
ADMIN_USER and ADMIN_PASSWORD. IAM_ROLE: the ARN of a role that is attached to the cluster, for rights on it. TLS_CA_FILE, as
the function has it. Arguments go to pytest.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3

ROOT = Path(__file__).parents[1]
TESTS = "tests/integration/redshift/on_a_cluster.py"


def told() -> dict[str, str]:
    """The cluster and its superuser."""
    environment = os.environ
    secret = _secret(environment.get("ADMIN_SECRET", ""))
    found = {
        "HOST": environment.get("HOST") or secret.get("host"),
        "PORT": environment.get("PORT") or secret.get("port", 5439),
        "DBNAME": environment.get("DBNAME") or secret.get("dbname", "dev"),
        "ADMIN_USER": secret.get("username") or environment.get("ADMIN_USER"),
        "ADMIN_PASSWORD": secret.get("password") or environment.get("ADMIN_PASSWORD"),
    }
    if missing := [name for name, value in found.items() if not value]:
        raise SystemExit(f"Say {', '.join(missing)}.\n\n{__doc__}")
    return {name: str(value) for name, value in found.items()}


def _secret(name: str) -> dict[str, Any]:
    if not name:
        return {}
    value: dict[str, Any] = json.loads(boto3.client("secretsmanager").get_secret_value(SecretId=name)["SecretString"])
    return value


def main() -> int:
    """Run the tests; their exit code."""
    # No locals and no assertion's values of a connection in what is printed: a password may be among them.
    command = [sys.executable, "-m", "pytest", "--tb=short", "-p", "no:cacheprovider", TESTS, *sys.argv[1:]]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, **told()}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
