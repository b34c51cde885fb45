"""Managed admin secrets, and which names are one server: by RDS's API."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from common import endpoints
from common.accounts import own_api
from common.admin import read_admin, require_same_server
from common.errors import NotRotatable, StoreError
from common.guard import Description
from common.secret import Secret
from common.store import Store
from rotators.postgres.target import Postgres
from testkit.simulator import Simulator


@pytest.fixture
def rds(aws: Simulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """RDS, by moto; endpoints finds it by AWS_ENDPOINT_URL."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.endpoint)
    monkeypatch.setenv("ADMIN_SECRETS", "*")
    client = boto3.client("rds")
    yield client
    from moto.rds.models import rds_backends  # noqa: PLC0415

    rds_backends.reset()
    rds_backends.clear()


def instance(rds: Any, name: str, **more: Any) -> dict[str, Any]:
    """A database instance."""
    settings = {"Engine": "postgres", "DBInstanceClass": "db.t3.micro", "Port": 5433} | more
    if "DBClusterIdentifier" not in more:
        settings |= {"AllocatedStorage": 10, "MasterUsername": "boss", "MasterUserPassword": "password-of-boss"}
    made: dict[str, Any] = rds.create_db_instance(DBInstanceIdentifier=name, **settings)["DBInstance"]
    return made


def cluster(rds: Any, name: str) -> dict[str, Any]:
    """An Aurora cluster."""
    made: dict[str, Any] = rds.create_db_cluster(
        DBClusterIdentifier=name,
        Engine="aurora-postgresql",
        MasterUsername="boss",
        MasterUserPassword="password-of-boss",
        Port=5434,
    )["DBCluster"]
    return made


def managed(aws: Simulator, tag: str, arn: str) -> tuple[Store, Description, Secret]:
    """A managed admin secret with RDS's tag, and a secret that names it."""
    client = aws.client()
    admin = client.create_secret(
        Name="rds!db-1",
        SecretString=json.dumps({"username": "boss", "password": "x"}),
        Tags=[{"Key": tag, "Value": arn}],
    )["ARN"]
    app = client.create_secret(Name="app", SecretString="{}")["ARN"]
    current = Secret({"engine": "postgres", "masterarn": admin}, "AWSCURRENT of app")
    return Store(client), Description(app, True, {}, {}), current  # noqa: FBT003


@pytest.mark.parametrize("tag", ["aws:rds:primaryDBInstanceArn", "aws:rds:primarydbinstancearn"])
def test_a_managed_admin_of_an_instance(aws: Simulator, rds: Any, tag: str) -> None:
    """Host, port and engine come from RDS, by the tag that only AWS sets, in whatever case."""
    made = instance(rds, "db-1")
    store, secret, current = managed(aws, tag, made["DBInstanceArn"])
    aws.calls.clear()
    admin = read_admin(store, secret, current)
    assert (admin["host"], admin["port"], admin["engine"]) == (made["Endpoint"]["Address"], 5433, "postgres")
    assert [call.operation for call in aws.calls] == ["GetSecretValue", "DescribeSecret"], (
        "one more than an ordinary one's"
    )


def test_a_managed_admin_of_a_cluster(aws: Simulator, rds: Any) -> None:
    """Its writer's endpoint."""
    made = cluster(rds, "aurora-1")
    store, secret, current = managed(aws, "aws:rds:primaryDBClusterArn", made["DBClusterArn"])
    admin = read_admin(store, secret, current)
    assert (admin["host"], admin["port"], admin["engine"]) == (made["Endpoint"], 5434, "aurora-postgresql")
    assert Postgres().account(admin).server_kind == "postgres"


@pytest.mark.usefixtures("rds")
def test_a_managed_admin_without_a_tag(aws: Simulator) -> None:
    """Nothing says which server it is of."""
    store, secret, current = managed(aws, "other", "x")
    with pytest.raises(NotRotatable) as error:
        read_admin(store, secret, current)
    assert error.value.code == "admin-without-server"


def test_an_admin_of_a_service_is_no_managed_one(aws: Simulator, rds: Any) -> None:
    """A provider's file says where its key goes: what has no engine is no database, and nobody is asked about it."""
    store, secret, current = managed(aws, "aws:rds:primaryDBInstanceArn", instance(rds, "db-1")["DBInstanceArn"])
    aws.calls.clear()
    of_a_service = Secret({"masterarn": current["masterarn"]}, "AWSCURRENT of app")
    assert dict(read_admin(store, secret, of_a_service)) == {"username": "boss", "password": "x"}
    assert [call.operation for call in aws.calls] == ["GetSecretValue"]


def test_endpoints_of_one_cluster(rds: Any) -> None:
    """Writer, reader and instances of the admin's cluster; no other cluster's, no part of a name."""
    one, other = cluster(rds, "one"), cluster(rds, "other")
    member = instance(rds, "one-a", DBClusterIdentifier="one", Engine="aurora-postgresql")
    for host in (one["ReaderEndpoint"], member["Endpoint"]["Address"]):
        assert endpoints.are_one_server(own_api, one["Endpoint"], host)
    for host in (other["Endpoint"], f"x{one['ReaderEndpoint']}", one["ReaderEndpoint"][1:], "evil.example.com"):
        assert not endpoints.are_one_server(own_api, one["Endpoint"], host)


def test_replicas_of_an_instance(rds: Any) -> None:
    """A replica whose source is the admin's instance; not the other way round, not somebody else's."""
    source, other = instance(rds, "source"), instance(rds, "other")
    replica = rds.create_db_instance_read_replica(DBInstanceIdentifier="replica", SourceDBInstanceIdentifier="source")
    host = replica["DBInstance"]["Endpoint"]["Address"]
    assert endpoints.are_one_server(own_api, source["Endpoint"]["Address"], host)
    assert not endpoints.are_one_server(own_api, other["Endpoint"]["Address"], host)
    assert not endpoints.are_one_server(own_api, host, source["Endpoint"]["Address"])


def test_w2_by_rds(rds: Any) -> None:
    """A secret of the cluster's reader, an admin of its writer."""
    made = cluster(rds, "one")
    admin = Secret(
        {"engine": "aurora-postgresql", "host": made["Endpoint"], "port": 5434, "username": "boss", "password": "x"},
        "admin",
    )
    current = admin.with_fields("AWSCURRENT of app", engine="postgres", host=made["ReaderEndpoint"].upper() + ".")
    account = Postgres().account
    require_same_server(own_api, current, account(current), account(admin), {})
    for wrong in ({"port": 5432}, {"host": "evil.rds.amazonaws.com"}):
        with pytest.raises(NotRotatable):
            require_same_server(own_api, current, account(current.with_fields("x", **wrong)), account(admin), {})


def test_rds_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The permissions, and the tag that does without."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(StoreError, match="rds:DescribeDBClusters") as error:
        endpoints.are_one_server(own_api, "a.rds.amazonaws.com", "b.rds.amazonaws.com")
    assert error.value.code == "endpoints-unknown"


def test_rds_is_not_asked_about_hosts_outside_it() -> None:
    """No call, no permission needed."""
    assert not endpoints.are_one_server(own_api, "db.example.com", "db.rds.amazonaws.com")


@pytest.mark.parametrize("account", ["999999999999"])
def test_w1_an_admin_of_another_account(aws: Simulator, monkeypatch: pytest.MonkeyPatch, account: str) -> None:
    """Not for a secret of this one."""
    monkeypatch.setenv("ADMIN_SECRETS", "*")
    store, secret, current = managed(aws, "other", "x")
    there = Description(secret.arn.replace("123456789012", account), True, {}, {})  # noqa: FBT003
    with pytest.raises(NotRotatable) as error:
        read_admin(store, there, current)
    assert error.value.code == "admin-not-allowed"
