"""Two users by turns on real MySQL and MariaDB: the promoted one has every right of the base, at every turn."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pymysql
import pytest

from rotators.mysql.session import Session
from testkit.servers.mysql import MySqlServer
from testkit.simulator import Simulator
from tests.integration.mysql.world import ADMIN, World, make_admin, make_world
from tests.integration.world import FIRST

BASES = ["base", "we`ird TO 'user' %s", 'ünï "cødé"']
Fate = str  # what came of trying something: "ok", or the server's error number


@contextmanager
def pair_world(db: MySqlServer, aws: Simulator, monkeypatch: pytest.MonkeyPatch, user: str) -> Iterator[World]:
    """A base with a right of every kind, its admin, and their secrets."""
    monkeypatch.setenv("SECRETS_MANAGER_ENDPOINT", aws.endpoint)
    users = db.users()
    try:
        admin_arn = make_admin(db, aws)
        monkeypatch.setenv("ADMIN_SECRETS", admin_arn)
        world = make_world(db, aws, user, masterarn=admin_arn)
        world.tag(strategy="alternating-users")
        _give_rights(db, user)
        yield world
    finally:
        db.run("DROP DATABASE IF EXISTS alt")
        db.drop_users(keep=users)


def _give_rights(db: MySqlServer, user: str) -> None:
    """One of every kind; the admin may pass each of them on."""
    mysql = db.flavour == "mysql"
    db.run("CREATE DATABASE alt")
    db.run("CREATE TABLE alt.whole (i int)")
    db.run("CREATE TABLE alt.parts (a int, b int, `c TO d` int)")
    db.run("CREATE TABLE alt.by_role (i int)")
    db.run("CREATE PROCEDURE alt.act() SQL SECURITY INVOKER SELECT 1")
    db.run("CREATE ROLE reader")
    db.run("GRANT SELECT ON alt.by_role TO reader")
    db.run(f"GRANT reader TO {ADMIN} WITH ADMIN OPTION")
    for statement in (
        "GRANT PROCESS ON *.* TO {}",
        "GRANT CREATE TEMPORARY TABLES ON `al_`.* TO {}",
        "GRANT SELECT, INSERT ON alt.whole TO {} WITH GRANT OPTION",
        "GRANT SELECT (a, `c TO d`), UPDATE (a) ON alt.parts TO {}",
        "GRANT EXECUTE ON PROCEDURE alt.act TO {}",
        "GRANT reader TO {}",
        "SET DEFAULT ROLE reader TO {}" if mysql else "SET DEFAULT ROLE reader FOR {}",
        "ALTER USER {} REQUIRE SSL WITH MAX_USER_CONNECTIONS 9 PASSWORD EXPIRE INTERVAL 90 DAY",
    ):
        db.run(statement.format("%s@'%%'"), user)
    if mysql:
        db.run(f"GRANT BACKUP_ADMIN, CONNECTION_ADMIN ON *.* TO {ADMIN} WITH GRANT OPTION")
        db.run("GRANT BACKUP_ADMIN ON *.* TO %s@'%%' WITH GRANT OPTION", user)
        db.run("GRANT CONNECTION_ADMIN ON *.* TO %s@'%%'", user)


@pytest.fixture
def pair(db: MySqlServer, aws: Simulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A base of an ordinary name."""
    with pair_world(db, aws, monkeypatch, "base") as world:
        yield world


def tried(world: World, statement: str, stage: str = "AWSCURRENT") -> Fate:
    """What comes of a statement as the user of this version."""
    try:
        world.run(statement, stage=stage)
    except pymysql.MySQLError as error:
        return str(error.args[0])
    return "ok"


def deeds(world: World, stage: str = "AWSCURRENT") -> dict[str, Fate]:
    """What the user may do, by doing it."""
    statements = [
        "SELECT i FROM alt.whole",
        "INSERT INTO alt.whole VALUES (1)",
        "DELETE FROM alt.whole",
        "SELECT a, `c TO d` FROM alt.parts",
        "SELECT b FROM alt.parts",
        "UPDATE alt.parts SET a = 1",
        "UPDATE alt.parts SET `c TO d` = 1",
        "CALL alt.act()",
        "SELECT i FROM alt.by_role",
        "CREATE TEMPORARY TABLE alt.mine (i int)",
        "GRANT SELECT ON alt.whole TO world_admin",
        "SELECT * FROM mysql.user",
    ]
    return {statement: tried(world, statement, stage) for statement in statements}


def catalog(world: World, user: str) -> tuple[list[str], str]:
    """SHOW GRANTS and SHOW CREATE USER, without the name, the password, and limits of 0, which are none."""
    quoted = "`" + user.replace("`", "``") + "`"
    rows = [row for (row,) in world.run("SHOW GRANTS FOR %s@'%%'", user)]
    if world.server.flavour == "mysql":
        world.run("SET SESSION print_identified_with_as_hex = 1")
    ((made,),) = world.run("SHOW CREATE USER %s@'%%'", user)
    without = r" (AS|PASSWORD) (0x\w+|'([^'\\]|\\.)*')| MAX_\w+ 0(?= )| WITH(?= MAX_\w+ 0 PASSWORD)"
    grants, created = (
        [re.sub(without, "", text).replace(quoted, "USER") for text in texts] for texts in (rows, [made])
    )
    return sorted(grants), created[0]


def wants_tls(world: World) -> bool:
    """Whether the server turns AWSCURRENT's user away without TLS."""
    value = world.value()
    try:
        pymysql.connect(
            host="127.0.0.1",
            port=world.server.port,
            user=value["username"],
            password=value["password"],
            ssl_disabled=True,
        ).close()
    except pymysql.OperationalError:
        return True
    return False


@pytest.mark.parametrize("user", BASES)
def test_four_turns_with_every_right(
    db: MySqlServer, aws: Simulator, monkeypatch: pytest.MonkeyPatch, user: str
) -> None:
    """By doing and by catalog; AWSPREVIOUS logs in at each turn."""
    with pair_world(db, aws, monkeypatch, user) as world:
        able, listed = deeds(world), catalog(world, user)
        assert list(able.values()).count("ok") == 8
        for number in range(1, 5):
            assert world.rotated().case("setSecret") == "A3"
            current = user + ("_clone" if number % 2 else "")
            assert world.value()["username"] == current
            assert deeds(world) == able
            assert catalog(world, current) == listed
            assert wants_tls(world)
            assert world.logs_in("AWSPREVIOUS")


def test_budget(pair: World) -> None:
    """Eleven calls, three logins, none of them refused; no password in a log."""
    pair.rotated()
    rotation = pair.rotated()
    assert len(pair.aws.calls_by("keyturn")) == 11
    assert pair.server_saw() == {"logins": 3, "failed": 0}
    assert pair.value()["password"] not in pair.server.log.read_text() + rotation.log


def test_what_the_base_gained_and_lost(pair: World) -> None:
    """A diff at each turn, for each kind of right."""
    pair.rotated()
    pair.rotated()
    for statement in (
        "REVOKE INSERT ON alt.whole FROM {}",
        "REVOKE GRANT OPTION ON alt.whole FROM {}",
        "REVOKE UPDATE (a) ON alt.parts FROM {}",
        "GRANT UPDATE (`c TO d`), SELECT (b) ON alt.parts TO {}",
        "REVOKE EXECUTE ON PROCEDURE alt.act FROM {}",
        "GRANT DELETE ON alt.* TO {}",
        "REVOKE PROCESS ON *.* FROM {}",
        "REVOKE reader FROM {}",
        "ALTER USER {} REQUIRE NONE WITH MAX_USER_CONNECTIONS 0 MAX_QUERIES_PER_HOUR 1000 PASSWORD EXPIRE NEVER",
    ):
        pair.run(statement.format("base@'%%'").replace("%%", "%"))
    if pair.server.flavour == "mysql":
        pair.run("REVOKE BACKUP_ADMIN ON *.* FROM base@'%'")
        pair.run("GRANT CONNECTION_ADMIN ON *.* TO base@'%' WITH GRANT OPTION")
    able, listed = deeds(pair), catalog(pair, "base")
    pair.rotated()
    assert pair.value()["username"] == "base_clone"
    assert deeds(pair) == able
    assert catalog(pair, "base_clone") == listed
    assert not wants_tls(pair)


def test_all_privileges_and_back(pair: World) -> None:
    """REVOKE ALL takes what was granted singly with it: it is granted again."""
    pair.run(f"GRANT ALL ON alt.* TO {ADMIN} WITH GRANT OPTION")
    pair.run("GRANT ALL ON alt.* TO base@'%'")
    pair.rotated()
    pair.rotated()
    pair.run("REVOKE ALL ON alt.* FROM base@'%'")
    pair.run("GRANT SELECT ON alt.* TO base@'%'")
    able, listed = deeds(pair), catalog(pair, "base")
    pair.rotated()
    assert (deeds(pair), catalog(pair, "base_clone")) == (able, listed)


def test_partial_revokes(mysql: MySqlServer, aws: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A schema that a global right does not reach: MySQL's."""
    monkeypatch.setenv("TLS_CA_FILE", str(mysql.ca_file))
    mysql.run("SET GLOBAL partial_revokes = ON")
    try:
        with pair_world(mysql, aws, monkeypatch, "base") as world:
            world.run("REVOKE CREATE TEMPORARY TABLES ON `al_`.* FROM base@'%'")
            world.run("GRANT SELECT ON *.* TO base@'%'")
            world.run("REVOKE SELECT ON mysql.* FROM base@'%'")
            able, listed = deeds(world), catalog(world, "base")
            assert able["SELECT * FROM mysql.user"] != "ok"
            world.rotated()
            assert (deeds(world), catalog(world, "base_clone")) == (able, listed)
            world.rotated()
            world.run("GRANT SELECT ON mysql.* TO base@'%'")
            world.rotated()
            assert deeds(world)["SELECT * FROM mysql.user"] == "ok"
    finally:
        mysql.run("SET GLOBAL partial_revokes = OFF")


def test_a_death_after_each_statement_of_the_first_rotation(
    db: MySqlServer, aws: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The known failure of other implementations: after a death among the GRANTs a retry promotes a user without them."""
    made, number = Session._run, [0, 0]  # noqa: SLF001

    class Died(Exception):
        pass

    def dying(session: Session, statement: str, numbers: Any) -> Any:
        answer = made(session, statement, numbers)
        if statement.split(maxsplit=1)[0] in {"CREATE", "GRANT", "REVOKE", "ALTER"} or statement.startswith(
            "SET DEFAULT"
        ):
            number[0] += 1
            if number[0] == number[1]:
                raise Died
        return answer

    monkeypatch.setattr(Session, "_run", dying)
    deaths = 0
    while True:
        deaths += 1
        with pair_world(db, aws, monkeypatch, "base") as world:
            able, listed = deeds(world), catalog(world, "base")
            number[:] = [0, deaths]
            rotation = world.rotated()
            assert (deeds(world), catalog(world, "base_clone")) == (able, listed)
        if len(rotation.runs) == 4:
            break
    assert deaths > 8


def test_a_new_clone_is_locked_until_it_is_ready(pair: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its password is nobody's, and it cannot log in."""
    made = Session._run  # noqa: SLF001

    def dying(session: Session, statement: str, numbers: Any) -> Any:
        if statement.startswith("GRANT"):
            raise RuntimeError("died")
        return made(session, statement, numbers)

    monkeypatch.setattr(Session, "_run", dying)
    pair.aws.tries = 1
    assert not pair.rotate().succeeded
    ((made_of,),) = pair.run("SHOW CREATE USER base_clone@'%'")
    assert "ACCOUNT LOCK" in made_of
    assert pair.logs_in()


def test_every_host_of_the_base(pair: World) -> None:
    """The clone gets an account for each; they rotate together."""
    pair.server.create_user("base", FIRST, "10.%")
    pair.run("GRANT SELECT ON alt.whole TO base@'10.%'")
    pair.rotated()
    assert {host for user, host in pair.server.users() if user == "base_clone"} == {"%", "10.%"}
    assert pair.run("SHOW GRANTS FOR base_clone@'10.%'")[-1][0].startswith("GRANT SELECT ON `alt`.`whole`")
    strings = "SELECT COUNT(DISTINCT authentication_string) FROM mysql.user WHERE user = 'base_clone'"
    if pair.server.flavour == "mariadb":
        assert pair.run(strings) == ((1,),)
    pair.rotated()
    assert pair.logs_in()


class TestRefused:
    """Before anything is changed."""

    def test_what_only_the_clone_has(self, pair: World) -> None:
        """The base's turn would lose it: both remedies are named."""
        pair.rotated()
        pair.run("GRANT DELETE ON alt.whole TO base_clone@'%'")
        error = pair.refused("clone-holds-rights")
        assert "GRANT DELETE ON `alt`.`whole` TO 'base'@'%', or REVOKE DELETE" in error
        assert pair.logs_in()
        assert pair.logs_in("AWSPREVIOUS")
        pair.run("REVOKE DELETE ON alt.whole FROM base_clone@'%'")
        pair.rotated()

    def test_w5_somebody_else_s_user_of_the_clone_s_name(self, pair: World) -> None:
        """Who may write a secret gains no other user by it."""
        pair.server.create_user("base_clone", "somebody-elses")
        pair.run("GRANT SELECT ON mysql.* TO base_clone@'%'")
        pair.refused("user-not-ours")
        assert pair.server.accepts("base_clone", "somebody-elses")

    def test_w5_powers(self, pair: World) -> None:
        """An admin never makes a second SUPER."""
        power = "SUPER" if pair.server.flavour == "mariadb" else "SYSTEM_USER"
        pair.run(f"GRANT {power} ON *.* TO base@'%'")
        pair.refused("user-is-superuser")
        assert ("base_clone", "%") not in pair.server.users()

    def test_an_admin_who_may_not_pass_a_right_on(self, pair: World) -> None:
        """What it may not, and the statement that it wanted to run."""
        pair.run("GRANT SHUTDOWN ON *.* TO base@'%'")
        error = pair.refused("admin-lacks-right")
        assert "GRANT SHUTDOWN ON *.* TO 'base_clone'@'%'" in error
        assert pair.logs_in()
        pair.run(f"GRANT SHUTDOWN ON *.* TO {ADMIN} WITH GRANT OPTION")
        pair.rotated()


def test_a_name_without_room_for_the_clone(db: MySqlServer, aws: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """32 characters on MySQL, 80 on MariaDB: characters, not bytes."""
    longest = 32 if db.flavour == "mysql" else 80
    with pair_world(db, aws, monkeypatch, "ü" * (longest - 6)) as world:
        world.rotated()
        assert len(world.value()["username"]) == longest
    with pair_world(db, aws, monkeypatch, "ü" * (longest - 5)) as world:
        assert f"{longest} characters at most" in world.refused("secret-field-invalid")
