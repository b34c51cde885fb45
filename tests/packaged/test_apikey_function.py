"""The artifact of API keys rotates: alone, under Lambda's own emulator, with a provider file that a user has added to it."""

import json
import shutil
from pathlib import Path

import pytest

from testkit.keyservice import KeyService
from testkit.providers import write_provider
from testkit.simulator import Simulator
from tests.integration.api_key.world import KeyWorld
from tests.packaged.conftest import ROOT, Start

STEPS = ("create_secret", "set_secret", "test_secret", "finish_secret")


@pytest.fixture
def artifact(built_local: Path, tmp_path: Path) -> Path:
    """A copy of what was built, for provider files of its own."""
    return shutil.copytree(built_local / "ApiKeyRotator", tmp_path / "artifact")


@pytest.fixture
def providers(artifact: Path) -> Path:
    """Where the artifact has its provider files."""
    return artifact / "rotators" / "api_key" / "providers"


@pytest.fixture
def world(keyservice: KeyService, aws: Simulator, artifact: Path, providers: Path, launch: Start) -> KeyWorld:
    """A secret with an account's first, hand-made key, and the artifact as its function."""
    world = KeyWorld(keyservice, aws, providers)
    write_provider(providers, "keyservice", keyservice.port)
    world.arn = world.create_secret(world.first_key("app"))
    assert keyservice.ca_file is not None
    world.function = launch("api_key", keyservice.ca_file, artifact=artifact, ROTATION_STRATEGY="")
    return world


def test_it_rotates(world: KeyWorld) -> None:
    """Twice: AWSPREVIOUS works on, older keys are revoked, the hand-made one too; no key is in our log."""
    first = world.value()["key"]
    for number in range(2):
        rotation = world.rotated()
        assert (rotation.case("createSecret"), rotation.case("finishSecret")) == ("K1", "K2")
        assert world.live() == world.held() == {world.value()["key"], world.value("AWSPREVIOUS")["key"]}
        assert (first in world.live()) == (number == 0)
        assert not [key.key for key in world.service.keys("app") if key.key in rotation.log]


def test_the_four_events_rotate(world: KeyWorld) -> None:
    """events/api_key/, in order, of a secret that the provider file lists instead of a tag."""
    events = [json.loads((ROOT / "events" / "api_key" / f"{name}.json").read_text()) for name in STEPS]
    write_provider(world.folder, "keyservice", world.service.port, secrets=[events[0]["SecretId"]])
    world.aws.seed(events[0], json.dumps(world.first_key("events")), world.function.arn)
    for event in events:
        assert world.function.invoke(event).error is None
    answer = world.aws.client().get_secret_value(SecretId=events[0]["SecretId"])
    assert answer["VersionId"] == events[0]["ClientRequestToken"]
    assert world.service.accepts("events", json.loads(answer["SecretString"])["key"])


def test_a_broken_provider_file_fails_the_init(world: KeyWorld) -> None:
    """Each invocation says which file, and where in it; nothing is asked of the service or of Secrets Manager."""
    write_provider(world.folder, "keyservice", world.service.port, called="broken", check={"account": "a b ("})
    world.aws.tries = 1
    rotation = world.rotate()
    assert "broken.json: check.account: is not JMESPath" in str(rotation.error)
    assert not world.aws.calls_by("keyturn")
    assert not world.asked()
