"""DocumentDB's artifact rotates: alone, under Lambda's own emulator, on FerretDB with DocumentDB's users; both strategies."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from testkit.mongodb.standin import StandIn, stand_in
from testkit.servers.mongo import MongoServer
from testkit.simulator import Simulator
from tests.integration.documentdb.world import make_admin, make_world
from tests.packaged.conftest import ROOT, Start

STEPS = ("create_secret", "set_secret", "test_secret", "finish_secret")


@pytest.fixture
def docdb(mongo: MongoServer, tmp_path: Path) -> Iterator[StandIn]:
    """The server; who was made is gone at the end."""
    with stand_in(mongo, "documentdb", tmp_path / "logins.log") as server:
        yield server


@pytest.mark.parametrize(("strategy", "case"), [("single-user", "S1"), ("alternating-users", "A3")])
def test_it_rotates(docdb: StandIn, aws: Simulator, launch: Start, strategy: str, case: str) -> None:
    """Twice, with the base's roles; with alternating users AWSPREVIOUS logs in too. No password is in our log."""
    world = make_world(docdb, aws, masterarn=make_admin(docdb, aws))
    world.tag(strategy=strategy)
    world.function = launch("documentdb", docdb.ca_file, ADMIN_SECRETS="arn:aws:secretsmanager:*:*:secret:admin/*")
    for _ in range(2):
        rotation = world.rotated()
        assert rotation.case("setSecret") == case
        assert world.logs_in()
        assert docdb.user(world.value()["username"]).roles == [{"role": "readWrite", "db": "shop"}]
        assert strategy == "single-user" or world.logs_in("AWSPREVIOUS")
        assert world.value()["password"] not in rotation.log


def test_the_four_events_rotate(docdb: StandIn, aws: Simulator, launch: Start) -> None:
    """events/documentdb/, in order."""
    events = [json.loads((ROOT / "events" / "documentdb" / f"{name}.json").read_text()) for name in STEPS]
    docdb.create_user("events", "First-password-1")
    function = launch("documentdb", docdb.ca_file)
    aws.seed(events[0], json.dumps(docdb.secret("events", "First-password-1")), function.arn)
    for event in events:
        assert function.invoke(event).error is None
    answer = aws.client().get_secret_value(SecretId=events[0]["SecretId"])
    assert answer["VersionId"] == events[0]["ClientRequestToken"]
    assert docdb.accepts("events", json.loads(answer["SecretString"])["password"])
