"""Issued keys on real ntfy: tokens that are their own ids, and that a request for one more would push out when they are 60."""

import itertools
import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from common.handler import handler_by_secret
from common.holdings import label_of
from rotators.api_key.choice import by_provider
from rotators.api_key.provider import load_providers
from testkit.providers import write_provider
from testkit.servers.ntfy import NtfyServer
from testkit.simulator import PythonFunction, Rotation, Simulator

LIMIT = 60
_numbers = itertools.count()


@dataclass
class NtfyWorld:
    """A user of ntfy, and secrets with tokens of his."""

    server: NtfyServer
    aws: Simulator
    function: PythonFunction
    user: str
    password: str
    arn: str = ""

    def create_secret(self) -> str:
        """A secret with a token that was made by hand; its ARN."""
        token = self.server.issue(self.user, self.password, "by hand")
        value = json.dumps({"host": self.server.host, "token": token, "note": "kept"})
        client = self.aws.client()
        arn = str(client.create_secret(Name=f"ntfy-{next(_numbers)}", SecretString=value)["ARN"])
        client.tag_resource(SecretId=arn, Tags=[{"Key": "rotation:provider", "Value": "ntfy"}])
        return arn

    def rotate(self, arn: str = "") -> Rotation:
        """RotateSecret, and all that follows."""
        self.aws.calls.clear()
        return self.aws.rotate(arn or self.arn, RotationLambdaARN=self.function.arn)

    def rotated(self, arn: str = "") -> Rotation:
        """A rotation that succeeds."""
        rotation = self.rotate(arn)
        assert rotation.succeeded, rotation.error
        return rotation

    def refused(self, code: str) -> str:
        """A rotation that fails with this code; its error."""
        self.aws.tries = 1
        error = str(self.rotate().error)
        assert f"[{code}]" in error, error
        client = self.aws.client()
        for version, labels in client.describe_secret(SecretId=self.arn)["VersionIdsToStages"].items():
            if labels == ["AWSPENDING"]:
                client.update_secret_version_stage(
                    SecretId=self.arn, VersionStage="AWSPENDING", RemoveFromVersionId=version
                )
        return error

    def token(self, stage: str = "AWSCURRENT", arn: str = "") -> str:
        """The token of the version that holds this label."""
        answer = self.aws.client().get_secret_value(SecretId=arn or self.arn, VersionStage=stage)
        value = json.loads(answer["SecretString"])
        assert value["note"] == "kept"
        return str(value["token"])

    def tokens(self) -> dict[str, dict[str, Any]]:
        """{token: what the service says of it}, of all that live."""
        return {one["token"]: one for one in self.server.tokens(self.user, self.password)}

    def works(self, stage: str = "AWSCURRENT", arn: str = "") -> bool:
        """Whether the token of this version lets the user in."""
        answer = self.server.ask("GET", "/v1/account", login=("", self.token(stage, arn)))
        return answer.status == 200 and answer.body["username"] == self.user

    def revoke(self, token: str) -> None:
        """By hand."""
        answer = self.server.ask("DELETE", "/v1/account/token", login=(self.user, self.password), X_Token=token)
        assert answer.status == 200, answer.text


@pytest.fixture
def world(ntfy: NtfyServer, aws: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[NtfyWorld]:
    """A new user, and a secret with a token of his that was made by hand."""
    monkeypatch.setenv("TLS_CA_FILE", str(ntfy.ca_file))
    monkeypatch.setenv("SECRETS_MANAGER_ENDPOINT", aws.endpoint)
    write_provider(tmp_path / "providers", "ntfy", ntfy.port)
    handler = handler_by_secret("api_key", by_provider(load_providers(tmp_path / "providers")))
    user, password = f"user{next(_numbers)}", secrets.token_hex(16)
    ntfy.create_user(user, password)
    made = NtfyWorld(ntfy, aws, aws.add_function("keyturn-api-key", handler), user, password)
    made.arn = made.create_secret()
    yield made
    ntfy.drop_users(ntfy.users() - {user})


def test_rotations(world: NtfyWorld) -> None:
    """Overlap, then revocation: the hand-made token is gone after the second, nothing else is left, none expires."""
    first = world.token()
    for number in range(3):
        world.rotated()
        assert world.works()
        assert world.works("AWSPREVIOUS")
        assert set(world.tokens()) == {world.token(), world.token("AWSPREVIOUS")}
        assert (first in world.tokens()) == (number == 0)
    versions = world.aws.client().describe_secret(SecretId=world.arn)["VersionIdsToStages"]
    assert {one["label"] for one in world.tokens().values()} == {label_of(world.arn, version) for version in versions}
    assert not any(one.get("expires") for one in world.tokens().values())
    assert len(world.aws.calls_by("keyturn")) <= 13


def test_a_token_that_was_revoked_by_hand_before_the_sweep(world: NtfyWorld) -> None:
    """ntfy answers 500 to it; the rotation goes on."""
    world.rotated()
    world.rotated()
    world.revoke(world.token("AWSPREVIOUS"))
    world.rotated()
    assert world.works()
    assert len(world.tokens()) == 2


def test_revoking_what_is_gone(world: NtfyWorld) -> None:
    """What ntfy answers to that, which the provider's file calls gone."""
    answer = world.server.ask(
        "DELETE", "/v1/account/token", login=(world.user, world.password), X_Token="tk_" + "x" * 29
    )
    assert answer.status in (404, 500)


def test_k4_the_limit_is_counted(world: NtfyWorld) -> None:
    """ntfy drops the oldest of 61 without a word: none of somebody else's is, as nothing is issued at 60."""
    others = {world.server.issue(world.user, world.password, f"other {number}") for number in range(LIMIT - 1)}
    assert len(world.tokens()) == LIMIT
    assert "as many keys" in world.refused("key-limit")
    assert others <= set(world.tokens())
    assert world.works()
    world.revoke(others.pop())
    world.rotated()
    assert len(world.tokens()) == LIMIT
    assert world.rotated().case("createSecret") == "K4"  # AWSPREVIOUS's, made by hand, had to go first
    assert others <= set(world.tokens())
    assert world.works()
    assert len(world.tokens()) <= LIMIT


def test_two_secrets_of_one_user(world: NtfyWorld) -> None:
    """Each rotates its own tokens, and never the other's."""
    other = world.create_secret()
    for arn in (world.arn, other, other, world.arn, other):
        world.rotated(arn)
        for each in (world.arn, other):
            assert world.works(arn=each)
    assert len(world.tokens()) == 4


@pytest.mark.parametrize("token", ["tk_" + "x" * 29, "nonsense", "tk_short", "ümlaut", "a\r\nb"])
def test_a_token_that_is_none(world: NtfyWorld, token: str) -> None:
    """A clear error, nothing issued, nothing revoked."""
    before = set(world.tokens())
    value = json.dumps({"host": world.server.host, "token": token, "note": "kept"})
    world.aws.client().put_secret_value(SecretId=world.arn, SecretString=value)
    fits = token.isascii() and token.isprintable()
    assert token not in world.refused("login-rejected" if fits else "secret-field-invalid")
    assert set(world.tokens()) == before


def test_nobodys_token(world: NtfyWorld) -> None:
    """ntfy answers 200 to nobody as well, as the user *: that is not a login."""
    assert world.server.ask("GET", "/v1/account", login=("", "")).status in (200, 401)
    value = json.dumps({"host": world.server.host, "token": "", "note": "kept"})
    world.aws.client().put_secret_value(SecretId=world.arn, SecretString=value)
    world.refused("secret-field-invalid")
