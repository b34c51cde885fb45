"""Rotations on a real server that speaks MongoDB's protocol."""

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

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


def logins(world: Rotating[Any], mark: int) -> tuple[int, int]:
    """(succeeded, failed) since then, by FerretDB's own log."""
    log = world.server.log.read_text()[mark:]
    ended = re.findall(r"saslContinue: authentication.*?`ok`: (\d)", log)
    return ended.count("1"), ended.count("0")


def test_single_user(world: Rotating[Any]) -> None:
    """Ten calls, two logins, none refused; the old password is gone."""
    if world.server.flavour != "ferretdb":
        pytest.skip("MongoDB's log is another")
    mark = len(world.server.log.read_text())
    assert world.rotated().case("setSecret") == "S1"
    assert logins(world, mark) == (2, 0)
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


def test_s3_a_password_that_the_server_never_heard_of(world: Rotating[Any]) -> None:
    """Somebody wrote it into the secret: the version before still logs in."""
    world.rotated()
    world.put(password="never-set-on-the-server")
    assert world.rotated().case("setSecret") == "S3"
    assert world.logs_in()


def test_a1_current_is_rejected_and_an_older_version_is_not(world: Rotating[Any]) -> None:
    """With alternating users that is the proof."""
    world.tag(strategy="alternating-users")
    world.put(password="never-set-on-the-server")
    assert world.rotated().case("setSecret") == "A1"
    assert world.logs_in()


def test_alternating_users(world: Rotating[Any]) -> None:
    """Eleven calls, three logins, none refused; the previous one goes on to log in, and has the same roles."""
    world.tag(strategy="alternating-users")
    for turn in range(4):
        mark = len(world.server.log.read_text())
        world.rotated()
        assert world.server.flavour != "ferretdb" or logins(world, mark) == (3, 0)
        assert len(world.aws.calls_by("keyturn")) == 11
        assert world.value()["username"] == (world.user if turn % 2 else f"{world.user}_clone")
        assert world.logs_in()
        assert world.logs_in("AWSPREVIOUS")
        assert world.server.roles(world.user) == world.server.roles(f"{world.user}_clone")


def test_a_managed_admin(world: Rotating[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret that DocumentDB keeps for its primary user: twelve calls; RDS's API says which server it is of."""
    arn = "arn:aws:rds:eu-west-1:123456789012:cluster:docs"
    real: Any = boto3.client

    def client(service: str, **more: Any) -> Any:
        made = real(service, **more)
        if service == "rds":
            found = {"Endpoint": world.server.host, "Port": world.server.port, "Engine": "docdb"}
            stubber = Stubber(made)
            stubber.add_response("describe_db_clusters", {"DBClusters": [found]}, {"DBClusterIdentifier": arn})
            stubber.activate()
        return made

    monkeypatch.setattr(boto3, "client", client)
    value = json.dumps({"username": ADMIN, "password": ADMIN_PASSWORD})
    tags: Any = [{"Key": "aws:rds:primaryDBClusterArn", "Value": arn}]
    managed = world.client.create_secret(Name="rds!cluster-1", SecretString=value, Tags=tags)["ARN"]
    monkeypatch.setenv("ADMIN_SECRETS", managed)
    world.put(masterarn=managed)
    world.tag(strategy="alternating-users")
    mark = len(world.server.log.read_text())
    world.rotated()
    assert len(world.aws.calls_by("keyturn")) == 12
    assert world.server.flavour != "ferretdb" or logins(world, mark) == (3, 0)
    assert world.logs_in()


def test_a_name_for_the_certificate_cannot_be_had(world: Rotating[Any]) -> None:
    """PyMongo verifies the name that it connects to."""
    world.put(tls_server_name="other")
    assert "tls_server_name" in world.refused("secret-field-invalid")
