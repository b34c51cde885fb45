"""A rotation on real PostgreSQL, for every test that asks for one."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from testkit.servers.postgres import PostgresServer
from testkit.simulator import Simulator
from tests.integration.world import World, make_world

_numbers = itertools.count()


@pytest.fixture
def world(server: PostgresServer, aws: Simulator, trusted: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A new user and its secret."""
    assert trusted.exists()
    monkeypatch.setenv("SECRETS_MANAGER_ENDPOINT", aws.endpoint)
    user = f"app_{next(_numbers)}"
    yield make_world(server, aws, user, "canary-first-PASSWORD")
    server.run(f'DROP ROLE "{user}"')
