"""Worlds at the key service."""

import json
from pathlib import Path

import pytest

from testkit.keyservice import KeyService
from testkit.simulator import Simulator
from tests.integration.api_key.world import KeyWorld


@pytest.fixture
def keys(keyservice: KeyService, aws: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KeyWorld:
    """An account whose keys issue each other, and a secret with its first, hand-made key."""
    monkeypatch.setenv("TLS_CA_FILE", str(keyservice.ca_file))
    monkeypatch.setenv("SECRETS_MANAGER_ENDPOINT", aws.endpoint)
    world = KeyWorld(keyservice, aws, tmp_path / "providers")
    world.deploy()
    world.arn = world.create_secret(world.first_key("app", note="kept"))
    return world


@pytest.fixture
def admins(keys: KeyWorld, monkeypatch: pytest.MonkeyPatch) -> KeyWorld:
    """The same, where an admin's key issues."""
    value = json.dumps(keys.service.secret(keys.service.admin_key))
    admin = keys.client.create_secret(Name="admin/keyservice", SecretString=value)["ARN"]
    monkeypatch.setenv("ADMIN_SECRETS", admin)
    keys.provider = "keyservice_admin"
    keys.arn = keys.create_secret({**keys.value(), "masterarn": admin})
    return keys
