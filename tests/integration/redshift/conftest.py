"""A rotation on the stand-in for Redshift."""

from collections.abc import Iterator

import pytest

from testkit.servers.redshift import RedshiftServer
from testkit.simulator import Simulator
from tests.integration.redshift.world import World, make_admin, make_world


@pytest.fixture
def cluster(redshift: RedshiftServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[RedshiftServer]:
    """The stand-in, whose root the function trusts; who was made is gone afterwards."""
    monkeypatch.setenv("TLS_CA_FILE", str(redshift.ca_file))
    before = redshift.identities()
    yield redshift
    redshift.drop_identities(keep=before)


@pytest.fixture
def world(cluster: RedshiftServer, aws: Simulator, monkeypatch: pytest.MonkeyPatch) -> World:
    """A new user and its secret."""
    monkeypatch.setenv("SECRETS_MANAGER_ENDPOINT", aws.endpoint)
    return make_world(cluster, aws)


@pytest.fixture
def pair(cluster: RedshiftServer, aws: Simulator, monkeypatch: pytest.MonkeyPatch) -> World:
    """A new user, its admin, and their secrets: alternating users."""
    monkeypatch.setenv("SECRETS_MANAGER_ENDPOINT", aws.endpoint)
    admin_arn = make_admin(cluster, aws)
    monkeypatch.setenv("ADMIN_SECRETS", admin_arn)
    return make_world(cluster, aws, masterarn=admin_arn)
