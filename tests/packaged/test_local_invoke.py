"""`sam local invoke` with the sample events, in a container, as the docs show it."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from demo.local import FUNCTION, local_world, reachable_address, versions
from testkit.emulator import machine
from testkit.servers.postgres import find_binaries
from tests.conftest import no_server
from tests.packaged.conftest import ROOT, run, sam

EVENTS = ROOT / "events" / "postgres"


def why_not() -> str | None:
    """Why it cannot be tried here; None where it can."""
    image = f"public.ecr.aws/lambda/python:3.13-{machine()}"
    command = ["docker", "image", "inspect", image]
    try:
        asked = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return "no docker command"
    return None if asked.returncode == 0 else f"no Docker engine with the image {image}: {asked.stderr.strip()}"


def test_the_four_events_rotate_in_a_container(tmp_path: Path) -> None:
    """Each step by its own command; then AWSCURRENT is the event's version and logs in."""
    if reason := why_not():
        (pytest.fail if os.environ.get("REQUIRE_DOCKER") else pytest.skip)(reason)
    binaries = find_binaries()
    if binaries is None:
        no_server("no PostgreSQL")
    assert binaries is not None
    run("make", "build", f"ARCHITECTURE={machine()}", f"ARGS=--build-dir {tmp_path}/build")
    fixed = (
        "--config-file",
        ROOT / "samconfig.toml",
        "-t",
        tmp_path / "build" / "template.yaml",
        "--parameter-overrides",
        f"Architecture={machine()}",
    )
    address = reachable_address()
    assert address is not None
    with local_world(binaries, address) as (server, aws):
        for step in ("create", "set", "test", "finish"):
            event = EVENTS / f"{step}_secret.json"
            invoke = (sam(), "local", "invoke", "PostgresRotator", "-e", event, "--env-vars", "events/env.json")
            printed = run(*invoke, "--skip-pull-image", *fixed)
            lines = [json.loads(line) for line in printed.splitlines() if line.startswith('{"level"')]
            assert [(line["step"], line["outcome"]) for line in lines] == [(f"{step}Secret", "succeeded")], printed
        told = json.loads((EVENTS / "create_secret.json").read_text())
        described = aws.client().describe_secret(SecretId=told["SecretId"])
        assert described["RotationLambdaARN"] == FUNCTION
        assert set(described["VersionIdsToStages"][told["ClientRequestToken"]]) == {"AWSCURRENT", "AWSPENDING"}
        shown = {row[1]: row[3] for row in versions(aws.client(), server, told["SecretId"])}
        assert shown == {"AWSCURRENT, AWSPENDING": "[green]logs in[/]", "AWSPREVIOUS": "[red]refused[/]"}
