"""Each server in turn."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from testkit.servers.mysql import MySqlServer
from testkit.simulator import Simulator
from tests.integration.mysql.world import World, make_admin, make_world


@pytest.fixture(params=["mysql", "mariadb"])
def db(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> MySqlServer:
    """MySQL, then MariaDB; the function trusts its root."""
    found: MySqlServer = request.getfixturevalue(request.param)
    monkeypatch.setenv("TLS_CA_FILE", str(found.ca_file))
    return found


@pytest.fixture
def my(mysql: MySqlServer, monkeypatch: pytest.MonkeyPatch) -> MySqlServer:
    """MySQL alone: for what MariaDB has not."""
    monkeypatch.setenv("TLS_CA_FILE", str(mysql.ca_file))
    return mysql


@contextmanager
def _made(server: MySqlServer, aws: Simulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("SECRETS_MANAGER_ENDPOINT", aws.endpoint)
    users = server.users()
    try:
        yield make_world(server, aws)
    finally:
        server.drop_users(keep=users)


@pytest.fixture
def world(db: MySqlServer, aws: Simulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A new user and its secret, on each server."""
    with _made(db, aws, monkeypatch) as world:
        yield world


@pytest.fixture
def dual(my: MySqlServer, aws: Simulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A new user that may keep two passwords, and its secret, by the strategy dual-password."""
    with _made(my, aws, monkeypatch) as world:
        world.run("GRANT APPLICATION_PASSWORD_ADMIN ON *.* TO %s@'%%'", world.user)
        world.tag(strategy="dual-password")
        yield world


@pytest.fixture
def governed(db: MySqlServer, aws: Simulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A new user and its secret, which names an admin, by the strategy single-user."""
    monkeypatch.setenv("SECRETS_MANAGER_ENDPOINT", aws.endpoint)
    users = db.users()
    try:
        admin_arn = make_admin(db, aws)
        monkeypatch.setenv("ADMIN_SECRETS", admin_arn)
        world = make_world(db, aws, masterarn=admin_arn)
        world.tag(strategy="single-user")
        yield world
    finally:
        db.drop_users(keep=users)
