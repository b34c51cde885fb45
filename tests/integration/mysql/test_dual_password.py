"""Dual passwords, D1 to D5: AWSCURRENT logs in at every instant, whatever was abandoned, edited or rolled back."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from common.errors import ChangeRefused
from common.secret import Secret
from rotators.mysql.target import MySql
from testkit.servers.mysql import MySqlServer
from testkit.simulator import Rotation, Simulator
from tests.integration.mysql.world import World, make_world
from tests.integration.world import FIRST, dies_once


def watched(world: World) -> Rotation:
    """A rotation, AWSCURRENT logging in before each of its steps and after the last."""
    seen: list[bool] = []
    world.aws.pause = lambda: seen.append(world.logs_in())
    rotation = world.rotate()
    seen.append(world.logs_in())
    world.aws.pause = lambda: None
    assert all(seen), seen
    return rotation


def abandoned(world: World) -> str:
    """A rotation that dies after setSecret has done its work, and is given up; its password."""
    tries, function = world.aws.tries, world.function
    world.aws.tries = 1
    dies_once(world, "setSecret", "after")
    assert not watched(world).succeeded
    password: str = world.value("AWSPENDING")["password"]
    world.take_pending_off()
    world.aws.tries, world.function = tries, function
    return password


def test_d1_both_passwords_log_in(dual: World) -> None:
    """Ten calls, two logins, none refused; the old password works until the next rotation's setSecret."""
    rotation = watched(dual)
    assert rotation.succeeded, rotation.error
    assert rotation.case("setSecret") == "D1"
    assert dual.logs_in("AWSPREVIOUS")
    dual.rotated()
    assert len(dual.aws.calls_by("keyturn")) == 10
    assert dual.server_saw() == {"logins": 2, "failed": 0}
    assert dual.logs_in("AWSPREVIOUS")
    assert not dual.server.accepts(dual.user, FIRST)


def test_d1_nothing_is_in_the_log(dual: World) -> None:
    """MySQL masks what it is sent."""
    rotation = dual.rotated()
    assert dual.value()["password"] not in dual.server.log.read_text() + rotation.log


def test_d2_an_abandoned_rotation_s_password_is_primary(dual: World) -> None:
    """The failure of a naive RETAIN: it would keep the abandoned one, and drop AWSCURRENT's."""
    dual.rotated()
    left = abandoned(dual)
    rotation = watched(dual)
    assert rotation.succeeded, rotation.error
    assert rotation.case("setSecret") == "D2"
    assert dual.logs_in("AWSPREVIOUS")
    assert not dual.server.accepts(dual.user, left)


def test_d2_abandoned_new_rotation_death_before_finish(dual: World) -> None:
    """Abandoned; a new rotation dies before finishSecret; the retry and the next rotation go through."""
    dual.rotated()
    abandoned(dual)
    for step, when in (("setSecret", "after"), ("testSecret", "before"), ("finishSecret", "before")):
        dies_once(dual, step, when)
        rotation = watched(dual)
        assert rotation.succeeded, rotation.error
        assert dual.logs_in("AWSPREVIOUS")
    assert watched(dual).case("setSecret") == "D1"


def test_d2_abandoned_again_and_again(dual: World) -> None:
    """Any number of times."""
    dual.rotated()
    for _ in range(3):
        abandoned(dual)
    assert watched(dual).succeeded


def test_d2_where_the_current_password_is_demanded(dual: World) -> None:
    """PASSWORD REQUIRE CURRENT: the version that logs in besides is named."""
    dual.rotated()
    dual.run("ALTER USER %s@'%%' PASSWORD REQUIRE CURRENT", dual.user)
    abandoned(dual)
    rotation = watched(dual)
    assert rotation.succeeded, rotation.error
    assert rotation.case("setSecret") == "D2"
    assert watched(dual).case("setSecret") == "D1"


def test_a_retry_after_setsecret(dual: World) -> None:
    """The same token again: pending is primary already."""
    dies_once(dual, "setSecret", "after")
    rotation = watched(dual)
    assert rotation.succeeded, rotation.error
    assert rotation.case("setSecret") == "D2"
    assert dual.logs_in("AWSPREVIOUS")


def test_d4_a_roll_back_by_hand(dual: World) -> None:
    """AWSCURRENT moved back to AWSPREVIOUS's version: both still log in, and rotation goes on."""
    dual.rotated()
    labels = dual.client.describe_secret(SecretId=dual.arn)["VersionIdsToStages"]
    current = next(version for version, names in labels.items() if "AWSCURRENT" in names)
    previous = next(version for version, names in labels.items() if "AWSPREVIOUS" in names)
    dual.client.update_secret_version_stage(SecretId=dual.arn, VersionStage="AWSPENDING", RemoveFromVersionId=current)
    dual.client.update_secret_version_stage(
        SecretId=dual.arn, VersionStage="AWSCURRENT", RemoveFromVersionId=current, MoveToVersionId=previous
    )
    rotation = watched(dual)
    assert rotation.succeeded, rotation.error
    assert rotation.case("setSecret") == "D2"


def test_d4_somebody_discarded_current(dual: World) -> None:
    """Current is rejected: as S2 to S4, retaining."""
    dual.rotated()
    left = abandoned(dual)
    dual.run("ALTER USER %s@'%%' DISCARD OLD PASSWORD", dual.user)
    assert dual.server.accepts(dual.user, left)
    assert dual.rotated().case("setSecret") == "D4"
    assert dual.logs_in()


def test_a_hand_edit_with_the_same_password(dual: World) -> None:
    """A new version with another field, and AWSCURRENT's password."""
    dual.rotated()
    dual.put(note="edited")
    assert watched(dual).succeeded
    abandoned(dual)
    dual.put(note="edited again")
    assert watched(dual).succeeded


@contextmanager
def history(world: World, length: int) -> Iterator[None]:
    """PASSWORD HISTORY, for every account."""
    world.run("SET GLOBAL password_history = %s", length)
    try:
        yield
    finally:
        world.run("SET GLOBAL password_history = 0")


@pytest.mark.parametrize("length", [1, 2, 5])
def test_d5_under_a_history_policy(dual: World, length: int) -> None:
    """Abandoned, retried, edited by hand: never blocked, and AWSCURRENT never dies."""
    with history(dual, length):
        assert watched(dual).succeeded
        dies_once(dual, "setSecret", "after")
        assert watched(dual).succeeded
        abandoned(dual)
        assert watched(dual).succeeded
        abandoned(dual)
        abandoned(dual)
        dual.put(note="edited")
        assert watched(dual).succeeded
        assert watched(dual).succeeded
        assert dual.logs_in("AWSPREVIOUS")


def test_d5_the_policy_was_raised(dual: World) -> None:
    """The passwords that are there may be older than the policy; the new one must fit it."""
    dual.rotated()
    dual.run("INSTALL COMPONENT 'file://component_validate_password'")
    try:
        dual.run("SET GLOBAL validate_password.length = 40")
        dual.refused("password-refused")
        assert dual.logs_in()
        dual.aws.tries = 3
        dual.tag(password_length="48")
        assert watched(dual).succeeded
        assert dual.logs_in("AWSPREVIOUS")
    finally:
        dual.run("UNINSTALL COMPONENT 'file://component_validate_password'")


def test_d3_a_user_without_the_privilege(dual: World) -> None:
    """Refused before any change, naming the GRANT; a new rotation may start at once."""
    dual.run("REVOKE APPLICATION_PASSWORD_ADMIN ON *.* FROM %s@'%%'", dual.user)
    dual.aws.tries = 1
    error = str(dual.rotate().error)
    assert f"GRANT APPLICATION_PASSWORD_ADMIN ON *.* TO '{dual.user}'@'%'" in error
    assert dual.logs_in()
    assert {"AWSPENDING"} not in dual.labels()
    dual.run("GRANT APPLICATION_PASSWORD_ADMIN ON *.* TO %s@'%%'", dual.user)
    dual.rotated()


def test_d3_a_server_without_dual_passwords(
    mariadb: MySqlServer, aws: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MariaDB: refused before any change, and the password is in no log."""
    monkeypatch.setenv("SECRETS_MANAGER_ENDPOINT", aws.endpoint)
    monkeypatch.setenv("TLS_CA_FILE", str(mariadb.ca_file))
    users = mariadb.users()
    try:
        world = make_world(mariadb, aws)
        world.tag(strategy="dual-password")
        world.aws.tries = 1
        assert "[dual-passwords-unknown]" in str(world.rotate().error)
        assert world.logs_in()
        assert {"AWSPENDING"} not in world.labels()
        stored = [call.parameters["SecretString"] for call in aws.calls if call.operation == "PutSecretValue"]
        passwords = [json.loads(text)["password"] for text in stored]
        assert passwords
        assert not [password for password in passwords if password in mariadb.log.read_text()]
    finally:
        mariadb.drop_users(keep=users)


def test_the_target_says_which_password_is_primary(dual: World) -> None:
    """No login can; REPLACE can, and counts as no failed login."""
    target = MySql()
    one = Secret(dual.server.secret(dual.user, FIRST), "one")
    two, three = one.with_fields("two", password="second-password"), one.with_fields("three", password="third-password")
    target.retain_password(one, two)
    with pytest.raises(ChangeRefused, match="second one"):
        target.retain_password(one, three)
    assert target.replace_primary(one, three, None)
    for login, works in ((one, True), (two, False), (three, True)):
        assert dual.server.accepts(dual.user, login.text("password")) == works
