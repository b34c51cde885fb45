"""Who may write a secret's value gains nothing by it: the kit's attacks, and those that only PostgreSQL knows."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from testkit.servers.postgres import PostgresServer
from tests.integration.attacks import AttackKit
from tests.integration.world import FIRST, World


class TestAttacks(AttackKit):
    """What every target withstands."""

    @pytest.fixture
    def pair(self, pair_17: World) -> World:
        """On PostgreSQL 17."""
        return pair_17

    def other_admin(self, pair: Any) -> dict[str, object]:
        value: dict[str, object] = pair.server.secret("postgres", pair.server.password)
        return value

    def superuser(self) -> str:
        return "postgres"


class TestW2:
    """Where the admin logs in."""

    def test_a_server_of_the_attackers(self, pair_17: World, server_15: PostgresServer, trusted: Path) -> None:
        """It lets current in, so A1 passes; the admin does not log in there."""
        server_15.create_user(pair_17.user, FIRST)
        both = trusted.with_name("both.crt")
        both.write_bytes(trusted.read_bytes() + server_15.ca_file.read_bytes())
        os.environ["TLS_CA_FILE"] = str(both)
        mark = len(server_15.log.read_text())
        pair_17.put(port=server_15.port)
        assert "Nothing was sent" in pair_17.refused("admin-other-server")
        log = server_15.log.read_text()[mark:]
        assert f"connection authorized: user={pair_17.user} " in log
        assert str(pair_17.admin) not in log
        server_15.run(f"DROP ROLE {pair_17.user}")


def test_w3_a_database_whose_owner_shadows_the_catalog(pair_17: World) -> None:
    """Its search_path, role and password_encryption, its pg_roles and functions: none of it runs as the admin."""
    admin = json.loads(pair_17.client.get_secret_value(SecretId=str(pair_17.admin_arn))["SecretString"])
    pair_17.server.run("DROP DATABASE IF EXISTS trapped")
    pair_17.server.run("CREATE DATABASE trapped")
    for statement in (
        "CREATE SCHEMA evil",
        "CREATE TABLE evil.loot (who text)",
        "GRANT ALL ON SCHEMA evil TO PUBLIC; GRANT ALL ON evil.loot TO PUBLIC",
        "CREATE VIEW evil.pg_roles AS SELECT 1 AS oid, current_user AS rolname",
        "CREATE FUNCTION evil.now() RETURNS timestamptz LANGUAGE sql AS $$ INSERT INTO evil.loot VALUES (current_user); SELECT pg_catalog.now() $$",
        "CREATE FUNCTION evil.pg_has_role(oid, oid, text) RETURNS bool LANGUAGE sql AS $$ INSERT INTO evil.loot VALUES (current_user); SELECT true $$",
        "CREATE FUNCTION evil.eq(name, text) RETURNS bool LANGUAGE sql AS $$ INSERT INTO evil.loot VALUES (current_user); SELECT true $$",
        "CREATE OPERATOR evil.= (LEFTARG = name, RIGHTARG = text, FUNCTION = evil.eq)",
        "ALTER DATABASE trapped SET search_path = evil, pg_catalog",
        "ALTER DATABASE trapped SET password_encryption = 'md5'",
        "CREATE ROLE lesser; GRANT lesser TO {admin}; ALTER ROLE {admin} IN DATABASE trapped SET role = 'lesser'",
    ):
        pair_17.run(statement, dbname="trapped")
    pair_17.client.put_secret_value(
        SecretId=str(pair_17.admin_arn), SecretString=json.dumps({**admin, "dbname": "trapped"})
    )
    for _ in range(2):
        pair_17.rotated()
    assert pair_17.run("SELECT * FROM evil.loot", dbname="trapped") == []
    assert pair_17.logs_in()
    pair_17.run("REVOKE lesser FROM {admin}; ALTER ROLE {admin} IN DATABASE trapped RESET role; DROP ROLE lesser")
    pair_17.server.run("DROP DATABASE trapped")


class TestW5:
    """Which user the admin may take over."""

    def test_a_clone_made_by_one_who_may_only_create_roles(self, pair_17: World) -> None:
        """He keeps ADMIN OPTION on what he made, and would have the base's rights through it."""
        pair_17.run("CREATE ROLE mallory LOGIN CREATEROLE PASSWORD 'm'")
        pair_17.server.run(f'CREATE ROLE "{pair_17.user}_clone"', ("mallory", "m"))
        error = pair_17.refused("clone-has-members")
        assert f'REVOKE "{pair_17.user}_clone" FROM "mallory"' in error
        pair_17.run("DROP ROLE {clone}; DROP ROLE mallory")
        pair_17.rotated()

    def test_an_unrelated_user_of_that_name(self, pair_17: World) -> None:
        """An unrelated `…_clone` without rights: not provably ours, and nothing of it changes."""
        pair_17.server.create_user(pair_17.user + "_clone", "its-own-password")
        pair_17.refused("user-not-ours")
        assert pair_17.server.accepts(pair_17.user + "_clone", "its-own-password")

    def test_an_unrelated_user_with_rights_of_its_own(self, pair_17: World) -> None:
        """Its objects and rights are named."""
        pair_17.server.create_user(pair_17.user + "_clone", "its-own-password")
        pair_17.run("CREATE TABLE unrelated (i int); ALTER TABLE unrelated OWNER TO {clone}")
        pair_17.refused("clone-holds-rights")
        assert pair_17.server.accepts(pair_17.user + "_clone", "its-own-password")

    def test_who_knows_its_password_may(self, pair_17: World) -> None:
        """A version of the secret that names it logs in as it."""
        pair_17.server.create_user(
            pair_17.user + "_clone", "its-own-password", as_user=(str(pair_17.admin), "canary-admin-PASSWORD")
        )
        pair_17.put(username=pair_17.user + "_clone", password="its-own-password")
        pair_17.put(username=pair_17.user, password=FIRST)
        pair_17.rotated()
        assert pair_17.value()["username"] == pair_17.user + "_clone"

    def test_a_base_that_current_may_not_become(self, pair_17: World) -> None:
        """The attacker has a user `x_clone` of his own, and there is a user `x` who is not his."""
        pair_17.server.create_user("victim", "victims-password", as_user=(str(pair_17.admin), "canary-admin-PASSWORD"))
        pair_17.server.create_user(
            "victim_clone", "attackers-password", as_user=(str(pair_17.admin), "canary-admin-PASSWORD")
        )
        pair_17.put(username="victim_clone", password="attackers-password")
        assert "SET ROLE" in pair_17.refused("user-not-ours")
        assert pair_17.server.accepts("victim", "victims-password")
        pair_17.run("DROP ROLE victim; DROP ROLE victim_clone")

    def test_attributes_that_current_lacks(self, pair_17: World) -> None:
        """A clone that may create roles, of a base that may not."""
        pair_17.rotated()
        pair_17.rotated()
        pair_17.run("ALTER ROLE {clone} CREATEROLE")
        assert "NOCREATEROLE" in pair_17.refused("user-not-ours")

    def test_memberships_of_its_own(self, pair_17: World) -> None:
        """Both remedies are named; from either side nothing is changed."""
        pair_17.rotated()
        pair_17.run("CREATE ROLE extra; GRANT extra TO {clone}")
        for _ in range(2):
            error = pair_17.refused("clone-holds-rights")
            assert f'REVOKE "extra" FROM "{pair_17.user}_clone"' in error
            assert f'GRANT "extra" TO "{pair_17.user}"' in error
            pair_17.run("REVOKE extra FROM {clone}")
            pair_17.rotated()
            pair_17.run("GRANT extra TO {clone}")
        pair_17.run("DROP ROLE extra")

    def test_a_superuser_as_the_other_name(self, pair_17: World) -> None:
        """Neither as the clone nor as the base."""
        pair_17.run("CREATE ROLE {clone} SUPERUSER LOGIN")
        pair_17.refused("user-is-superuser")
        pair_17.run("ALTER ROLE {clone} NOSUPERUSER; DROP ROLE {clone}; ALTER ROLE {app} SUPERUSER")
        pair_17.refused("user-is-superuser")
        pair_17.run("ALTER ROLE {app} NOSUPERUSER")
