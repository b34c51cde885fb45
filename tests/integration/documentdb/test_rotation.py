"""Rotations on a real server that speaks MongoDB's protocol."""

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest

from common.handler import rotation_handler
from common.strategy import AlternatingUsers, SingleUser
from rotators.documentdb.target import DocumentDb
from testkit.servers.mongo import MongoServer
from testkit.simulator import Simulator
from tests.integration.world import FIRST, Rotating, dies_once

ADMIN, ADMIN_PASSWORD = "world_admin", "canary-admin-PASSWORD"
_numbers = itertools.count()


@pytest.fixture
def world(mongo: MongoServer, aws: Simulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rotating[Any]]:
    """A new user, its admin, and their secrets, by the strategy single-user."""
    monkeypatch.setenv("TLS_CA_FILE", str(mongo.ca_file))
    monkeypatch.setenv("SECRETS_MANAGER_ENDPOINT", aws.endpoint)
    before, client, user = mongo.users(), aws.client(), f"app_{next(_numbers)}"
    mongo.create_user(ADMIN, ADMIN_PASSWORD)
    mongo.create_user(user, FIRST)
    value = json.dumps(mongo.secret(ADMIN, ADMIN_PASSWORD))
    admin_arn = client.create_secret(Name=f"admin/{user}", SecretString=value)["ARN"]
    monkeypatch.setenv("ADMIN_SECRETS", admin_arn)
    value = json.dumps(mongo.secret(user, FIRST, masterarn=admin_arn))
    arn = client.create_secret(Name=f"secret-{user}", SecretString=value)["ARN"]
    documentdb = DocumentDb()
    function = aws.add_function("keyturn", rotation_handler(SingleUser(documentdb), AlternatingUsers(documentdb)))
    made: Rotating[Any] = Rotating(mongo, aws, client, function, arn, user, ADMIN, admin_arn)
    made.tag(strategy="single-user")
    yield made
    mongo.drop_users(keep=before)


def test_single_user(world: Rotating[Any]) -> None:
    """Ten calls; the old password is gone."""
    assert world.rotated().case("setSecret") == "S1"
    assert len(world.aws.calls_by("keyturn")) == 10
    assert world.logs_in()
    assert not world.server.accepts(world.user, FIRST)


def test_recovery(world: Rotating[Any]) -> None:
    """S2, S4, and S5 where the tag names the user with its database."""
    dies_once(world, "setSecret", "after")
    assert world.rotated().case("setSecret") == "S2"
    world.aws.tries = 1
    dies_once(world, "setSecret", "after")
    assert not world.rotate().succeeded
    world.take_pending_off()
    assert world.rotated().case("setSecret") == "S4"
    world.server.set_password(world.user, "forgotten")
    world.tag(reconcile=world.user)
    world.refused("no-login-works")
    world.tag(reconcile=f"{world.user}@admin")
    assert world.rotated().case("setSecret") == "S5"
    assert world.logs_in()


def test_alternating_users(world: Rotating[Any]) -> None:
    """Eleven calls; the previous one goes on to log in, and has the same roles."""
    world.tag(strategy="alternating-users")
    for turn in range(4):
        world.rotated()
        assert len(world.aws.calls_by("keyturn")) == 11
        assert world.value()["username"] == (world.user if turn % 2 else f"{world.user}_clone")
        assert world.logs_in()
        assert world.logs_in("AWSPREVIOUS")
        assert world.server.roles(world.user) == world.server.roles(f"{world.user}_clone")


def test_a_name_for_the_certificate_cannot_be_had(world: Rotating[Any]) -> None:
    """PyMongo verifies the name that it connects to."""
    world.put(tls_server_name="other")
    assert "tls_server_name" in world.refused("secret-field-invalid")
