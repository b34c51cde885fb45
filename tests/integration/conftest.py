"""A rotation on real PostgreSQL, for every test that asks for one."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from testkit.servers.postgres import PostgresServer
from testkit.simulator import Simulator
from tests.integration.world import FIRST, World, drop, make_world, make_world_with_admin

_numbers = itertools.count()


@pytest.fixture
def world(server: PostgresServer, aws: Simulator, trusted: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A new user and its secret."""
    assert trusted.exists()
    monkeypatch.setenv("SECRETS_MANAGER_ENDPOINT", aws.endpoint)
    made = make_world(server, aws, f"app_{next(_numbers)}", FIRST)
    yield made
    drop(made)


@pytest.fixture(params=["PostgreSQL 17", "PostgreSQL 15"])
def any_server(request: pytest.FixtureRequest) -> PostgresServer:
    """Each server in turn: since 16 granting a role needs ADMIN OPTION on it."""
    found: PostgresServer = request.getfixturevalue("server" if request.param == "PostgreSQL 17" else "server_15")
    return found


@pytest.fixture
def pair(any_server: PostgresServer, aws: Simulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A new user, its admin like RDS's, and their secrets: alternating users, on each server."""
    monkeypatch.setenv("SECRETS_MANAGER_ENDPOINT", aws.endpoint)
    monkeypatch.setenv("TLS_CA_FILE", str(any_server.ca_file))
    monkeypatch.setenv("ADMIN_SECRETS", "")
    made = make_world_with_admin(any_server, aws)
    yield made
    drop(made)


@pytest.fixture
def pair_17(server: PostgresServer, aws: Simulator, trusted: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """As `pair`, on PostgreSQL 17 alone: for what does not depend on the server's version."""
    assert trusted.exists()
    monkeypatch.setenv("SECRETS_MANAGER_ENDPOINT", aws.endpoint)
    monkeypatch.setenv("ADMIN_SECRETS", "")
    made = make_world_with_admin(server, aws)
    yield made
    drop(made)
