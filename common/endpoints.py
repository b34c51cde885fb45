"""Which host names are one server: asked of RDS's API, never guessed from a name.

The one place beside `store` and `handler` that knows boto3. Nothing here is called where the admin's host is the
secret's own.
"""

from collections.abc import Iterator
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from common import clock
from common.bounded import bounded
from common.errors import NotRotatable, StoreError
from common.guard import Description
from common.secret import Secret

LIST_SECONDS = 12.0
INSTANCE_TAG, CLUSTER_TAG = "aws:rds:primarydbinstancearn", "aws:rds:primarydbclusterarn"


def managed_server(admin: Secret, described: Description) -> Secret:
    """A managed admin secret with the host, port and engine that RDS names for it (by its tags, which only AWS sets)."""
    tags = {name.lower(): value for name, value in described.tags.items()}
    if CLUSTER_TAG in tags:
        (found,) = _call("describe_db_clusters", "DBClusters", DBClusterIdentifier=tags[CLUSTER_TAG])
        fields = {"host": found["Endpoint"], "port": found["Port"], "engine": found["Engine"]}
    elif INSTANCE_TAG in tags:
        (found,) = _call("describe_db_instances", "DBInstances", DBInstanceIdentifier=tags[INSTANCE_TAG])
        endpoint = found["Endpoint"]
        fields = {"host": endpoint["Address"], "port": endpoint["Port"], "engine": found["Engine"]}
    else:
        raise NotRotatable(
            "admin-without-server",
            f"The admin secret {described.arn} has no host, and no tag of RDS that names its server.",
            "Add engine, host and port to its JSON.",
        )
    return admin.with_fields(admin.name, **fields)


def are_one_server(admin_host: str, host: str) -> bool:
    """Whether RDS says that `host`, whole, is an endpoint of admin_host's cluster or instance, or of a replica of it."""
    if not admin_host.endswith((".rds.amazonaws.com", ".rds.amazonaws.com.cn")):
        return False
    instances = list(_call("describe_db_instances", "DBInstances"))
    for cluster in _call("describe_db_clusters", "DBClusters"):
        hosts = set(_cluster_hosts(cluster, instances))
        if admin_host in hosts and host in hosts:
            return True
    sources = {one["DBInstanceIdentifier"] for one in instances if _address(one) == admin_host}
    sources |= {one["DBInstanceArn"] for one in instances if _address(one) == admin_host}
    return any(
        _address(one) == host and one.get("ReadReplicaSourceDBInstanceIdentifier") in sources for one in instances
    )


def _cluster_hosts(cluster: dict[str, Any], instances: list[dict[str, Any]]) -> Iterator[str]:
    """Every endpoint of a cluster: writer, reader, custom, and its instances'."""
    yield from (cluster[name].lower() for name in ("Endpoint", "ReaderEndpoint") if cluster.get(name))
    yield from (name.lower() for name in cluster.get("CustomEndpoints", []))
    for instance in instances:
        if instance.get("DBClusterIdentifier") == cluster["DBClusterIdentifier"]:
            yield _address(instance)


def _address(instance: dict[str, Any]) -> str:
    return str(instance.get("Endpoint", {}).get("Address", "")).lower()


def _call(operation: str, key: str, **parameters: str) -> list[dict[str, Any]]:
    """All pages of one of RDS's lists."""
    config = Config(connect_timeout=5, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3})
    try:
        pages = boto3.client("rds", config=config).get_paginator(operation)
        listed = bounded(lambda: list(pages.paginate(**parameters)), clock.at_most(LIST_SECONDS))
        return [item for page in listed for item in page[key]]
    except (ClientError, BotoCoreError, TimeoutError) as error:
        raise StoreError(
            "endpoints-unknown",
            f"RDS did not answer {operation} ({type(error).__name__}).",
            "The function's role needs rds:DescribeDBClusters and rds:DescribeDBInstances, and in a VPC a route to RDS's "
            "API; or name the host by the secret's tag rotation:host.",
        ) from None
