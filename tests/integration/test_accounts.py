"""A function in one account, secrets in another, and replicas in another region: on real PostgreSQL.

The simulator refuses whoever asks for a secret of another account than its own, so what works here worked by the role.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from common import accounts
from common.handler import rotation_handler
from common.strategy import SingleUser
from rotators.postgres.target import Postgres
from testkit.servers.postgres import PostgresServer
from testkit.simulator import Simulator
from tests.integration.world import World, drop, make_world_with_admin

THEIRS, OURS, STRANGER = "210987654321", "123456789012", "333333333333"


@pytest.fixture
def theirs(server: PostgresServer, aws: Simulator, trusted: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A user, its admin, and their secrets in an account that this function is deployed to serve."""
    assert trusted.exists()
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.endpoint)
    monkeypatch.setenv("ADMIN_SECRETS", "")
    monkeypatch.setenv("TRUSTED_ACCOUNTS", f"{STRANGER},{THEIRS}")
    monkeypatch.setenv("TRUSTED_ROLE", "platform/keyturn-rotation")
    made = make_world_with_admin(server, aws, client=aws.client_in(THEIRS))
    aws.other_calls.clear()
    yield made
    drop(made)


def code(error: str | None) -> str:
    """Ours, out of an error's text."""
    return str(error).rpartition("[")[2].rstrip("]")


def test_their_role_does_everything(theirs: World) -> None:
    """Secret and admin are read and written as that account's role; alternating users, and both log in after each turn."""
    for turn in ("_clone", ""):
        theirs.rotated()
        assert theirs.value()["username"] == theirs.user + turn
        assert theirs.logs_in()
        assert theirs.logs_in("AWSPREVIOUS")
        by_function = [call for call in theirs.aws.calls if "keyturn" in call.user_agent]
        assert {call.account for call in by_function} == {THEIRS}
        assert len(by_function) == 11, "as for a secret of our own"
        (put,) = [call for call in by_function if call.operation == "PutSecretValue"]
        assert len(put.parameters["RotationToken"]) >= 36, "without it the service refuses a role"


def test_which_role_is_said_by_the_deployment(theirs: World) -> None:
    """The account of the event's ARN and a role's name out of the environment, whatever the secret and its tags say."""
    theirs.client.tag_resource(
        SecretId=theirs.arn,
        Tags=[{"Key": "rotation:account", "Value": STRANGER}, {"Key": "rotation:role", "Value": "x"}],
    )
    theirs.put(account=STRANGER, role=f"arn:aws:iam::{STRANGER}:role/x", roleArn=f"arn:aws:iam::{STRANGER}:role/x")
    theirs.rotated()
    assumed = [call for call in theirs.aws.other_calls if "keyturn" in call.user_agent]
    assert {call.operation for call in assumed} == {"AssumeRole"}
    assert {call.parameters["RoleArn"] for call in assumed} == {f"arn:aws:iam::{THEIRS}:role/platform/keyturn-rotation"}
    assert {call.parameters["RoleSessionName"] for call in assumed} == {"keyturn-postgres"}
    assert {call.parameters["DurationSeconds"] for call in assumed} == {"900"}
    assert len(assumed) == 4, "one a step; nothing is kept between them"


def test_an_admin_of_another_account_is_refused(theirs: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """W1: neither the platform's own, though ADMIN_SECRETS allows it, nor a third account's."""
    admin = theirs.server.secret("boss", "canary-platform-PASSWORD")
    ours = theirs.aws.client().create_secret(Name="admin/ours", SecretString=json.dumps(admin))["ARN"]
    monkeypatch.setenv("ADMIN_SECRETS", "arn:aws:secretsmanager:*")
    for arn in (ours, ours.replace(OURS, STRANGER)):
        theirs.put(masterarn=arn)
        # their role may not read it: AccessDenied, before anything of ours is asked
        assert arn in theirs.refused("store-denied")
        reads = [call for call in theirs.aws.calls if call.parameters.get("SecretId") == arn]
        assert {call.account for call in reads} == {THEIRS}


def test_their_admin_is_not_for_our_secrets(theirs: World) -> None:
    """The other way round: a secret of ours that names an admin of theirs."""
    ours = theirs.aws.client().create_secret(Name="ours", SecretString=json.dumps(theirs.value()))["ARN"]
    theirs.aws.tries = 1
    rotation = theirs.aws.rotate(ours, RotationLambdaARN=theirs.function.arn)
    assert code(rotation.error) == "store-denied"
    assert [call for call in theirs.aws.other_calls if "keyturn" in call.user_agent] == [], "no role is assumed"


@pytest.mark.parametrize("trusted_accounts", ["", STRANGER, THEIRS[:-1], f"{THEIRS}0"])
def test_an_account_that_is_not_trusted(theirs: World, monkeypatch: pytest.MonkeyPatch, trusted_accounts: str) -> None:
    """No role is assumed; the error names the secret and what to set."""
    monkeypatch.setenv("TRUSTED_ACCOUNTS", trusted_accounts)
    error = theirs.refused("store-denied")
    assert theirs.arn in error
    assert "TRUSTED_ACCOUNTS" in error
    assert [call for call in theirs.aws.other_calls if "keyturn" in call.user_agent] == []


def test_a_role_without_a_name(theirs: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The setting that is missing is named."""
    monkeypatch.setenv("TRUSTED_ROLE", "")
    assert "TRUSTED_ROLE" in theirs.refused("setting-invalid")


def test_a_role_that_does_not_trust_us(theirs: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """STS refuses: which role, and what to do in both accounts."""
    real = accounts.own_api

    def denied(service: str) -> Any:
        client = real(service)
        stubber = Stubber(client)
        stubber.add_client_error("assume_role", "AccessDenied", "User: … is not authorized")
        stubber.activate()
        return client

    monkeypatch.setattr(accounts, "own_api", denied)
    error = theirs.refused("account-denied")
    assert f"arn:aws:iam::{THEIRS}:role/platform/keyturn-rotation" in error
    assert "docs/examples/secrets-account.yaml" in error


def test_an_sts_that_is_out_of_reach(theirs: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a VPC without an endpoint of STS."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    assert "AssumeRole" in theirs.refused("store-unavailable")


def test_nothing_of_the_session_is_told(theirs: World) -> None:
    """Its key and its token are in no line of the log."""
    theirs.aws.other_calls.clear()
    given: list[str] = []
    real: Any = boto3.Session

    def session(*credentials: str) -> Any:
        given.extend(credentials[1:])
        return real(*credentials)

    patch = pytest.MonkeyPatch()
    patch.setattr(boto3, "Session", session)
    rotation = theirs.rotated()
    patch.undo()
    assert len(given) == 2 * 4
    assert [value for value in given if value in rotation.log] == []


def test_a_secret_with_replicas(world: World) -> None:
    """They follow their primary: finishSecret is one call, and every region has the new password."""
    world.client.replicate_secret_to_regions(SecretId=world.arn, AddReplicaRegions=[{"Region": "eu-central-1"}])
    there = world.aws.client(region_name="eu-central-1")
    replica = world.arn.replace("eu-west-1", "eu-central-1")
    for _ in range(2):
        world.rotated()
        assert world.logs_in()
        assert there.get_secret_value(SecretId=replica)["SecretString"] == json.dumps(
            world.value(), separators=(",", ":")
        )


@pytest.mark.parametrize("step", ["createSecret", "setSecret", "testSecret", "finishSecret"])
def test_a_replica_is_refused(world: World, step: str) -> None:
    """Clearly, at every step, with the region where to rotate; nothing is changed."""
    world.client.replicate_secret_to_regions(SecretId=world.arn, AddReplicaRegions=[{"Region": "eu-central-1"}])
    before = world.value()
    there = world.aws.client(region_name="eu-central-1")
    function = world.aws.add_function("there", rotation_handler(SingleUser(Postgres()), client=there))
    (version,) = world.client.describe_secret(SecretId=world.arn)["VersionIdsToStages"]
    replica = world.arn.replace("eu-west-1", "eu-central-1")
    invocation = function.invoke({"Step": step, "SecretId": replica, "ClientRequestToken": version})
    assert code(invocation.error) == "secret-is-replica"
    assert "Rotate the secret in eu-west-1" in str(invocation.error)
    assert world.value() == before
    assert world.logs_in()
