"""MySQL's artifact rotates: alone, under Lambda's own emulator; all strategies, on MySQL and MariaDB."""

import json
from collections.abc import Iterator

import pytest

from testkit.servers.mysql import MySqlServer
from testkit.simulator import Simulator
from tests.integration.mysql.world import make_admin, make_world
from tests.packaged.conftest import ROOT, Start

STEPS = ("create_secret", "set_secret", "test_secret", "finish_secret")


@pytest.fixture(params=["mysql", "mariadb"])
def db(request: pytest.FixtureRequest) -> Iterator[MySqlServer]:
    """Each server in turn; what a test makes on it is gone at the end."""
    server: MySqlServer = request.getfixturevalue(request.param)
    before = server.users()
    yield server
    server.drop_users(keep=before)


@pytest.mark.parametrize(
    ("strategy", "case"), [("single-user", "S1"), ("dual-password", "D1"), ("alternating-users", "A3")]
)
def test_it_rotates(db: MySqlServer, aws: Simulator, launch: Start, strategy: str, case: str) -> None:
    """Twice; where there is no gap AWSPREVIOUS logs in too."""
    if db.flavour == "mariadb" and strategy == "dual-password":
        pytest.skip("MariaDB has no dual passwords")
    alternating = strategy == "alternating-users"
    world = make_world(db, aws, **({"masterarn": make_admin(db, aws)} if alternating else {}))
    world.tag(strategy=strategy)
    if strategy == "dual-password":
        db.run("GRANT APPLICATION_PASSWORD_ADMIN ON *.* TO %s", world.user)
    world.function = launch("mysql", db.ca_file, ADMIN_SECRETS="arn:aws:secretsmanager:*:*:secret:admin/*")
    for _ in range(2):
        rotation = world.rotated()
        assert rotation.case("setSecret") == case
        assert world.logs_in()
        assert strategy == "single-user" or world.logs_in("AWSPREVIOUS")
        assert world.value()["password"] not in rotation.log + db.log.read_text()


def test_the_four_events_rotate(db: MySqlServer, aws: Simulator, launch: Start) -> None:
    """events/mysql/, in order."""
    events = [json.loads((ROOT / "events" / "mysql" / f"{name}.json").read_text()) for name in STEPS]
    db.create_user("events", "first-password")
    function = launch("mysql", db.ca_file)
    aws.seed(events[0], json.dumps(db.secret("events", "first-password")), function.arn)
    for event in events:
        assert function.invoke(event).error is None
    answer = aws.client().get_secret_value(SecretId=events[0]["SecretId"])
    assert answer["VersionId"] == events[0]["ClientRequestToken"]
    assert db.accepts("events", json.loads(answer["SecretString"])["password"])
