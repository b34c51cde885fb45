"""AWS on this machine, as far as a stack needs it: CloudFormation with SAM's transform, IAM, Lambda, S3, Secrets Manager.

It is `ministack` (PyPI, MIT licence), in an environment of its own that `make .venv/ministack/.ready` makes; one port, one
process, and a child for each function that is called, which runs the artifact by ministack's own Python. Unlike AWS:

- RotateSecret is a stub: it enables rotation, makes a copy of AWSCURRENT the new AWSCURRENT, and calls no function. So who
  tests a function stages AWSPENDING and calls the four steps himself (see tests/deploy/stack.py).
- GetSecretValue answers a version that has no value without SecretString, where AWS says ResourceNotFoundException, and
  PutSecretValue overwrites a value that is there already, where AWS says ResourceExistsException; so createSecret is not retried here. It
  does not take AWSPENDING off another version.
- A function's error has the errorType Runtime.HandlerError, whatever class it is of.
- Whoever calls may do anything. AUTH=true would hold roles to their policies, but knows no condition key
  secretsmanager:resource/AllowRotationLambdaArn, and so would let our functions do nothing.
- A function runs on ministack's own Python, whatever its Runtime says, and not in its VPC.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from testkit.servers.process import free_port, keeper
from testkit.simulator.calls import ACCOUNT, REGION

INSTALLED = Path(sys.prefix) / "ministack" / "bin" / "ministack"
# Listeners and sweeps that are of no use here, on ports and at a Docker engine that are not ours.
_OFF = {"IOT_MTLS_ENABLED": "0", "SFTP_ENABLED": "0", "DOCKER_HOST": "unix:///nowhere"}


@dataclass(frozen=True)
class Ministack:
    """A running emulator. log: what it logged, which is not what the functions print."""

    port: int
    log: Path

    @property
    def endpoint(self) -> str:
        """Of every service."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What makes a command such as `sam` speak to it: the account is that of the access key."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": "test",
        }

    def client(self, service: str) -> Any:
        """A boto client of one service."""
        return boto3.client(  # type: ignore[call-overload]
            service,
            endpoint_url=self.endpoint,
            aws_access_key_id=ACCOUNT,
            aws_secret_access_key="test",
            region_name=REGION,
        )


@contextmanager
def ministack(program: Path = INSTALLED) -> Iterator[Ministack]:
    """A new emulator, empty; it and the functions that it runs end with the block, also when we are killed."""
    # As our own account: the environment may be where no other can read.
    with keeper("ministack", user="") as kept:
        running = Ministack(free_port(), kept.folder / "server.log")
        settings = {
            "PATH": "/usr/bin:/bin",
            "HOME": kept.folder,
            "TMPDIR": kept.folder,
            "GATEWAY_PORT": running.port,
            "BIND_HOST": "127.0.0.1",
            "MINISTACK_REGION": REGION,
            **_OFF,
        }
        words = (f"{name}={value}" for name, value in settings.items())
        kept.serve("/usr/bin/env", "-i", *words, program, port=running.port)
        yield running
