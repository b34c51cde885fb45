"""Which servers the proofs run against, in their own words."""

import platform
import re
from importlib.metadata import version

import pytest

from testkit.servers.mongo import MongoServer
from testkit.servers.mysql import MySqlServer
from testkit.servers.ntfy import NtfyServer
from testkit.servers.postgres import PostgresServer
from testkit.servers.rabbitmq import RabbitMqServer
from tests.figures import publish

NUMBERED = re.compile(r"\d+\.\d+")


def _publish(server: str, said: object) -> None:
    found = str(said).split(" (")[0]
    assert NUMBERED.search(found), said
    publish("versions", server, version=found)


def test_postgresql(server: PostgresServer) -> None:
    """Which the stand-in for Redshift has behind it too."""
    _publish("PostgreSQL", server.run("SHOW server_version")[0][0])


@pytest.mark.parametrize(("flavour", "name"), [("mysql", "MySQL"), ("mariadb", "MariaDB")])
def test_mysql(request: pytest.FixtureRequest, flavour: str, name: str) -> None:
    """Each of the two."""
    found: MySqlServer = request.getfixturevalue(flavour)
    _publish(name, found.run("SELECT version()")[0][0])


def test_mongodb(mongo: MongoServer) -> None:
    """FerretDB says the version of MongoDB that it follows, and its own."""
    said = mongo.run("buildInfo")
    own = said.get("ferretdb", {}).get("version")
    _publish("FerretDB" if own else "MongoDB", own or said["version"])


def test_rabbitmq(rabbitmq: RabbitMqServer) -> None:
    """Of its management."""
    _publish("RabbitMQ", rabbitmq.ask("GET", "/api/overview").body["rabbitmq_version"])


def test_ntfy(ntfy: NtfyServer) -> None:
    """It says so when it starts."""
    found = re.search(r"ntfy (\d+\.\d+\.\d+)", ntfy.log.read_text(errors="replace"))
    _publish("ntfy", found[1] if found else "")


def test_python() -> None:
    """And the packages that stand between the function and the servers."""
    _publish("Python", platform.python_version())
    for package in ("boto3", "psycopg2-binary", "PyMySQL", "pymongo", "moto", "hypothesis", "awslambdaric"):
        _publish(package, version(package))
