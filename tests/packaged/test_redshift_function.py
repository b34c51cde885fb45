"""Redshift's artifact rotates: alone, under Lambda's own emulator, on the stand-in; both strategies."""

import json
from collections.abc import Iterator

import pytest

from testkit.servers.redshift import RedshiftServer
from testkit.simulator import Simulator
from tests.integration.redshift.world import make_admin, make_world
from tests.packaged.conftest import ROOT, Start

STEPS = ("create_secret", "set_secret", "test_secret", "finish_secret")


@pytest.fixture
def cluster(redshift: RedshiftServer) -> Iterator[RedshiftServer]:
    """The stand-in; who was made is gone at the end."""
    before = redshift.identities()
    yield redshift
    redshift.drop_identities(keep=before)


@pytest.mark.parametrize(("strategy", "case"), [("single-user", "S1"), ("alternating-users", "A3")])
def test_it_rotates(cluster: RedshiftServer, aws: Simulator, launch: Start, strategy: str, case: str) -> None:
    """Twice, with the base's rights; with alternating users AWSPREVIOUS logs in too. No password is in any log."""
    alternating = strategy == "alternating-users"
    world = make_world(cluster, aws, **({"masterarn": make_admin(cluster, aws)} if alternating else {}))
    world.function = launch("redshift", cluster.ca_file, ADMIN_SECRETS="arn:aws:secretsmanager:*:*:secret:admin/*")
    cluster.run("CREATE TABLE public.packaged (i int)")
    try:
        world.run("GRANT SELECT ON public.packaged TO {app}")
        for _ in range(2):
            rotation = world.rotated()
            assert rotation.case("setSecret") == case
            assert world.run("SELECT count(*) FROM public.packaged", "AWSCURRENT") == [(0,)]
            assert not alternating or world.logs_in("AWSPREVIOUS")
            logs = rotation.log + cluster.log.read_text() + cluster.behind_it.log.read_text()
            assert world.value()["password"] not in logs
    finally:
        cluster.run("DROP TABLE public.packaged")


def test_the_four_events_rotate(cluster: RedshiftServer, aws: Simulator, launch: Start) -> None:
    """events/redshift/, in order."""
    events = [json.loads((ROOT / "events" / "redshift" / f"{name}.json").read_text()) for name in STEPS]
    cluster.create_user("events", "First-password-1")
    function = launch("redshift", cluster.ca_file)
    aws.seed(events[0], json.dumps(cluster.secret("events", "First-password-1")), function.arn)
    for event in events:
        assert function.invoke(event).error is None
    answer = aws.client().get_secret_value(SecretId=events[0]["SecretId"])
    assert answer["VersionId"] == events[0]["ClientRequestToken"]
    assert cluster.accepts("events", json.loads(answer["SecretString"])["password"])
