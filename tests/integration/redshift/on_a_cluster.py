"""What the stand-in cannot prove, tried on a real cluster: `make verify-redshift` runs this file, and nothing else does.

Whatever is made has a prefix of this run's own, and is dropped again. scripts/verify_redshift.py says which cluster it is.
"""

import json
import os
import secrets
from collections.abc import Iterator
from dataclasses import replace

import psycopg2
import pytest
from psycopg2 import sql

from common.handler import rotation_handler
from common.strategy import AlternatingUsers, SingleUser
from rotators.redshift.rights import KINDS, Right, read_rights
from rotators.redshift.session import stored
from rotators.redshift.target import Redshift
from rotators.redshift.users import read_user
from testkit.contract import ChangesPasswordContract, ClonesUsersContract
from testkit.redshift.catalog import CATALOG
from testkit.simulator import Simulator
from tests.integration.redshift.real import Prefixed, RealCluster
from tests.integration.redshift.test_contract import RedshiftBench

P = f"keyturn_{secrets.token_hex(3)}_"  # of this run
S = f"{P}objects"
PASSWORD = "Canary-PASSWORD-1"
IAM_ROLE = os.environ.get("IAM_ROLE", "")


@pytest.fixture(scope="module")
def place() -> Iterator[RealCluster]:
    """The cluster."""
    told = os.environ
    found = RealCluster(
        told["HOST"], int(told["PORT"]), told["DBNAME"], told["ADMIN_USER"], told["ADMIN_PASSWORD"], prefix=P
    )
    yield found
    found.close()


@pytest.fixture
def own(place: RealCluster) -> Iterator[RealCluster]:
    """The cluster; our users are dropped after each test."""
    yield place
    place.drop_users()


class TestContract(ChangesPasswordContract, ClonesUsersContract):
    """The kit that the stand-in passes."""

    @pytest.fixture
    def bench(self, own: RealCluster) -> Iterator[RedshiftBench]:
        """The cluster, with an admin of ours."""
        bench = RedshiftBench(own, Prefixed(P), P)
        bench.prepare()
        yield bench
        bench.clear()


@pytest.mark.parametrize("view", CATALOG)
def test_columns(place: RealCluster, view: str) -> None:
    """Each view of the stand-in is there, with at least the columns that AWS's page lists."""
    opened = place.connect(place.user, place.password)
    try:
        with opened.cursor() as cursor:
            cursor.execute(sql.SQL("SELECT * FROM pg_catalog.{} LIMIT 0").format(sql.Identifier(view)))
            assert cursor.description is not None
            found = [column.name for column in cursor.description]
    finally:
        opened.close()
    assert set(CATALOG[view][1].split()) - set(found) == set(), f"it has {' '.join(found)}"


@pytest.fixture(scope="module")
def objects(place: RealCluster) -> Iterator[None]:
    """What rights are on."""
    for statement in (
        f"CREATE SCHEMA {S}",
        f"CREATE TABLE {S}.whole (a int, b int)",
        f"CREATE FUNCTION {S}.f(integer, varchar) RETURNS integer STABLE AS $$ SELECT $1 $$ LANGUAGE sql",
        f"CREATE PROCEDURE {S}.p(a integer) AS $$ BEGIN END $$ LANGUAGE plpgsql",
        f"CREATE GROUP {P}group",
        f"CREATE ROLE {P}role",
    ):
        place.run(statement)
    yield
    for statement in (f"DROP SCHEMA {S} CASCADE", f"DROP GROUP {P}group", f"DROP ROLE {P}role"):
        place.run(statement)


# A right of each kind, as its view shows it; those with an option are tried with it too. <database>, <admin>: the cluster's.
RIGHTS = {
    "group": Right("group", (f"{P}group",), "MEMBER"),
    "role": Right("role", (f"{P}role",), "MEMBER", option=True),
    "database": Right("database", ("<database>",), "CREATE", option=True),
    "scope in a database": Right("scope in a database", ("<database>",), "SELECT FOR TABLES", option=True),
    "schema": Right("schema", (S,), "USAGE", option=True),
    "scope in a schema": Right("scope in a schema", (S,), "EXECUTE FOR FUNCTIONS", option=True),
    "table": Right("table", (S, "whole"), "SELECT", option=True),
    "table: DROP": Right("table", (S, "whole"), "DROP"),
    "table: ALTER": Right("table", (S, "whole"), "ALTER"),
    "table: TRUNCATE": Right("table", (S, "whole"), "TRUNCATE"),
    "column": Right("column", (S, "whole", "a"), "SELECT"),
    "function": Right("function", (S, "f", "integer, character varying"), "EXECUTE", option=True),
    "procedure": Right("function", (S, "p", "integer"), "EXECUTE PROCEDURE", option=True),
    "language": Right("language", ("sql",), "USAGE"),
    "default": Right("default", ("<admin>", S), "SELECT ON RELATION", option=True),
    "default: functions": Right("default", ("<admin>", S), "EXECUTE ON FUNCTION"),
    "default: procedures": Right("default", ("<admin>", S), "EXECUTE ON PROCEDURE"),
    "default: everywhere": Right("default", ("<admin>", ""), "INSERT ON RELATION"),
    "IAM role": Right("IAM role", (IAM_ROLE,), "COPY"),
    "datashare": Right("datashare", (f"{P}share",), "SHARE"),
    "RLS policy": Right("RLS policy", (f"{P}policy", S, "whole"), "ATTACHED"),
}
# What not every cluster can have: what makes it, and what takes it away.
FURTHER = {
    "datashare": (f"CREATE DATASHARE {P}share", f"DROP DATASHARE {P}share"),
    "RLS policy": (f"CREATE RLS POLICY {P}policy USING (true)", f"DROP RLS POLICY {P}policy"),
}


def test_every_kind_is_tried() -> None:
    """Of those that the function knows."""
    assert {right.kind for right in RIGHTS.values()} == set(KINDS)


@pytest.fixture
def further(place: RealCluster, which: str) -> Iterator[None]:
    """What only some rights are on; skipped where it cannot be made here."""
    if which == "IAM role" and not IAM_ROLE:
        pytest.skip("IAM_ROLE names none: the ARN of a role that is attached to the cluster")
    make, drop = FURTHER.get(which, (None, None))
    if make:
        try:
            place.run(make)
        except psycopg2.Error as error:
            pytest.skip(f"{make}: {str(error).strip()}")
    yield
    if drop:
        place.run(drop)


@pytest.mark.usefixtures("objects", "further")
@pytest.mark.parametrize("which", RIGHTS)
def test_kinds(own: RealCluster, which: str) -> None:
    """What the function's statements give is what its queries show; they take it again, the option by itself."""
    right = RIGHTS[which]
    places = {"<database>": own.dbname, "<admin>": own.user}
    right = replace(right, on=tuple(places.get(name, name) for name in right.on))
    user = f"{P}holder"
    own.create_user(user, PASSWORD)

    def held() -> set[Right]:
        with own.session() as session:
            return set(read_rights(session, user)[user])

    plain = replace(right, option=False)
    own.run(right.grant(user))
    assert held() == {plain, right}
    if right.option:
        own.run(right.revoke(user))
        assert held() == {plain}
    own.run(plain.revoke(user))
    assert held() == set()


ATTRIBUTES = (
    "CREATEDB",
    "CONNECTION LIMIT 7",
    "SYSLOG ACCESS UNRESTRICTED",
    "SESSION TIMEOUT 600",
    "SET search_path TO public, pg_catalog",
    "SET statement_timeout TO 1000000",
)


def test_rotations(own: RealCluster, aws: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Single user, then four turns of two: each AWSCURRENT logs in; the clone has the base's attributes and settings."""
    user, admin = f"{P}app", f"{P}admin"
    for name in (user, admin):
        own.create_user(name, PASSWORD)
    own.run(f"ALTER USER {admin} CREATEUSER")
    for attribute in ATTRIBUTES:
        own.run(f"ALTER USER {user} {attribute}")
    until = sql.SQL(f"ALTER USER {user} PASSWORD {{}} VALID UNTIL '2099-01-02 03:04:05'")
    own.run(until.format(stored(PASSWORD, user)))
    with own.session() as session:
        before = read_user(session, user)
    assert before is not None
    assert before.valid_until == "2099-01-02 03:04:05"
    monkeypatch.setenv("SECRETS_MANAGER_ENDPOINT", aws.endpoint)
    client, target = aws.client(), Redshift()
    value = json.dumps(own.secret(admin, PASSWORD))
    admin_arn = client.create_secret(Name="admin", SecretString=value)["ARN"]
    monkeypatch.setenv("ADMIN_SECRETS", admin_arn)
    value = json.dumps(own.secret(user, PASSWORD, masterarn=admin_arn))
    arn = client.create_secret(Name="app", SecretString=value)["ARN"]
    function = aws.add_function("x", rotation_handler(SingleUser(target), AlternatingUsers(target)), timeout=120)
    for turn, strategy in enumerate(["single-user", *["alternating-users"] * 4]):
        client.tag_resource(SecretId=arn, Tags=[{"Key": "rotation:strategy", "Value": strategy}])
        rotation = aws.rotate(arn, RotationLambdaARN=function.arn)
        assert rotation.succeeded, rotation.error
        current = json.loads(client.get_secret_value(SecretId=arn)["SecretString"])
        assert current["username"] == (f"{user}_clone" if turn % 2 else user)
        assert own.run("SELECT 1", (current["username"], current["password"])) == [(1,)]
    with own.session() as session:
        after, clone = read_user(session, user), read_user(session, f"{user}_clone")
    assert after == before, "a password that is set leaves VALID UNTIL as it was"
    assert clone is not None
    assert (clone.attributes, clone.valid_until) == (before.attributes, before.valid_until)
