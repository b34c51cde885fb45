"""What a review on real servers found, each as it was shown to go wrong."""

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from common import clock
from rotators.mysql import session as session_module
from rotators.mysql.session import Session
from testkit.servers.mysql import MySqlServer
from testkit.simulator import Simulator
from tests.integration.mysql.test_alternating import catalog, deeds, pair_world, tried
from tests.integration.mysql.world import ADMIN, World, make_admin, make_world
from tests.integration.world import FIRST, dies_once


@pytest.fixture
def pair(db: MySqlServer, aws: Simulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A base with a right of every kind."""
    with pair_world(db, aws, monkeypatch, "base") as world:
        yield world


@contextmanager
def turned_away(port: int, number: int) -> Iterator[tuple[int, list[int]]]:
    """A port in front of the server; as often as the list's number says, a connection gets an error instead of a greeting."""
    left = [0]
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def pump(source: socket.socket, sink: socket.socket) -> None:
            with source, suppress(OSError):
                while data := source.recv(65536):
                    sink.sendall(data)
                sink.shutdown(socket.SHUT_RDWR)

        def serve() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    if left[0]:
                        left[0] -= 1
                        body = b"\xff" + struct.pack("<H", number) + b"no"
                        client.sendall(struct.pack("<I", len(body))[:3] + b"\0" + body)
                        client.close()
                        continue
                    server = socket.create_connection(("127.0.0.1", port))
                    for one in ((client, server), (server, client)):
                        threading.Thread(target=pump, args=one, daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1], left
        listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("number", [1135, 3032, 1130, 3955])
def test_dual_a_server_that_turns_current_away_once(dual: World, number: int) -> None:
    """That says nothing of its password, whose being primary must not be given up."""
    with turned_away(dual.server.port, number) as (port, left):
        dual.put(port=port)
        dual.rotated()
        dual.rotated()
        left[0], dual.aws.tries = 1, 1
        dies_once(dual, "setSecret", "after")
        assert not dual.rotate().succeeded
        dual.take_pending_off()
        assert dual.logs_in()


def test_dual_without_tls_for_a_user_that_requires_it(dual: World) -> None:
    """Somebody puts "ssl": false into the secret: the server refuses that, and the password stays."""
    dual.rotated()
    dual.rotated()
    dual.run("ALTER USER %s@'%%' REQUIRE SSL", dual.user)
    dual.put(ssl=False)
    dual.aws.tries = 1
    dual.rotate()
    value = dual.value()
    assert dual.server.accepts(value["username"], value["password"])  # by TLS, as the test connects


class TestHosts:
    """An account of the base's for another host that holds more than the one that the function logs in as: W5."""

    def test_the_clone_does_not_get_it(self, governed: World) -> None:
        """A clone with the other account's rights would have the secret's password."""
        governed.tag(strategy="alternating-users")
        governed.server.create_user(governed.user, "somebody-elses", "10.%")
        governed.run("GRANT PROCESS ON *.* TO %s@'10.%%'", governed.user)
        assert "REVOKE PROCESS" in governed.refused("account-holds-more")
        assert (f"{governed.user}_clone", "%") not in governed.server.users()

    def test_the_base_s_turn_does_not_reset_it(self, governed: World) -> None:
        """Made after the clone's turn: that AWSPREVIOUS logs in by another account proves nothing of this one."""
        governed.tag(strategy="alternating-users")
        governed.rotated()
        governed.server.create_user(governed.user, "somebody-elses", "10.%")
        governed.run("GRANT PROCESS ON *.* TO %s@'10.%%'", governed.user)
        assert "'10.%'" in governed.refused("user-not-ours")
        assert governed.logs_in()

    def test_what_the_base_s_own_account_gained_is_no_hindrance(self, governed: World) -> None:
        """AWSPREVIOUS logs in as it."""
        governed.tag(strategy="alternating-users")
        governed.rotated()
        governed.run("GRANT PROCESS ON *.* TO %s@'%%'", governed.user)
        governed.rotated()
        assert governed.value()["username"] == governed.user

    def test_an_account_that_only_the_clone_has(self, governed: World) -> None:
        """It would keep a password that nobody rotates."""
        governed.tag(strategy="alternating-users")
        governed.rotated()
        governed.rotated()
        governed.server.create_user(f"{governed.user}_clone", "somebody-elses", "10.%")
        assert "DROP USER" in governed.refused("clone-holds-rights")
        governed.run("DROP USER %s@'10.%%'", f"{governed.user}_clone")
        governed.rotated()

    def test_a_locked_account_is_not_opened(self, governed: World) -> None:
        """Nor does its clone open what somebody has locked."""
        governed.tag(strategy="alternating-users")
        governed.server.create_user(governed.user, "somebody-elses", "10.%")
        governed.run("ALTER USER %s@'10.%%' ACCOUNT LOCK", governed.user)
        assert "'10.%'" in governed.refused("account-locked")

    def test_an_account_for_the_empty_host(
        self, my: MySqlServer, aws: Simulator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """MySQL takes it for any: it is one of the user's accounts like the others."""
        monkeypatch.setenv("SECRETS_MANAGER_ENDPOINT", aws.endpoint)
        users = my.users()
        try:
            admin_arn = make_admin(my, aws)
            monkeypatch.setenv("ADMIN_SECRETS", admin_arn)
            world = make_world(my, aws, masterarn=admin_arn)
            world.tag(strategy="single-user")
            world.run("RENAME USER %s@'%%' TO %s@''", world.user, world.user)
            my.create_user(world.user, "somebody-elses", "10.%")
            world.run("GRANT SELECT ON mysql.* TO %s@'10.%%'", world.user)
            before = world.run("SELECT authentication_string FROM mysql.user WHERE host = '10.%'")
            world.refused("account-holds-more")
            assert world.run("SELECT authentication_string FROM mysql.user WHERE host = '10.%'") == before
            world.run("REVOKE SELECT ON mysql.* FROM %s@'10.%%'", world.user)
            world.rotated()
            assert world.logs_in()
        finally:
            my.drop_users(keep=users)

    def test_another_method_is_not_taken_away(self, governed: World) -> None:
        """An account that logs in by the socket would have a password, and no socket."""
        plugin = "unix_socket" if governed.server.flavour == "mariadb" else "auth_socket"
        if plugin == "auth_socket":
            with suppress(Exception):
                governed.run("INSTALL PLUGIN auth_socket SONAME 'auth_socket.so'")
        word = "VIA" if governed.server.flavour == "mariadb" else "WITH"
        governed.run(f"CREATE USER %s@'10.%%' IDENTIFIED {word} {plugin}", governed.user)
        assert "for the host '10.%'" in governed.refused("login-method")
        assert governed.logs_in()


class TestPartialRevokes:
    """MySQL: who lacks a restriction that another has, holds more than that one."""

    @pytest.fixture
    def restricted(self, mysql: MySqlServer, aws: Simulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
        """A base that reads all but the schema mysql."""
        monkeypatch.setenv("TLS_CA_FILE", str(mysql.ca_file))
        mysql.run("SET GLOBAL partial_revokes = ON")
        try:
            with pair_world(mysql, aws, monkeypatch, "base") as world:
                world.run("GRANT SELECT ON *.* TO base@'%'")
                world.run("REVOKE SELECT ON mysql.* FROM base@'%'")
                yield world
        finally:
            mysql.run("SET GLOBAL partial_revokes = OFF")

    def test_an_unproven_user_without_the_restriction(self, restricted: World) -> None:
        """Is not taken over."""
        restricted.server.create_user("base_clone", "somebody-elses")
        restricted.run("GRANT SELECT ON *.* TO base_clone@'%'")
        restricted.refused("user-not-ours")
        assert restricted.server.accepts("base_clone", "somebody-elses")

    def test_a_clone_without_the_restriction(self, restricted: World) -> None:
        """The base's turn would lose something: both remedies are named."""
        restricted.rotated()
        restricted.run("GRANT SELECT ON mysql.* TO base_clone@'%'")
        error = restricted.refused("clone-holds-rights")
        assert "GRANT SELECT ON `mysql`.* TO 'base'@'%', or REVOKE SELECT ON `mysql`.* FROM 'base_clone'@'%'" in error
        restricted.run("REVOKE SELECT ON mysql.* FROM base_clone@'%'")
        restricted.rotated()

    def test_another_host_without_the_restriction(self, restricted: World) -> None:
        """Single user by the admin."""
        restricted.tag(strategy="single-user")
        restricted.server.create_user("base", FIRST, "10.%")
        restricted.run("GRANT SELECT ON *.* TO base@'10.%'")
        assert "REVOKE SELECT ON `mysql`.* FROM 'base'@'10.%'" in restricted.refused("account-holds-more")

    def test_what_was_restricted_is_gone(self, restricted: World) -> None:
        """The restriction goes with the right: at no time does the clone hold what was taken."""
        restricted.rotated()
        restricted.rotated()
        restricted.run("REVOKE SELECT ON *.* FROM base@'%'")
        mark = len(restricted.server.log.read_text())
        restricted.rotated()
        assert "GRANT SELECT ON `mysql`" not in restricted.server.log.read_text()[mark:]
        assert catalog(restricted, "base_clone") == catalog(restricted, "base")


class TestValidated:
    """MariaDB with a plugin that judges passwords, and so refuses hashes."""

    @pytest.fixture
    def judged(self, mariadb: MySqlServer) -> Iterator[None]:
        """simple_password_check, with strict_password_validation as it comes."""
        mariadb.run("INSTALL SONAME 'simple_password_check'")
        try:
            yield
        finally:
            mariadb.run("UNINSTALL SONAME 'simple_password_check'")

    @pytest.mark.parametrize("strategy", ["single-user", "alternating-users"])
    def test_an_admin_rotates(
        self, judged: None, mariadb: MySqlServer, aws: Simulator, monkeypatch: pytest.MonkeyPatch, strategy: str
    ) -> None:
        """By the password itself, where the server insists on seeing it; one that is too weak is refused, and S6 or A4."""
        assert judged is None
        monkeypatch.setenv("TLS_CA_FILE", str(mariadb.ca_file))
        mariadb.run("SET GLOBAL simple_password_check_digits = 0")
        monkeypatch.setenv("SECRETS_MANAGER_ENDPOINT", aws.endpoint)
        users = mariadb.users()
        try:
            mariadb.run("SET GLOBAL strict_password_validation = OFF")
            admin_arn = make_admin(mariadb, aws)
            monkeypatch.setenv("ADMIN_SECRETS", admin_arn)
            world = make_world(mariadb, aws, masterarn=admin_arn)
            mariadb.run("SET GLOBAL strict_password_validation = ON")
            world.tag(strategy=strategy)
            for _ in range(3):
                world.rotated()
                assert world.logs_in()
            mariadb.run("SET GLOBAL simple_password_check_minimal_length = 50")
            assert "policy" in world.refused("password-refused")
            assert world.logs_in()
            world.tag(password_length="60")
            world.rotated()
            assert world.logs_in()
        finally:
            mariadb.run("SET GLOBAL simple_password_check_minimal_length = 8")
            mariadb.run("SET GLOBAL strict_password_validation = ON")
            mariadb.drop_users(keep=users)


class TestVoidRights:
    """Servers keep rights on what is gone."""

    def test_a_dropped_table_and_column(self, pair: World) -> None:
        """They block nothing, whether the clone is there or not."""
        pair.run("DROP TABLE alt.by_role")
        pair.run("CREATE TABLE alt.gone (a int, b int)")
        pair.run("GRANT SELECT ON alt.gone TO base@'%'")
        pair.run("GRANT UPDATE (b) ON alt.gone TO base@'%'")
        pair.run("ALTER TABLE alt.gone DROP COLUMN b")
        pair.rotated()
        pair.rotated()
        pair.run("DROP TABLE alt.gone")
        pair.run("DROP USER base_clone@'%'")
        pair.rotated()
        assert pair.logs_in()
        assert tried(pair, "SELECT i FROM alt.whole") == "ok"


class TestExpired:
    """An expiry that has come."""

    def test_a_clone_that_has_expired(self, pair: World) -> None:
        """It serves nobody; its turn gives it a new password."""
        pair.rotated()
        pair.rotated()
        pair.run("ALTER USER base_clone@'%' PASSWORD EXPIRE")
        pair.rotated()
        assert pair.value()["username"] == "base_clone"
        assert pair.logs_in()
        assert catalog(pair, "base_clone") == catalog(pair, "base")

    def test_a_base_that_has_expired(self, pair: World) -> None:
        """While the clone is current."""
        pair.rotated()
        pair.run("ALTER USER base@'%' PASSWORD EXPIRE")
        pair.rotated()
        assert pair.logs_in()


class TestOptions:
    """What SHOW CREATE USER says."""

    def test_max_statement_time(self, mariadb: MySqlServer, aws: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
        """MariaDB's: given, changed, taken."""
        monkeypatch.setenv("TLS_CA_FILE", str(mariadb.ca_file))
        with pair_world(mariadb, aws, monkeypatch, "base") as world:
            for limit in (
                "MAX_STATEMENT_TIME 12.5",
                "MAX_USER_CONNECTIONS 3 MAX_STATEMENT_TIME 60",
                "MAX_STATEMENT_TIME 0",
            ):
                world.run(f"ALTER USER base@'%' WITH {limit}")
                world.rotated()
                times = "SELECT DISTINCT max_statement_time FROM mysql.user WHERE user LIKE 'base%'"
                assert len(world.run(times)) == 1
                world.rotated()

    def test_a_subject_with_a_quote(self, mysql: MySqlServer, aws: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
        """MySQL prints it unescaped: nothing is read into it."""
        monkeypatch.setenv("TLS_CA_FILE", str(mysql.ca_file))
        with pair_world(mysql, aws, monkeypatch, "base") as world:
            world.tag(strategy="single-user")
            world.server.create_user("base", FIRST, "10.%")
            world.run(r"ALTER USER base@'10.%' REQUIRE SUBJECT '/O=O\'Brien'")
            assert "'base'@'10.%'" in world.refused("user-unreadable")

    def test_default_roles_that_only_the_clone_has(
        self, mysql: MySqlServer, aws: Simulator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The base's turn would do without what the clone does at once."""
        monkeypatch.setenv("TLS_CA_FILE", str(mysql.ca_file))
        with pair_world(mysql, aws, monkeypatch, "base") as world:
            world.rotated()
            world.run("SET DEFAULT ROLE NONE TO base@'%'")
            assert "SET DEFAULT ROLE" in world.refused("clone-holds-rights")

    def test_several_default_roles(self, mysql: MySqlServer, aws: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
        """And a role that loses its ADMIN OPTION in the same turn."""
        monkeypatch.setenv("TLS_CA_FILE", str(mysql.ca_file))
        with pair_world(mysql, aws, monkeypatch, "base") as world:
            world.run("CREATE ROLE writer")
            world.run(f"GRANT writer TO {ADMIN} WITH ADMIN OPTION")
            world.run("GRANT writer TO base@'%' WITH ADMIN OPTION")
            world.run("SET DEFAULT ROLE reader, writer TO base@'%'")
            world.rotated()
            assert catalog(world, "base_clone") == catalog(world, "base")
            world.rotated()
            world.run("REVOKE writer FROM base@'%'")
            world.run("GRANT writer TO base@'%'")
            world.run("SET DEFAULT ROLE writer TO base@'%'")
            world.rotated()
            assert catalog(world, "base_clone") == catalog(world, "base")

    def test_a_role_of_the_clone_s_name(
        self, mysql: MySqlServer, aws: Simulator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Who has the role would have what the base has."""
        monkeypatch.setenv("TLS_CA_FILE", str(mysql.ca_file))
        with pair_world(mysql, aws, monkeypatch, "base") as world:
            world.run("CREATE ROLE base_clone")
            world.server.create_user("somebody", FIRST)
            world.run("GRANT base_clone TO somebody@'%'")
            world.refused("user-not-ours")
            assert world.run("SHOW GRANTS FOR base_clone@'%'") == (("GRANT USAGE ON *.* TO `base_clone`@`%`",),)


def test_two_locks_one_after_the_other(my: MySqlServer, aws: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each below its own time-out: the statement is not made after we have given up."""
    monkeypatch.setattr(session_module, "STATEMENT_SECONDS", 5.0)
    monkeypatch.setenv("SECRETS_MANAGER_ENDPOINT", aws.endpoint)
    users = my.users()
    backup, reading = my.connect(), my.connect()
    try:
        world = make_world(my, aws)
        world.aws.tries = 1
        backup.query("LOCK INSTANCE FOR BACKUP")
        reading.query("FLUSH TABLES WITH READ LOCK")

        def release() -> None:
            time.sleep(0.7)
            reading.query("UNLOCK TABLES")

        released = threading.Thread(target=release)
        released.start()
        assert not world.rotate().succeeded
        released.join()
        backup.query("UNLOCK INSTANCE")
        time.sleep(2)
        assert world.logs_in()
    finally:
        backup.close()
        reading.close()
        my.drop_users(keep=users)


def test_a_name_that_ends_in_a_blank(governed: World) -> None:
    """MySQL compares names without it: the admin would change another user."""
    governed.server.create_user("vict", "victims-password")
    governed.tag(strategy="alternating-users")
    governed.put(username="vict _clone")
    governed.aws.tries = 1
    assert not governed.rotate().succeeded
    assert governed.server.accepts("vict", "victims-password")


@pytest.mark.parametrize("modes", ["ANSI_QUOTES,NO_BACKSLASH_ESCAPES"])
def test_a_server_s_sql_mode_is_not_ours(pair: World, modes: str) -> None:
    """Texts and names are quoted for a mode of our own."""
    pair.run(f"SET GLOBAL sql_mode = '{modes}'")
    try:
        able, listed = deeds(pair), catalog(pair, "base")
        for _ in range(2):
            pair.rotated()
            assert deeds(pair) == able
        assert catalog(pair, "base_clone") == listed
    finally:
        pair.run("SET GLOBAL sql_mode = DEFAULT")


def test_changes_to_a_clone_are_guarded(pair: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A delivery that hung does not go on to GRANT in the next rotation."""
    monkeypatch.setattr(clock, "GUARD_AGAIN", -1.0)
    made, run = list[str](), Session._run  # noqa: SLF001

    def noting(session: Session, statement: str, numbers: tuple[int, ...]) -> object:
        made.append(statement)
        if statement.startswith("GRANT"):
            pair.take_pending_off()  # given up, in the middle of the turn
        return run(session, statement, numbers)

    monkeypatch.setattr(Session, "_run", noting)
    pair.aws.tries = 1
    assert "abandoned" in str(pair.rotate().error)
    assert sum(statement.startswith("GRANT") for statement in made) == 1
    assert not any("ACCOUNT UNLOCK" in statement for statement in made)
