"""Built functions, and the runtime that Lambda has of its own."""

import functools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from testkit.emulator import EmulatedFunction, emulated_function, find_emulator, make_runtime
from testkit.servers.postgres import PostgresServer
from testkit.simulator import Simulator
from tests.needed import no_server

ROOT = Path(__file__).parents[2]
FUNCTIONS = {
    "postgres": "PostgresRotator",
    "mysql": "MySqlRotator",
    "redshift": "RedshiftRotator",
    "documentdb": "DocumentDbRotator",
    "api_key": "ApiKeyRotator",
}
Start = Callable[..., EmulatedFunction]
# What make hands down to what it runs, such as these tests; its own runs here must not see it.
HANDED_DOWN = {
    "MAKEFLAGS",
    "MAKELEVEL",
    "MFLAGS",
    "MAKEOVERRIDES",
    "ARGS",
    "STACK",
    "PYTHON",
    "RUNTIME",
    "ARCHITECTURE",
}


def run(*command: str | Path, fails: bool = False, **environment: str) -> str:
    """What a command of the project prints; it must succeed, or fail."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={
            **{name: value for name, value in os.environ.items() if name not in HANDED_DOWN},
            "SAM_CLI_TELEMETRY": "0",
            **environment,
        },
        check=False,
    )
    assert (done.returncode != 0) == fails, done.stdout
    return done.stdout


def sam() -> Path:
    """The command, beside the interpreter that runs the tests."""
    return Path(sys.executable).with_name("sam")


@pytest.fixture(scope="session")
def built_local(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of functions for this machine's interpreter."""
    folder = tmp_path_factory.mktemp("local") / "build"
    run("make", "build-local", f"ARGS=--build-dir {folder}")
    return folder


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of functions for Lambda, as a plain `sam build` makes them."""
    folder = tmp_path_factory.mktemp("arm64") / "build"
    run(sam(), "build", "--build-dir", folder)
    return folder


@pytest.fixture(scope="session")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with what Lambda's runtime has, and nothing else."""
    return make_runtime(tmp_path_factory.mktemp("lambda") / "runtime", ROOT / "requirements-dev.txt")


@pytest.fixture
def launch(built_local: Path, runtime: Path, aws: Simulator) -> Iterator[Start]:
    """Start a rotator's function under the emulator; it finds the simulator, and is known to the service.

    artifact: the folder, where it is not the one that was built
    """
    if find_emulator() is None:
        no_server("Lambda's runtime interface emulator runs on Linux only")
    with ExitStack() as stack:

        def launcher(
            rotator: str, ca_file: Path, *, artifact: Path | None = None, timeout: int = 30, **environment: str
        ) -> EmulatedFunction:
            given = {"SECRETS_MANAGER_ENDPOINT": aws.endpoint, "TLS_CA_FILE": str(ca_file), **environment}
            folder, handler = artifact or built_local / FUNCTIONS[rotator], f"rotators.{rotator}.app.handler"
            function = stack.enter_context(emulated_function(folder, handler, runtime, timeout=timeout, **given))
            aws.add(function)
            return function

        yield launcher


@pytest.fixture
def start(launch: Start, server: PostgresServer) -> Start:
    """PostgreSQL's, which trusts the server's root."""
    return functools.partial(launch, "postgres", server.ca_file)
