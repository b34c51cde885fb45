"""Alternating users on real PostgreSQL 17 and 15: A1 to A4, rights kept, nothing gained by who writes a secret."""

import json
import threading
from typing import Any

import pytest

from testkit.servers.postgres import PostgresServer
from testkit.simulator import Simulator
from tests.integration.world import FIRST, World, dies_once, drop, make_world_with_admin


def test_budget(pair: World) -> None:
    """11 calls of Secrets Manager, 3 logins, none failed: the first rotation, which makes the clone, and the next."""
    for _ in range(3):
        rotation = pair.rotated()
        assert rotation.case("setSecret") == "A3"
        assert pair.server_saw() == {"connections": 3, "logins": 3, "failed": 0}
        assert len(pair.aws.calls_by("keyturn")) == 11
        assert pair.aws.calls_by("keyturn")[3:7] == ["DescribeSecret"] + ["GetSecretValue"] * 3


def test_budget_with_a_managed_admin(pair_17: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """12 calls: a managed admin secret has no host, so it is described, and RDS says where its server is."""
    value = {"username": pair_17.admin, "password": "canary-admin-PASSWORD"}
    pair_17.client.put_secret_value(SecretId=str(pair_17.admin_arn), SecretString=json.dumps(value))
    tag = {"Key": "aws:rds:primaryDBInstanceArn", "Value": "arn:aws:rds:eu-west-1:123456789012:db:one"}
    pair_17.client.tag_resource(SecretId=str(pair_17.admin_arn), Tags=[tag])  # type: ignore[list-item]
    found = {"Endpoint": {"Address": "localhost", "Port": pair_17.server.port}, "Engine": "postgres"}
    monkeypatch.setattr("common.endpoints._call", lambda *_, **__: [found])
    for _ in range(2):
        pair_17.rotated()
        assert pair_17.server_saw() == {"connections": 3, "logins": 3, "failed": 0}
        assert len(pair_17.aws.calls_by("keyturn")) == 12


def test_both_always_log_in(pair: World) -> None:
    """AWSCURRENT and AWSPREVIOUS work after each rotation; the users alternate; nothing else of the value changes."""
    before = pair.value()
    users = []
    for _ in range(4):
        pair.rotated()
        users.append(pair.value()["username"])
        assert (pair.logs_in(), pair.logs_in("AWSPREVIOUS")) == (True, True)
        assert pair.value() == {**before, "username": users[-1], "password": pair.value()["password"]}
    assert users == [pair.user + "_clone", pair.user] * 2


RIGHTS = """
SELECT has_table_privilege(current_user, 'work.given', 'SELECT') AND NOT has_table_privilege(current_user, 'work.given', 'DELETE')
  AND has_schema_privilege(current_user, 'work', 'CREATE') AND has_function_privilege(current_user, 'work.f()', 'EXECUTE')
  AND has_column_privilege(current_user, 'work.given', 'j', 'UPDATE') AND current_user = '{user}',
  current_setting('search_path'), current_setting('work_mem'), current_setting('my.own')
"""


LIMITS = """
SELECT rolconnlimit, extract(year FROM rolvaliduntil), rolcanlogin FROM pg_roles
  WHERE rolname IN ({app_text}, {clone_text})
"""
NO_CLONE = "SELECT 1 FROM pg_roles WHERE rolname = {clone_text}"


def prepare(world: World) -> None:
    """Rights and settings of every kind for the base."""
    world.run("DROP SCHEMA IF EXISTS work CASCADE")
    for statement in (
        "CREATE SCHEMA work",
        "CREATE TABLE work.given (i int, j int)",
        "CREATE FUNCTION work.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "REVOKE EXECUTE ON FUNCTION work.f() FROM PUBLIC",
        "GRANT CREATE, USAGE ON SCHEMA work TO {app}",
        "GRANT SELECT, UPDATE (j) ON work.given TO {app}",
        "GRANT EXECUTE ON FUNCTION work.f() TO {app}",
        "ALTER ROLE {app} SET search_path = work, \"with, comma\", public, '$user'",
        "ALTER ROLE {app} IN DATABASE postgres SET work_mem = '7MB'",
        "GRANT SET ON PARAMETER my.own TO {admin}",
        "ALTER ROLE {app} SET my.own = 'it''s, \"mine\"'",
        "ALTER ROLE {app} CONNECTION LIMIT 9 VALID UNTIL '2099-01-01'",
    ):
        world.run(statement)


def test_rights_and_settings_are_equal_after_four_rotations(pair: World) -> None:
    """Table, column, schema, function, settings with lists, limits; and what either makes, the other owns too."""
    prepare(pair)
    rights = RIGHTS.format(user=pair.user)
    before = pair.run(rights, "AWSCURRENT")
    assert before == [(True, 'work, "with, comma", public, "$user"', "7MB", 'it\'s, "mine"')]
    for number in range(4):
        pair.run(f"CREATE TABLE work.made_{number} (i int)", "AWSCURRENT")
        pair.rotated()
        assert pair.run(rights, "AWSCURRENT") == before
        for stage in ("AWSCURRENT", "AWSPREVIOUS"):
            pair.run(f"ALTER TABLE work.made_{number} ADD COLUMN {stage} int", stage)
            pair.run(f"INSERT INTO work.made_{number} (i) VALUES (1)", stage)
        limits = pair.run(LIMITS)
        assert limits == [(9, 2099, True)] * 2


def test_a_right_granted_or_revoked_between_two_rotations_holds_for_both_at_once(pair: World) -> None:
    """An alias has no rights of its own."""
    prepare(pair)
    pair.rotated()
    pair.rotated()
    pair.run("CREATE TABLE work.later (i int)")
    pair.run("GRANT SELECT ON work.later TO {app}")
    pair.run("REVOKE SELECT ON work.given FROM {app}")
    for stage in ("AWSCURRENT", "AWSPREVIOUS"):
        assert pair.run("SELECT count(*) FROM work.later", stage) == [(0,)]
        with pytest.raises(Exception, match="permission denied"):
            pair.run("SELECT count(*) FROM work.given", stage)


def test_settings_follow_the_base(pair: World) -> None:
    """A2: what is changed or reset on the base is so for the clone after its next turn, element by element."""
    prepare(pair)
    pair.rotated()
    pair.run("ALTER ROLE {app} SET search_path = ''")
    pair.run("ALTER ROLE {app} RESET my.own")
    pair.run("ALTER ROLE {app} IN DATABASE postgres RESET work_mem")
    pair.run("ALTER ROLE {app} CONNECTION LIMIT -1 VALID UNTIL 'infinity'")
    pair.rotated()
    pair.rotated()
    assert pair.value()["username"].endswith("_clone")
    settings = "SELECT unnest(setconfig) FROM pg_db_role_setting WHERE setrole = '{clone}'::regrole ORDER BY 1"
    assert pair.run(settings) == [(f"role={pair.user}",), ('search_path=""',)]
    assert pair.run("SHOW search_path", "AWSCURRENT") == [('""',)]


def test_reset_role_comes_back_to_the_base(pair: World) -> None:
    """A connection pool's RESET ALL and DISCARD ALL do not change who the session acts as."""
    pair.rotated()
    value = pair.value()
    opened = pair.server.connect(value["username"], value["password"])
    with opened.cursor() as cursor:
        for statement in ("RESET ROLE", "RESET ALL", "DISCARD ALL"):
            cursor.execute(statement)
            cursor.execute("SELECT session_user, current_user")
            assert cursor.fetchone() == (pair.user + "_clone", pair.user)
    opened.close()


def test_a_base_that_is_set_to_another_role(pair: World) -> None:
    """Its clone runs as that role too."""
    pair.run('CREATE ROLE "the boss"')
    pair.run("GRANT \"the boss\" TO {app}; ALTER ROLE {app} SET role = 'the boss'")
    for _ in range(3):
        pair.rotated()
        assert pair.run("SELECT current_user", "AWSCURRENT") == [("the boss",)]
    drop(pair)
    pair.server.run('DROP ROLE "the boss"')


@pytest.mark.parametrize("user", ['we "ird', "per%cent %s", "a b", "ünïcödé", "UPPER", "x" * 57, "{app}"])
def test_names_of_every_kind(
    server: PostgresServer, aws: Simulator, monkeypatch: pytest.MonkeyPatch, user: str
) -> None:
    """In every statement and every command."""
    monkeypatch.setenv("SECRETS_MANAGER_ENDPOINT", aws.endpoint)
    monkeypatch.setenv("TLS_CA_FILE", str(server.ca_file))
    monkeypatch.setenv("ADMIN_SECRETS", "")
    world = make_world_with_admin(server, aws, user)
    try:
        for _ in range(2):
            world.rotated()
            assert world.logs_in()
        world.rotated()
        assert world.logs_in("AWSPREVIOUS")
    finally:
        drop(world)


def test_a_name_without_room_for_the_clone(pair_17: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused at createSecret: PostgreSQL would cut it at 63 bytes; USERNAME_CHARACTER_LIMIT may say less."""
    monkeypatch.setenv("USERNAME_CHARACTER_LIMIT", "10")
    assert "10 bytes at most" in pair_17.refused("secret-field-invalid")
    monkeypatch.setenv("USERNAME_CHARACTER_LIMIT", "64")
    pair_17.refused("setting-invalid")
    monkeypatch.delenv("USERNAME_CHARACTER_LIMIT")
    pair_17.put(username="x" * 58)
    assert "63 bytes" in pair_17.refused("secret-field-invalid")


def test_a1_another_version_proves_current(pair: World) -> None:
    """AWSCURRENT is rejected (edited by hand), AWSPREVIOUS of the same user logs in: the rotation goes on."""
    pair.put(password="never-set-on-the-server")
    rotation = pair.rotated()
    assert rotation.case("setSecret") == "A1"
    assert pair.logs_in()
    assert pair.server.accepts(pair.user, FIRST)


def test_a1_nobody_logs_in(pair: World) -> None:
    """Who does not know a password of current's user gets nothing from the admin."""
    pair.run("ALTER ROLE {app} PASSWORD 'by hand'")
    assert "AWSCURRENT" in pair.refused("no-login-works")
    assert pair.run(NO_CLONE) == []


@pytest.mark.parametrize("step", ["createSecret", "setSecret", "testSecret", "finishSecret"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_step_that_dies_is_done_again(pair: World, step: str, when: str) -> None:
    """No probing, no failed login: A3 sets the pending password always."""
    deaths = dies_once(pair, step, when)
    for _ in range(2):
        deaths.clear()
        pair.rotated()
        assert pair.server_saw()["failed"] == 0
        assert (pair.logs_in(), pair.logs_in("AWSPREVIOUS")) == (True, True)


def test_abandoned_after_set_then_anew(pair: World) -> None:
    """AWSPENDING lost after setSecret, twice in a row: AWSCURRENT worked all the while, the next rotation goes through."""
    for _ in range(2):
        lose_pending_after_set(pair)
        assert pair.logs_in()
    pair.rotated()
    assert pair.logs_in()
    lose_pending_after_set(pair)
    assert pair.logs_in()
    pair.rotated()
    assert (pair.logs_in(), pair.logs_in("AWSPREVIOUS")) == (True, True)


def lose_pending_after_set(world: World) -> None:
    """A rotation that fails in testSecret, and is given up."""
    handler = world.handler

    def fails_in_test(event: dict[str, str], context: object) -> None:
        if event["Step"] == "testSecret":
            raise RuntimeError("on purpose")
        handler(event, context)

    kept, tries = world.function, world.aws.tries
    world.function, world.aws.tries = world.aws.add_function("failing", fails_in_test), 1
    assert not world.rotate().succeeded
    world.take_pending_off()
    world.function, world.aws.tries = kept, tries


class TestWhatTheAdminLacks:
    """As a non-superuser admin like RDS's: where it cannot, the error names the command."""

    def test_admin_option_on_the_base(self, pair_17: World) -> None:
        """A base that somebody else made, since PostgreSQL 16."""
        pair_17.run("REVOKE {app} FROM {admin}")
        error = pair_17.refused("admin-lacks-right")
        command = f'GRANT "{pair_17.user}" TO "{pair_17.admin}" WITH ADMIN OPTION'
        assert command in error
        pair_17.run(command)
        pair_17.rotated()
        pair_17.rotated()

    def test_createrole(self, pair: World) -> None:
        """An admin who may not create roles."""
        pair.run("ALTER ROLE {admin} NOCREATEROLE")
        error = pair.refused("admin-lacks-right")
        assert f'ALTER ROLE "{pair.admin}" CREATEROLE' in error
        pair.run(f'ALTER ROLE "{pair.admin}" CREATEROLE')
        pair.rotated()

    def test_a_setting_that_it_may_not_set(self, pair: World) -> None:
        """A base with a superuser's setting: named, with the GRANT; nothing of the clone is there."""
        pair.run("ALTER ROLE {app} SET log_statement = 'none'")
        error = pair.refused("admin-lacks-right")
        command = f'GRANT SET ON PARAMETER log_statement TO "{pair.admin}"'
        assert command in error
        assert pair.run(NO_CLONE) == []
        pair.run(command)
        pair.rotated()

    def test_replication(self, pair_17: World) -> None:
        """An attribute that only one who has it may give."""
        pair_17.run("ALTER ROLE {app} REPLICATION")
        error = pair_17.refused("admin-lacks-right")
        assert f'ALTER ROLE "{pair_17.admin}" REPLICATION' in error
        pair_17.run(f'ALTER ROLE "{pair_17.admin}" REPLICATION')
        pair_17.rotated()
        assert pair_17.run("SELECT rolreplication FROM pg_roles WHERE rolname = {clone_text}") == [(True,)]


def test_an_expired_base_is_said(pair_17: World) -> None:
    """VALID UNTIL is copied, never extended; where it is past, no password would log in."""
    pair_17.rotated()
    pair_17.run("ALTER ROLE {app} VALID UNTIL '2020-01-01'")
    assert "VALID UNTIL" in pair_17.refused("user-expired")
    assert pair_17.logs_in(), "the clone has the date of its own turn"


def test_an_admin_secret_in_mid_rotation_is_read_once_more(pair_17: World) -> None:
    """The admin's password was changed a moment ago, and its secret follows a moment later."""
    admin = json.loads(pair_17.client.get_secret_value(SecretId=str(pair_17.admin_arn))["SecretString"])
    pair_17.server.set_password(str(pair_17.admin), "canary-new-admin-PASSWORD")
    reads: list[Any] = []

    def second_read(event: dict[str, str], context: object) -> None:
        if event["Step"] == "setSecret":
            timer = threading.Timer(
                0.5,
                lambda: pair_17.client.put_secret_value(
                    SecretId=str(pair_17.admin_arn),
                    SecretString=json.dumps({**admin, "password": "canary-new-admin-PASSWORD"}),
                ),
            )
            timer.start()
            reads.append(timer)
        handler(event, context)

    handler = pair_17.handler
    pair_17.function = pair_17.aws.add_function("later", second_read)
    pair_17.rotated()
    pair_17.server.set_password(str(pair_17.admin), "canary-other-PASSWORD")
    reads.clear()
    pair_17.function = pair_17.aws.add_function("never", handler)
    error = pair_17.refused("admin-rejected")
    assert "read once more" in error
    assert "rotated itself" in error
