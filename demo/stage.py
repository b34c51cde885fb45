"""Who is on stage: the server, the simulator, the function, a secret for each strategy with its clients."""

import importlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import boto3
from rich.console import Console

from demo.environment import set_environment
from demo.measure import Measured
from demo.targets import TARGETS, Cast, NoServerError
from demo.view import Row
from testkit.load.clients import Client, application, probe
from testkit.load.gaps import gap, refused_outside
from testkit.simulator import PythonFunction, Simulator

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

ROTATIONS = 4  # of each secret
SLOW_MOTION = 1.0  # seconds before each step of the first rotations, so that they can be followed
RECOVERY = 12.0  # seconds that the cached application may take: its library waits up to 5 before it refreshes


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
    def overlaps(self) -> bool:
        """Whether AWSCURRENT must work at every instant, and the old password until the next rotation."""
        return self.strategy != "single-user"

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
    cast: Cast
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
        if not self._logs_in(lane.value()):
            broken.append(f"AWSCURRENT does not log in after rotation {number} ({lane.strategy}).")
        old_works = self._logs_in(before)
        if old_works != lane.overlaps:
            broken.append(
                f"The password from before rotation {number} ({lane.strategy}) {'still' if old_works else 'no longer'} logs in."
            )
        self._wait_for_recovery(lane, number, broken)
        gaps = gap(lane.probe, rotation), gap(lane.app, rotation)
        fate = "still logs in" if old_works else "refused"
        return Measured(number, lane.strategy, rotation, slow, calls, *gaps, fate, tuple(broken))

    def leaks(self) -> int:
        """How many passwords that the secrets ever held are found in what the function and the server logged."""
        logs = self.cast.log.read_text(errors="replace") + "".join(rotation.log for rotation in self.aws.rotations)
        values = [json.loads(c.parameters["SecretString"]) for c in self.aws.calls if "SecretString" in c.parameters]
        return sum(value["password"] in logs for value in values)

    def broken_promises(self) -> list[str]:
        """All that did not hold."""
        broken = [promise for lane in self.lanes for one in lane.measured for promise in one.broken]
        for lane in self.lanes:
            broken += [f"A client ended early: {c.error}" for c in (lane.app, lane.probe) if c.error]
            allowed = [] if lane.overlaps else [one.rotation for one in lane.measured if one.rotation.succeeded]
            if stray := refused_outside(lane.probe, allowed):
                broken.append(f"AWSCURRENT ({lane.strategy}) was refused {stray} times outside of a gap.")
            if lane.overlaps and lane.app.failed:
                broken.append(f"The app ({lane.strategy}) was refused {lane.app.failed} times.")
            if len(lane.measured) < ROTATIONS:
                broken.append(f"Only {len(lane.measured)} of {ROTATIONS} rotations were made ({lane.strategy}).")
        if leaks := self.leaks():
            broken.append(f"{leaks} passwords stand in a log.")
        return broken

    def _logs_in(self, text: str) -> bool:
        return self.cast.log_in(json.loads(text))

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
def stage(console: Console, target: str) -> Iterator[Demo]:
    """Start everything; stop it at the end."""
    with ExitStack() as stack:
        started = time.monotonic()
        try:
            cast = stack.enter_context(TARGETS[target]())
        except NoServerError as missing:
            console.print(str(missing), style="red", highlight=False)
            raise SystemExit(2) from None
        aws = stack.enter_context(Simulator())
        set_environment(aws, cast.ca_file)
        # The function as Lambda imports it: it finds Secrets Manager and its settings in the environment.
        function = aws.add_function(f"keyturn-{target}", importlib.import_module(cast.module).handler)
        lanes = list(_lanes(cast, aws, stack))
        console.print(f"{cast.title}, a simulated Secrets Manager at")
        clients = f"{2 * len(lanes)} clients: up in {time.monotonic() - started:.1f} s.\n"
        console.print(f"{aws.endpoint}, the function, {clients}")
        yield Demo(console, cast, aws, function, lanes)


def _lanes(cast: Cast, aws: Simulator, stack: ExitStack) -> Iterator[Lane]:
    """A secret for each strategy; the alternating one names the admin."""
    client = boto3.client("secretsmanager", endpoint_url=aws.endpoint)
    admin = client.create_secret(Name="demo/admin", SecretString=json.dumps(cast.admin))["ARN"]
    os.environ["ADMIN_SECRETS"] = admin
    for strategy, value in cast.users.items():
        named = {"masterarn": admin} if strategy == "alternating-users" else {}
        arn = client.create_secret(
            Name=f"demo/{value['username']}",
            SecretString=json.dumps({**value, **named}),
            Tags=[{"Key": "rotation:strategy", "Value": strategy}],
        )["ARN"]

        def log_in(text: str) -> bool:
            return cast.log_in(json.loads(text))

        app, prober = (make(aws.client(), arn, log_in) for make in (application, probe))
        stack.callback(app.stop)
        stack.callback(prober.stop)
        yield Lane(strategy, arn, client, app, prober)
