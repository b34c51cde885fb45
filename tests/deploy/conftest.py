"""The emulator with a stack in it; a child process, gone with the tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from testkit.servers.ministack import INSTALLED, Ministack, ministack
from testkit.servers.mysql import MySqlServer, find_mysql
from testkit.servers.postgres import PostgresServer
from tests.deploy.environments import program
from tests.deploy.stack import Stack
from tests.packaged.conftest import run


@pytest.fixture(scope="session")
def cloud() -> Iterator[Ministack]:
    """The emulator, in the environment that the Makefile makes."""
    assert program("ministack") == INSTALLED
    with ministack() as running:
        yield running


@pytest.fixture(scope="session")
def built(server: PostgresServer, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The functions for this machine's interpreter, with the servers' roots as common/ca.pem, as the docs say."""
    folder = tmp_path_factory.mktemp("deployed") / "build"
    run("make", "build-local", f"ARGS=--build-dir {folder}")
    roots = server.ca_file.read_bytes()
    if find_mysql():
        mysql: MySqlServer = request.getfixturevalue("mysql")
        roots += mysql.ca_file.read_bytes()
    for artifact in folder.glob("*/common"):
        (artifact / "ca.pem").write_bytes(roots)
    return folder


@pytest.fixture(scope="session")
def stack(cloud: Ministack, built: Path) -> Stack:
    """The stack `keyturn`, with every function. It goes with the emulator."""
    made = Stack(cloud, "keyturn", built)
    made.deploy()
    return made
