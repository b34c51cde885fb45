"""Which host names are one server: asked of RDS's and Redshift's APIs, never guessed from a name.

Asked with the credentials of the secret's account. Nothing here is called where the admin's host is the secret's own.
"""

from collections.abc import Callable, Iterator
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from common import clock
from common.accounts import Api
from common.bounded import bounded
from common.errors import NotRotatable, StoreError
from common.guard import Description
from common.secret import Secret

LIST_SECONDS = 12.0
_CN = ("", ".cn")
# DocumentDB's clusters and instances are RDS's to this API.
RDS = tuple(f".{service}.amazonaws.com{cn}" for service in ("rds", "docdb") for cn in _CN)
REDSHIFT = tuple(f".redshift.amazonaws.com{cn}" for cn in _CN)
SERVERLESS = tuple(f".redshift-serverless.amazonaws.com{cn}" for cn in _CN)
Found = dict[str, Any]


def managed_server(api: Api, admin: Secret, described: Description) -> Secret:
    """A managed admin secret with the host, port and engine that AWS's API names for it (by its tags, which only AWS sets)."""
    tags = {name.lower(): value for name, value in described.tags.items()}
    for tag, server in _MANAGED.items():
        if tag in tags:
            for fields in server(api, tags[tag]):
                return admin.with_fields(admin.name, **fields)
    raise NotRotatable(
        "admin-without-server",
        f"The admin secret {described.arn} has no host, and no tag of RDS or Redshift that names its server.",
        "Add engine, host and port to its JSON.",
    )


def _cluster(api: Api, arn: str) -> Iterator[Found]:
    for found in _call(api, "rds", "describe_db_clusters", "DBClusters", DBClusterIdentifier=arn):
        yield {"host": found["Endpoint"], "port": found["Port"], "engine": found["Engine"]}


def _instance(api: Api, arn: str) -> Iterator[Found]:
    for found in _call(api, "rds", "describe_db_instances", "DBInstances", DBInstanceIdentifier=arn):
        yield {"host": found["Endpoint"]["Address"], "port": found["Endpoint"]["Port"], "engine": found["Engine"]}


def _redshift(api: Api, arn: str) -> Iterator[Found]:
    name = arn.rpartition(":")[2]
    for found in _call(api, "redshift", "describe_clusters", "Clusters", ClusterIdentifier=name):
        yield _of_redshift(found["Endpoint"]["Address"], found["Endpoint"]["Port"], found.get("DBName"))


def _serverless(api: Api, arn: str) -> Iterator[Found]:
    databases = {
        one["namespaceName"]: one.get("dbName")
        for one in _call(api, "redshift-serverless", "list_namespaces", "namespaces")
        if one["namespaceArn"] == arn
    }
    for found in _call(api, "redshift-serverless", "list_workgroups", "workgroups"):
        if found["namespaceName"] in databases:
            endpoint = found["endpoint"]
            yield _of_redshift(endpoint["address"], endpoint["port"], databases[found["namespaceName"]])


def _of_redshift(host: str, port: int, database: str | None) -> Found:
    return {"host": host, "port": port, "engine": "redshift", **({"dbname": database} if database else {})}


# By the tag's name in lower case: whose secret it is.
_MANAGED = {
    "aws:rds:primarydbclusterarn": _cluster,
    "aws:rds:primarydbinstancearn": _instance,
    "aws:redshift:primaryclusterarn": _redshift,
    "aws:redshift-serverless:namespacearn": _serverless,
}


def are_one_server(api: Api, admin_host: str, host: str) -> bool:
    """Whether AWS says that `host`, whole, is an endpoint of admin_host's cluster or instance, or of a replica of it."""
    for domains, servers in _SERVERS.items():
        if admin_host.endswith(domains):
            return any(admin_host in admins and host in hosts for admins, hosts in servers(api))
    return False


Names = set[str]


def _rds(api: Api) -> Iterator[tuple[Names, Names]]:
    """(where the admin may be, what is of the same server): each cluster's endpoints, and each instance's replicas."""
    clusters = _call(api, "rds", "describe_db_clusters", "DBClusters")
    instances = _call(api, "rds", "describe_db_instances", "DBInstances")
    for cluster in clusters:
        own = [cluster.get("Endpoint"), cluster.get("ReaderEndpoint"), *cluster.get("CustomEndpoints", [])]
        name = cluster["DBClusterIdentifier"]
        hosts = _names(*own, *(_address(one) for one in instances if one.get("DBClusterIdentifier") == name))
        yield hosts, hosts
    for source in instances:
        called = {source["DBInstanceIdentifier"], source["DBInstanceArn"]}
        replicas = [one for one in instances if one.get("ReadReplicaSourceDBInstanceIdentifier") in called]
        yield _names(_address(source)), _names(*map(_address, replicas))


def _redshift_clusters(api: Api) -> Iterator[tuple[Names, Names]]:
    """Every endpoint of each cluster: its own, its custom domain, and what is managed in other VPCs."""
    access = _call(api, "redshift", "describe_endpoint_access", "EndpointAccessList")
    for cluster in _call(api, "redshift", "describe_clusters", "Clusters"):
        name = cluster["ClusterIdentifier"]
        managed = [one.get("Address") for one in access if one.get("ClusterIdentifier") == name]
        hosts = _names(_address(cluster), cluster.get("CustomDomainName"), *managed)
        yield hosts, hosts


def _workgroups(api: Api) -> Iterator[tuple[Names, Names]]:
    """Likewise of each workgroup."""
    access = _call(api, "redshift-serverless", "list_endpoint_access", "endpoints")
    for group in _call(api, "redshift-serverless", "list_workgroups", "workgroups"):
        managed = [one.get("address") for one in access if one.get("workgroupName") == group["workgroupName"]]
        hosts = _names(group.get("endpoint", {}).get("address"), group.get("customDomainName"), *managed)
        yield hosts, hosts


# By the domains that a host may be in: who knows its servers.
_SERVERS: dict[tuple[str, ...], Callable[[Api], Iterator[tuple[Names, Names]]]] = {
    RDS: _rds,
    REDSHIFT: _redshift_clusters,
    SERVERLESS: _workgroups,
}


def _address(one: Found) -> str | None:
    return (one.get("Endpoint") or {}).get("Address")


def _names(*hosts: str | None) -> Names:
    return {host.lower() for host in hosts if host}


def _call(api: Api, service: str, operation: str, key: str, **parameters: str) -> list[Found]:
    """All pages of one of the service's lists."""
    try:
        pages = api(service).get_paginator(operation)
        listed = bounded(lambda: list(pages.paginate(**parameters)), clock.at_most(LIST_SECONDS))
        return [item for page in listed for item in page[key]]
    except (ClientError, BotoCoreError, TimeoutError) as error:
        action = operation.title().replace("_", "").replace("Db", "DB")
        raise StoreError(
            "endpoints-unknown",
            f"{service}:{action} was not answered ({type(error).__name__}).",
            f"The function's role needs {service}:{action}, and in a VPC a route to that API; or, where it is about "
            "another name of the admin's server, name the host by the secret's tag rotation:host.",
        ) from None
