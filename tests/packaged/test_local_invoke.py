"""`sam local invoke` with every sample event, in a container, by the commands that `make local` prints."""

import json
import os
import shlex
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from demo.local import EVENTS, commands, event, function_arn, local_world, versions
from demo.served import SERVERS
from demo.targets import NoServerError
from testkit.emulator import machine
from testkit.servers.containers import reachable_address
from testkit.simulator import Simulator
from tests.needed import no_server
from tests.packaged.conftest import FUNCTIONS, ROOT, run, sam

STEPS = ("create", "set", "test", "finish")


def why_not() -> str | None:
    """Why it cannot be tried here; None where it can."""
    image = f"public.ecr.aws/lambda/python:3.13-{machine()}"
    command = ["docker", "image", "inspect", image]
    try:
        asked = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return "no docker command"
    return None if asked.returncode == 0 else f"no Docker engine with the image {image}: {asked.stderr.strip()}"


@pytest.fixture(scope="module")
def address() -> str:
    """Where containers reach this machine."""
    if reason := why_not():
        (pytest.fail if os.environ.get("REQUIRE_DOCKER") else pytest.skip)(reason)
    found = reachable_address()
    assert found is not None
    return found


@pytest.fixture(scope="module")
def build(address: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The functions for this machine's architecture and Lambda's Python."""
    assert address
    folder = tmp_path_factory.mktemp("invoked") / "build"
    run("make", "build", f"ARCHITECTURE={machine()}", f"ARGS=--build-dir {folder}")
    return folder


def test_every_event_has_a_function() -> None:
    """No folder of samples that these tests pass over; each holds the same six, and env.json names every function."""
    folders = {path.name: {file.name for file in path.iterdir()} for path in EVENTS.iterdir() if path.is_dir()}
    del folders["cloudtrail"]  # what EventBridge's rule is shown, no function
    assert set(folders) == set(SERVERS) == set(FUNCTIONS)
    wanted = {f"{step}_secret.json" for step in STEPS} | {"test_only.json", "cross_account.json"}
    assert all(files == wanted for files in folders.values())
    assert set(FUNCTIONS.values()) <= set(json.loads((EVENTS / "env.json").read_text()))


@pytest.mark.parametrize("target", sorted(SERVERS))
def test_the_events_in_a_container(target: str, address: str, build: Path) -> None:
    """Each step by its own command; then AWSCURRENT is the event's version and logs in. A test alone.

    And the secret of an account that the stack does not trust: refused, as AWS refuses it
    """
    try:
        with local_world(target, address) as (server, aws):
            printed = list(commands(target, server, str(machine())))
            assert printed.pop(0) == f"make build ARCHITECTURE={machine()}"
            while printed[0].startswith("cp "):
                run(*shlex.split(printed.pop(0).replace(".aws-sam/build", str(build))))
            for step, command in zip(STEPS, printed, strict=True):
                assert outcomes(command, build, aws) == [(f"{step}Secret", "succeeded", None)]
            told = event(target, "create_secret")
            described = aws.client().describe_secret(SecretId=told["SecretId"])
            assert described["RotationLambdaARN"] == function_arn(target)
            assert set(described["VersionIdsToStages"][told["ClientRequestToken"]]) == {"AWSCURRENT", "AWSPENDING"}
            shown = {row[1]: row[3] for row in versions(aws.client(), server, told["SecretId"])}
            # A key that was made by hand is revoked, or left; whatever it is, nobody is locked out.
            assert shown["AWSCURRENT, AWSPENDING"] == "[green]logs in[/]"
            if target != "api_key":
                assert shown["AWSPREVIOUS"] == "[red]refused[/]"

            aws.stage(event(target, "test_only"))
            with ThreadPoolExecutor() as both:
                alone, elsewhere = (
                    both.submit(outcomes, printed[0].replace("create_secret", name), build, aws)
                    for name in ("test_only", "cross_account")
                )
            assert alone.result() == [("testSecret", "succeeded", None)]
            assert elsewhere.result() == [("createSecret", "failed", "store-denied")]
    except NoServerError as missing:
        no_server(str(missing))


def outcomes(command: str, build: Path, aws: Simulator) -> list[tuple[str, str, str | None]]:
    """(step, outcome, error code) of each line of a printed command's function."""
    name, *words = shlex.split(command)
    assert name == "sam"
    files = ("--skip-pull-image", "--config-file", ROOT / "samconfig.toml", "-t", build / "template.yaml")
    # It asks whose account this is; where nobody can be reached that takes it 10 s.
    printed = run(sam(), *words, *files, fails=False, AWS_ENDPOINT_URL_STS=aws.endpoint)
    lines = [json.loads(line) for line in printed.splitlines() if line.startswith('{"level"')]
    assert ('"errorMessage"' in printed) == any(line["outcome"] == "failed" for line in lines), printed
    return [(line["step"], line["outcome"], line.get("error_code")) for line in lines]
