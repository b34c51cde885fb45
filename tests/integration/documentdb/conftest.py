"""FerretDB, and MongoDB's and DocumentDB's users in front of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from testkit.mongodb.standin import StandIn, stand_in
from testkit.servers.mongo import MongoServer
from testkit.simulator import Simulator
from tests.integration.documentdb.world import World, make_admin, make_world
from tests.needed import no_server


@pytest.fixture
def ferret(mongo: MongoServer, monkeypatch: pytest.MonkeyPatch) -> MongoServer:
    """FerretDB itself, whose root the function trusts."""
    if mongo.flavour != "ferretdb":
        no_server("MongoDB's users are FerretDB's here, with what MongoDB's manual says of them")
    monkeypatch.setenv("TLS_CA_FILE", str(mongo.ca_file))
    return mongo


@pytest.fixture(params=["mongodb", "documentdb"])
def db(request: pytest.FixtureRequest, ferret: MongoServer, tmp_path: Path) -> Iterator[StandIn]:
    """With users as MongoDB has them, then as DocumentDB has."""
    with stand_in(ferret, request.param, tmp_path / "logins.log") as server:
        yield server


@pytest.fixture
def mongodb(ferret: MongoServer, tmp_path: Path) -> Iterator[StandIn]:
    """MongoDB's alone: for what DocumentDB has not."""
    with stand_in(ferret, "mongodb", tmp_path / "logins.log") as server:
        yield server


@pytest.fixture
def docdb(ferret: MongoServer, tmp_path: Path) -> Iterator[StandIn]:
    """DocumentDB's alone."""
    with stand_in(ferret, "documentdb", tmp_path / "logins.log") as server:
        yield server


def _world(server: StandIn, aws: Simulator, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("SECRETS_MANAGER_ENDPOINT", aws.endpoint)
    admin_arn = make_admin(server, aws)
    monkeypatch.setenv("ADMIN_SECRETS", admin_arn)
    return make_world(server, aws, masterarn=admin_arn)


@pytest.fixture
def world(db: StandIn, aws: Simulator, monkeypatch: pytest.MonkeyPatch) -> World:
    """A new user and its secret, which names an admin, by the strategy single-user; on each."""
    return _world(db, aws, monkeypatch)


@pytest.fixture
def pair(world: World) -> World:
    """By alternating users, on each."""
    world.tag(strategy="alternating-users")
    return world


@pytest.fixture
def on_mongodb(mongodb: StandIn, aws: Simulator, monkeypatch: pytest.MonkeyPatch) -> World:
    """As `pair`, on MongoDB alone."""
    made = _world(mongodb, aws, monkeypatch)
    made.tag(strategy="alternating-users")
    return made


@pytest.fixture
def on_docdb(docdb: StandIn, aws: Simulator, monkeypatch: pytest.MonkeyPatch) -> World:
    """As `pair`, on DocumentDB alone."""
    made = _world(docdb, aws, monkeypatch)
    made.tag(strategy="alternating-users")
    return made
