"""Who may write a secret's value gains nothing by it: attacks, each named after the rule that stops it (W1 to W6).

The attacker here may write the value of one application's secret, and knows the password of that application's user.
"""

import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from testkit.servers.postgres import PostgresServer
from tests.integration.world import FIRST, World


@contextmanager
def trap() -> Iterator[tuple[int, list[bytes]]]:
    """A port of the attacker's, and whatever was sent to it."""
    received: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                with client:
                    client.settimeout(1)
                    received.append(client.recv(1000))

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1], received


class TestW1:
    """Which admin secret may be named."""

    def test_without_admin_secrets(self, pair_17: World, monkeypatch: pytest.MonkeyPatch) -> None:
        """Refused, saying what to set."""
        monkeypatch.delenv("ADMIN_SECRETS")
        assert "ADMIN_SECRETS" in pair_17.refused("admin-not-allowed")

    def test_the_admin_of_another_application(self, pair_17: World) -> None:
        """A secret that the function may read for somebody else is no admin here."""
        other = pair_17.client.create_secret(
            Name="other/application",
            SecretString=json.dumps(pair_17.server.secret("postgres", pair_17.server.password)),
        )["ARN"]
        pair_17.put(masterarn=other)
        pair_17.refused("admin-not-allowed")

    def test_a_name_that_only_looks_allowed(self, pair_17: World, monkeypatch: pytest.MonkeyPatch) -> None:
        """What counts is the ARN that the service answers, not the text in the secret."""
        monkeypatch.setenv("ADMIN_SECRETS", "arn:aws:secretsmanager:*:*:secret:admin/*")
        pair_17.client.create_secret(
            Name="evil", SecretString=json.dumps(pair_17.server.secret("postgres", pair_17.server.password))
        )
        pair_17.put(masterarn="evil")
        pair_17.refused("admin-not-allowed")
        pair_17.put(masterarn=str(pair_17.admin_arn).rpartition("-")[0])  # a partial ARN of the allowed one
        pair_17.rotated()

    def test_the_secret_itself(self, pair_17: World, monkeypatch: pytest.MonkeyPatch) -> None:
        """Also where a pattern would allow it."""
        monkeypatch.setenv("ADMIN_SECRETS", "*")
        pair_17.put(masterarn=pair_17.arn)
        pair_17.refused("admin-not-allowed")


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

    @pytest.mark.parametrize("fields", [{"port": "trap"}, {"host": "127.0.0.1", "port": "trap"}])
    def test_a_port_of_the_attackers(self, pair_17: World, fields: dict[str, object]) -> None:
        """Nothing but a request for TLS is sent to what does not prove who it is."""
        with trap() as (port, received):
            pair_17.aws.tries = 1
            pair_17.put(**{**fields, "port": port})
            assert not pair_17.rotate().succeeded
            assert received
            assert {len(data) for data in received} == {8}, "SSLRequest, and no name of a user"

    def test_another_name_of_the_server_must_be_said_by_tag(self, pair_17: World) -> None:
        """A CNAME in the secret's host: refused, until the platform team says so."""
        pair_17.put(host="127.0.0.1", tls_server_name="localhost")
        assert "rotation:host" in pair_17.refused("admin-other-server")
        pair_17.tag(host="127.0.0.1.")
        pair_17.rotated()

    def test_another_port_is_another_server(self, pair_17: World) -> None:
        """Also where a tag names the host."""
        admin = json.loads(pair_17.client.get_secret_value(SecretId=str(pair_17.admin_arn))["SecretString"])
        pair_17.client.put_secret_value(
            SecretId=str(pair_17.admin_arn), SecretString=json.dumps({**admin, "port": pair_17.server.port + 1})
        )
        pair_17.tag(host="localhost")
        assert "Nothing was sent" in pair_17.refused("admin-other-server")

    def test_the_admins_tls_is_its_own(self, pair_17: World) -> None:
        """ssl: false in the secret does not send the admin's login without TLS."""
        pair_17.put(ssl=False)
        pair_17.rotated()
        log = pair_17.server.log.read_text()[pair_17._mark :].splitlines()  # noqa: SLF001
        (admins,) = [line for line in log if f"connection authorized: user={pair_17.admin} " in line]
        assert "SSL enabled" in admins


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


@pytest.mark.parametrize("user", ["postgres", "victim", "{app}", "{app}_clone_clone", "{admin}"])
def test_w4_a_pending_value_with_a_victims_name(pair_17: World, user: str) -> None:
    """Pending's user is exactly current's other name."""
    pair_17.rotated()
    staged = "f" * 32
    value = {
        **pair_17.value(),
        "username": user.format(app=pair_17.user + "_clone", admin=pair_17.admin),
        "password": "chosen",
    }
    pair_17.client.put_secret_value(
        SecretId=pair_17.arn, SecretString=json.dumps(value), VersionStages=["AWSPENDING"], ClientRequestToken=staged
    )
    with pytest.raises(pair_17.client.exceptions.InvalidRequestException):
        pair_17.rotate()
    pair_17.aws.wait()
    assert "[pending-differs]" in str(pair_17.aws.rotations[-1].error)
    assert pair_17.server_saw()["connections"] == 0


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

    def test_the_admins_own_user(self, pair_17: World) -> None:
        """The secret names the admin's own user, whose password the attacker does not know, or does."""
        pair_17.put(username=pair_17.admin, password="canary-admin-PASSWORD")
        pair_17.refused("admin-is-the-user")
        assert pair_17.server.accepts(str(pair_17.admin), "canary-admin-PASSWORD")

    def test_a_superuser_as_the_other_name(self, pair_17: World) -> None:
        """Neither as the clone nor as the base."""
        pair_17.run("CREATE ROLE {clone} SUPERUSER LOGIN")
        pair_17.refused("user-is-superuser")
        pair_17.run("ALTER ROLE {clone} NOSUPERUSER; DROP ROLE {clone}; ALTER ROLE {app} SUPERUSER")
        pair_17.refused("user-is-superuser")
        pair_17.run("ALTER ROLE {app} NOSUPERUSER")


class TestW6:
    """Whom the admin may reset."""

    @pytest.mark.parametrize("user", ["postgres", "{admin}"])
    def test_never_a_superuser_nor_the_admin(self, pair_17: World, user: str) -> None:
        """Though a tag names it."""
        name = user.format(admin=pair_17.admin)
        pair_17.tag(strategy="single-user", reconcile=name)
        pair_17.put(username=name, password="wrong")
        pair_17.refused("user-is-superuser" if name == "postgres" else "admin-is-the-user")
        assert pair_17.server.accepts("postgres", pair_17.server.password)
        assert pair_17.server.accepts(str(pair_17.admin), "canary-admin-PASSWORD")

    def test_only_the_user_that_the_tag_names(self, pair_17: World) -> None:
        """The attacker changes the user in the value; the tag still names his own."""
        pair_17.server.create_user("victim", "victims-password", as_user=(str(pair_17.admin), "canary-admin-PASSWORD"))
        pair_17.tag(strategy="single-user", reconcile=pair_17.user)
        pair_17.put(username="victim", password="wrong")
        pair_17.refused("no-login-works")
        assert pair_17.server.accepts("victim", "victims-password")
        pair_17.run("DROP ROLE victim")
