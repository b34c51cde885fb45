"""Managed admin secrets of DocumentDB's, and which names are one cluster: by RDS's API, which lists DocumentDB's clusters too.

moto has no engine `docdb`: botocore's Stubber answers, which knows the API's model. AWS's reference of DescribeDBClusters says that
it "can also return information for … Amazon DocumentDB instances"; botocore's models of both are one service, `rds`.
"""

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.stub import Stubber

from common import endpoints
from common.accounts import own_api
from common.admin import read_admin, require_same_server
from common.errors import NotRotatable
from common.secret import Secret
from rotators.documentdb.target import DocumentDb
from testkit.simulator import Simulator
from tests.unit.test_admin import managed

ARN = "arn:aws:rds:eu-west-1:123456789012:cluster:docs"
HOST = "docs.cluster-abc123.eu-west-1.docdb.amazonaws.com"
READER = HOST.replace("cluster-", "cluster-ro-")
MEMBER = HOST.replace("docs.cluster-", "docs-1.")
Answer = Callable[..., None]


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Answer]:
    """What RDS's next list will answer: its operation, its field, the one page. Each must be asked for."""
    monkeypatch.setenv("ADMIN_SECRETS", "*")
    queued: list[tuple[str, str, list[Any], dict[str, str]]] = []
    real: Any = boto3.client

    def client(service: str, **more: Any) -> Any:
        made = real(service, **more)
        if service == "rds":
            operation, field, page, asked = queued.pop(0)
            stubber = Stubber(made)
            stubber.add_response(operation, {field: page}, asked)
            stubber.activate()
        return made

    monkeypatch.setattr(boto3, "client", client)
    yield lambda operation, field, page, **asked: queued.append((operation, field, page, asked))
    assert queued == [], "a list that nobody asked for"


def cluster(name: str = "docs", host: str = HOST, reader: str = READER) -> dict[str, Any]:
    """A cluster as the API shows it."""
    return {
        "DBClusterIdentifier": name,
        "DBClusterArn": ARN.replace("docs", name),
        "Endpoint": host,
        "ReaderEndpoint": reader,
        "Port": 27018,
        "Engine": "docdb",
    }


def member(name: str = "docs", host: str = MEMBER) -> dict[str, Any]:
    """An instance of it."""
    return {
        "DBInstanceIdentifier": f"{name}-1",
        "DBInstanceArn": f"arn:aws:rds:eu-west-1:123456789012:db:{name}-1",
        "DBClusterIdentifier": name,
        "Endpoint": {"Address": host, "Port": 27018},
        "Engine": "docdb",
    }


@pytest.mark.parametrize("tag", ["aws:rds:primaryDBClusterArn", "aws:rds:primarydbclusterarn"])
def test_a_managed_admin(aws: Simulator, answer: Answer, tag: str) -> None:
    """Host, port and engine, which is `docdb` there; it logs in to `admin`."""
    answer("describe_db_clusters", "DBClusters", [cluster()], DBClusterIdentifier=ARN)
    store, secret, current = managed(aws, tag, ARN)
    aws.calls.clear()
    admin = read_admin(store, secret, current)
    account = DocumentDb().account(admin)
    assert (account.server_kind, account.host, account.port, account.user) == ("mongo", HOST, 27018, "boss@admin")
    assert [call.operation for call in aws.calls] == ["GetSecretValue", "DescribeSecret"], "one more than ordinary"


def test_names_of_one_cluster(answer: Answer) -> None:
    """Its endpoint, its reader, its instances; no other cluster's."""
    other = HOST.replace("docs", "theirs")
    for host, same in ((READER, True), (MEMBER, True), (other, False), (f"x{READER}", False)):
        answer("describe_db_clusters", "DBClusters", [cluster(), cluster("theirs", other, other)])
        answer("describe_db_instances", "DBInstances", [member()])
        assert endpoints.are_one_server(own_api, HOST, host) == same


def test_w2_by_the_api(answer: Answer) -> None:
    """A secret of an instance, an admin of the cluster."""
    fields = {"engine": "docdb", "host": HOST, "port": 27018, "username": "boss", "password": "x"}
    admin = Secret(fields, "admin")
    current = admin.with_fields("AWSCURRENT of app", engine="mongo", username="app", host=MEMBER)
    answer("describe_db_clusters", "DBClusters", [cluster()])
    answer("describe_db_instances", "DBInstances", [member()])
    require_same_server(own_api, current, DocumentDb().account(current), DocumentDb().account(admin), {})
    with pytest.raises(NotRotatable):
        require_same_server(
            own_api,
            current.with_fields("x", port=27017),
            DocumentDb().account(current.with_fields("x", port=27017)),
            DocumentDb().account(admin),
            {},
        )


def test_the_two_apis_are_one() -> None:
    """DocumentDB's API is RDS's service: endpoint, signature and so the actions of its policies."""
    session = botocore.session.get_session()
    models = [session.get_service_model(name) for name in ("docdb", "rds")]
    assert {(model.endpoint_prefix, model.signing_name, model.api_version) for model in models} == {
        ("rds", "rds", "2014-10-31")
    }
