"""W7 where an admin's key sets a value: for nobody but the account that the secret's own key has proven."""

import json
from pathlib import Path

import pytest

from testkit.keyservice import refused
from testkit.providers import write_provider
from tests.integration.api_key.world import KeyWorld


@pytest.fixture
def chosen(keys: KeyWorld, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> KeyWorld:
    """A provider whose values are chosen, at the key service: it knows `check`, and notes all else that it is asked."""
    value = json.dumps({**keys.service.secret("x"), "username": "boss", "password": keys.service.admin_key})
    admin = keys.client.create_secret(Name="admin/chosen", SecretString=value)["ARN"]
    monkeypatch.setenv("ADMIN_SECRETS", admin)
    key = keys.value()["key"]
    keys.deploy()
    check = {
        "request": {"method": "GET", "path": "/me", "headers": {"Authorization": "Bearer {secret.password}"}},
        "account": "account",
    }
    admins = {"secrets": [admin], "account": "username"}
    write_provider(keys.folder, "rabbitmq", keys.service.port, called="chosen", check=check, admin=admins)
    keys.redeploy()
    keys.provider = "chosen"
    secret = {**keys.service.secret("x"), "username": "app", "password": key, "masterarn": admin}
    keys.arn = keys.create_secret(secret)
    assert tmp_path.exists()
    return keys


def test_w7_a_key_that_is_known_and_may_not_check(chosen: KeyWorld) -> None:
    """403 proves no account: the admin's key is not sent."""
    chosen.service.always("check", refused(403))
    chosen.refused("service-forbids")
    assert set(chosen.asked()) == {"check"}


def test_w7_a_key_of_another_account(chosen: KeyWorld) -> None:
    """The secret names a victim, with a key of its writer's own."""
    value = {**chosen.value(), "username": "victim"}
    chosen.client.put_secret_value(SecretId=chosen.arn, SecretString=json.dumps(value))
    chosen.refused("no-login-works")
    assert chosen.service.admin_key not in {request.bearer for request in chosen.service.requests}
    assert set(chosen.asked()) == {"check"}


def test_w7_the_account_that_was_proven(chosen: KeyWorld) -> None:
    """What the admin's key is sent for then."""
    chosen.refused("service-refuses")
    assert chosen.service.requests[-1].path == "/api/users/app"
