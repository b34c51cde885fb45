"""Managed admin secrets of Redshift's, and which names are one cluster or workgroup: by its two APIs.

moto serves DescribeClusters; what it lacks is answered by botocore's Stubber, which knows the API's model, page by page.
"""

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from common import endpoints
from common.accounts import own_api
from common.admin import read_admin, require_same_server
from common.errors import NotRotatable, StoreError
from common.secret import Secret
from rotators.redshift.target import Redshift
from testkit.simulator import Simulator
from tests.unit.test_admin import managed

NAMESPACE = "arn:aws:redshift-serverless:eu-west-1:123456789012:namespace/0e6d7b1c-1d2e-4f3a-8b4c-5d6e7f8a9b0c"
# Of each list: the request's and the answer's field that point to the next page.
TOKENS = {"redshift": ("Marker", "Marker"), "redshift-serverless": ("nextToken", "nextToken")}
Answer = Callable[..., None]


@pytest.fixture
def redshift(aws: Simulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Redshift, by moto; endpoints finds it by AWS_ENDPOINT_URL."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.endpoint)
    monkeypatch.setenv("ADMIN_SECRETS", "*")
    client = boto3.client("redshift")
    yield client
    from moto.redshift.models import redshift_backends  # noqa: PLC0415

    redshift_backends.reset()
    redshift_backends.clear()


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Answer]:
    """What the next list will answer: its service, operation and field, then its pages. Each must be asked for."""
    monkeypatch.setenv("ADMIN_SECRETS", "*")
    queued: list[tuple[str, str, str, tuple[list[Any], ...]]] = []
    real: Any = boto3.client

    def client(service: str, **more: Any) -> Any:
        made = real(service, **more)
        if service in TOKENS:
            expected, operation, field, pages = queued.pop(0)
            assert service == expected
            _stub(made, operation, field, pages, TOKENS[service])
        return made

    monkeypatch.setattr(boto3, "client", client)
    yield lambda service, operation, field, *pages: queued.append((service, operation, field, pages))
    assert queued == [], "a list that nobody asked for"


def _stub(client: Any, operation: str, field: str, pages: tuple[list[Any], ...], tokens: tuple[str, str]) -> None:
    """Answer this operation's pages, each only to who shows its token."""
    stubber = Stubber(client)
    for number, page in enumerate(pages):
        asked = {tokens[0]: f"page {number}"} if number else {}
        more = {tokens[1]: f"page {number + 1}"} if number + 1 < len(pages) else {}
        stubber.add_response(operation, {field: page, **more}, asked)
    stubber.activate()


def cluster(redshift: Any, name: str, **more: Any) -> dict[str, Any]:
    """A provisioned cluster."""
    settings = {"NodeType": "ra3.large", "MasterUsername": "boss", "MasterUserPassword": "Password-of-boss-1"} | more
    made: dict[str, Any] = redshift.create_cluster(ClusterIdentifier=name, **settings)["Cluster"]
    return made


def namespace(name: str, arn: str = "arn:aws:redshift-serverless:x:y:namespace/other", **more: str) -> dict[str, str]:
    """A Serverless namespace, as ListNamespaces shows it."""
    return {"namespaceName": name, "namespaceArn": arn, **more}


def workgroup(name: str, of: str, **more: Any) -> dict[str, Any]:
    """A workgroup of a namespace, as ListWorkgroups shows it."""
    return {"workgroupName": name, "namespaceName": of, "endpoint": {"address": host(name), "port": 5440}, **more}


def host(name: str, serverless: str = "-serverless") -> str:
    """An endpoint's name."""
    return f"{name}.123456789012.eu-west-1.redshift{serverless}.amazonaws.com"


class TestManaged:
    """A secret that Redshift itself keeps: {"username", "password"}; the tag, which only AWS sets, says whose."""

    @pytest.mark.parametrize("tag", ["aws:redshift:primaryClusterArn", "aws:redshift:primaryclusterarn"])
    def test_of_a_cluster(self, aws: Simulator, redshift: Any, tag: str) -> None:
        """Host, port and its first database come from DescribeClusters, whatever the case of the tag."""
        cluster(redshift, "other")
        made = cluster(redshift, "sales", Port=5440, DBName="warehouse")
        arn = "arn:aws:redshift:eu-west-1:123456789012:cluster:sales"
        store, secret, current = managed(aws, tag, arn)
        aws.calls.clear()
        admin = read_admin(store, secret, current)
        assert {name: admin[name] for name in ("host", "port", "engine", "dbname")} == {
            "host": made["Endpoint"]["Address"], "port": 5440, "engine": "redshift", "dbname": "warehouse",
        }  # fmt: skip
        assert Redshift().account(admin).user == "boss"
        assert [call.operation for call in aws.calls] == ["GetSecretValue", "DescribeSecret"], "one more than ordinary"

    def test_of_a_cluster_that_is_gone(self, aws: Simulator, redshift: Any) -> None:
        """The call that was not answered is named."""
        cluster(redshift, "other")
        arn = "arn:aws:redshift:eu-west-1:123456789012:cluster:sales"
        store, secret, current = managed(aws, "aws:redshift:primaryClusterArn", arn)
        with pytest.raises(StoreError, match="redshift:DescribeClusters") as error:
            read_admin(store, secret, current)
        assert error.value.code == "endpoints-unknown"

    @pytest.mark.parametrize("tag", ["aws:redshift-serverless:namespaceArn", "aws:redshift-serverless:namespacearn"])
    def test_of_a_namespace(self, aws: Simulator, answer: Answer, tag: str) -> None:
        """Its workgroup's endpoint; both lists go on on a second page."""
        answer(
            "redshift-serverless", "list_namespaces", "namespaces",
            [namespace("other")], [namespace("sales", NAMESPACE, dbName="warehouse")],
        )  # fmt: skip
        answer(
            "redshift-serverless", "list_workgroups", "workgroups",
            [workgroup("another", "other")], [workgroup("group", "sales")],
        )  # fmt: skip
        admin = read_admin(*managed(aws, tag, NAMESPACE))
        assert {name: admin[name] for name in ("host", "port", "engine", "dbname")} == {
            "host": host("group"), "port": 5440, "engine": "redshift", "dbname": "warehouse",
        }  # fmt: skip

    def test_of_a_namespace_without_a_workgroup(self, aws: Simulator, answer: Answer) -> None:
        """Nothing runs there."""
        answer("redshift-serverless", "list_namespaces", "namespaces", [namespace("sales", NAMESPACE)])
        answer("redshift-serverless", "list_workgroups", "workgroups", [workgroup("another", "other")])
        with pytest.raises(NotRotatable) as error:
            read_admin(*managed(aws, "aws:redshift-serverless:namespaceArn", NAMESPACE))
        assert error.value.code == "admin-without-server"


class TestOneServer:
    """W2: which host names are the admin's own cluster or workgroup."""

    ADMIN = host("sales", "")

    @pytest.fixture
    def clusters(self, answer: Answer) -> None:
        """Two clusters, each with a custom domain and an endpoint in another VPC; on two pages."""
        access = [
            {"ClusterIdentifier": name, "Address": f"{name}-endpoint.vpce.{host('x', '')}"} for name in ("other", "sales")
        ]  # fmt: skip
        answer("redshift", "describe_endpoint_access", "EndpointAccessList", access[:1], access[1:])
        listed: list[dict[str, Any]] = [
            {"ClusterIdentifier": name, "Endpoint": {"Address": host(name, ""), "Port": 5439}, "CustomDomainName": f"{name}.Example.com"}
            for name in ("other", "sales")
        ]  # fmt: skip
        answer("redshift", "describe_clusters", "Clusters", [*listed[:1], {"ClusterIdentifier": "paused"}], listed[1:])

    @pytest.fixture
    def workgroups(self, answer: Answer) -> None:
        """Likewise of Serverless."""
        access = [{"workgroupName": name, "address": f"{name}-endpoint.{host('x')}"} for name in ("other", "sales")]
        answer("redshift-serverless", "list_endpoint_access", "endpoints", access[:1], access[1:])
        groups = [workgroup(name, "one", customDomainName=f"{name}.example.com") for name in ("other", "sales")]
        answer("redshift-serverless", "list_workgroups", "workgroups", groups[:1], groups[1:])

    @pytest.mark.usefixtures("clusters")
    @pytest.mark.parametrize("name", [ADMIN, "sales.example.com", f"sales-endpoint.vpce.{host('x', '')}"])
    def test_names_of_a_cluster(self, name: str) -> None:
        """Its endpoint, its custom domain, an endpoint that Redshift manages in another VPC."""
        assert endpoints.are_one_server(own_api, self.ADMIN, name)

    @pytest.mark.usefixtures("clusters")
    @pytest.mark.parametrize(
        "name", [host("other", ""), "other.example.com", f"other-endpoint.vpce.{host('x', '')}", f"x{ADMIN}", ADMIN[1:], "evil.example.com"]
    )  # fmt: skip
    def test_other_names_than_a_cluster_s(self, name: str) -> None:
        """Another cluster's, part of a name, anything else."""
        assert not endpoints.are_one_server(own_api, self.ADMIN, name)

    @pytest.mark.usefixtures("workgroups")
    @pytest.mark.parametrize("name", [host("sales"), "sales.example.com", f"sales-endpoint.{host('x')}"])
    def test_names_of_a_workgroup(self, name: str) -> None:
        """Likewise."""
        assert endpoints.are_one_server(own_api, host("sales"), name)

    @pytest.mark.usefixtures("workgroups")
    @pytest.mark.parametrize(
        "name", [host("other"), "other.example.com", f"other-endpoint.{host('x')}", host("sales", "")]
    )
    def test_other_names_than_a_workgroup_s(self, name: str) -> None:
        """Likewise; a cluster of the workgroup's name is another server."""
        assert not endpoints.are_one_server(own_api, host("sales"), name)

    @pytest.mark.usefixtures("answer")
    def test_a_custom_domain_as_the_admin_s_host(self) -> None:
        """Whose domain it is no API is asked: the tag rotation:host is for that."""
        assert not endpoints.are_one_server(own_api, "sales.example.com", self.ADMIN)

    @pytest.mark.usefixtures("clusters")
    def test_w2_by_the_api(self) -> None:
        """A secret of the endpoint in another VPC, an admin of the cluster."""
        admin = Secret({"engine": "redshift", "host": self.ADMIN, "username": "boss", "password": "x"}, "admin")
        current = admin.with_fields("AWSCURRENT of app", host=f"SALES-endpoint.vpce.{host('x', '')}.", port="5439")
        require_same_server(own_api, current, Redshift().account(current), Redshift().account(admin), {})

    @pytest.mark.usefixtures("answer")
    def test_w2_another_port(self) -> None:
        """Nobody is asked."""
        admin = Secret({"engine": "redshift", "host": self.ADMIN, "username": "boss", "password": "x"}, "admin")
        current = admin.with_fields("x", port=5432)
        with pytest.raises(NotRotatable):
            require_same_server(own_api, current, Redshift().account(current), Redshift().account(admin), {})


def test_redshift_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The permission that is lacking is named, of either service, as IAM spells it."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    for admin, action in ((host("a", ""), "redshift:DescribeEndpointAccess"), (host("a"), "redshift-serverless:ListEndpointAccess")):  # fmt: skip
        with pytest.raises(StoreError, match=action) as error:
            endpoints.are_one_server(own_api, admin, "b")
        assert error.value.code == "endpoints-unknown"
