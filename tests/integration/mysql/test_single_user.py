"""One user who rotates itself, or is rotated by the admin for all its hosts; S1 to S6 on both servers."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.integration.mysql.world import World
from tests.integration.world import FIRST, dies_once


class TestBudget:
    """What a normal rotation costs, at the wire."""

    def test_one_rotation(self, world: World) -> None:
        """Ten calls, two logins, none of them refused; the old password is gone, the new one is in no log."""
        rotation = world.rotated()
        assert rotation.case("setSecret") == "S1"
        assert len(world.aws.calls_by("keyturn")) == 10
        assert world.server_saw() == {"logins": 2, "failed": 0}
        assert world.logs_in()
        assert not world.server.accepts(world.user, FIRST)
        assert world.value()["password"] not in world.server.log.read_text() + rotation.log

    def test_with_an_admin(self, governed: World) -> None:
        """S1b: one login more, one call more."""
        rotation = governed.rotated()
        assert rotation.case("setSecret") == "S1b"
        assert len(governed.aws.calls_by("keyturn")) == 11
        assert governed.server_saw() == {"logins": 3, "failed": 0}
        assert governed.logs_in()
        assert governed.value()["password"] not in governed.server.log.read_text() + rotation.log


class TestRecovery:
    """Whatever was abandoned, and wherever."""

    def test_s2_a_death_after_setsecret(self, world: World) -> None:
        """The retry finds pending accepted."""
        dies_once(world, "setSecret", "after")
        assert world.rotated().case("setSecret") == "S2"
        assert world.logs_in()

    def test_s4_an_abandoned_rotation(self, world: World) -> None:
        """Its password stands in a version without a label."""
        world.rotated()
        world.aws.tries = 1
        dies_once(world, "setSecret", "after")
        assert not world.rotate().succeeded
        world.take_pending_off()
        assert not world.logs_in()
        assert world.rotated().case("setSecret") == "S4"
        assert world.logs_in()

    def test_s3_somebody_put_the_previous_one_back(self, world: World) -> None:
        """On the server alone."""
        world.rotated()
        world.server.set_password(world.user, FIRST)
        assert world.rotated().case("setSecret") == "S3"
        assert world.logs_in()

    def test_s5_the_admin_where_the_tag_names_the_user(self, governed: World) -> None:
        """W6; without the tag, or with another's name, nobody."""
        governed.server.set_password(governed.user, "forgotten")
        governed.refused("no-login-works")
        governed.tag(reconcile="somebody-else")
        governed.refused("no-login-works")
        governed.tag(reconcile=governed.user)
        assert governed.rotated().case("setSecret") == "S5"
        assert governed.logs_in()


class TestHosts:
    """'app'@'%' and 'app'@'10.%' are two accounts of one user, which the admin changes together."""

    def other(self, world: World, host: str = "10.%") -> bytes | str:
        """The authentication string of the account for another host."""
        ((found,),) = world.run(
            "SELECT authentication_string FROM mysql.user WHERE user = %s AND host = %s", world.user, host
        )
        assert isinstance(found, bytes | str)
        return found

    def test_s1b_all_hosts_together(self, governed: World) -> None:
        """In one statement."""
        governed.server.create_user(governed.user, FIRST, "10.%")
        before = self.other(governed)
        assert governed.rotated().case("setSecret") == "S1b"
        assert self.other(governed) != before
        assert governed.logs_in()

    def test_w5_an_account_that_holds_more_is_not_changed(self, governed: World) -> None:
        """The secret would open more than before; the error names the right and the command."""
        governed.server.create_user(governed.user, FIRST, "10.%")
        governed.run("GRANT SELECT ON mysql.* TO %s@'10.%%'", governed.user)
        before = self.other(governed)
        error = governed.refused("account-holds-more")
        assert f"REVOKE SELECT ON `mysql`.* FROM '{governed.user}'@'10.%'" in error
        assert self.other(governed) == before
        assert governed.logs_in()
        governed.run("GRANT SELECT ON mysql.* TO %s@'%%'", governed.user)
        governed.rotated()

    def test_w5_the_admin_itself_and_powers(self, governed: World) -> None:
        """An admin changes neither itself nor who holds SUPER or SYSTEM_USER."""
        power = "SUPER" if governed.server.flavour == "mariadb" else "SYSTEM_USER"
        governed.run(f"GRANT {power} ON *.* TO %s@'%%'", governed.user)
        governed.refused("user-is-superuser")
        assert governed.logs_in()


class TestPolicies:
    """What the server itself refuses."""

    def test_a_locked_account_has_its_own_error(self, world: World) -> None:
        """Not "wrong password"."""
        world.run("ALTER USER %s@'%%' ACCOUNT LOCK", world.user)
        world.refused("account-locked")

    def test_an_expired_password_has_its_own_error(self, world: World) -> None:
        """Likewise."""
        world.run("ALTER USER %s@'%%' PASSWORD EXPIRE", world.user)
        world.refused("password-expired")

    def test_the_current_password_is_shown_where_it_is_demanded(self, world: World) -> None:
        """PASSWORD REQUIRE CURRENT: MySQL's."""
        if world.server.flavour == "mariadb":
            pytest.skip("MariaDB has no such option")
        world.run("ALTER USER %s@'%%' PASSWORD REQUIRE CURRENT", world.user)
        assert world.rotated().case("setSecret") == "S1"
        assert world.logs_in()

    def test_s6_a_policy_refuses_the_password(self, world: World) -> None:
        """A clear error, and a new rotation may choose another password."""
        with validated(world):
            world.tag(password_profile="alphanumeric")
            world.refused("password-refused")
            assert world.logs_in()
            world.tag(password_profile="default")
            world.rotated()
            assert world.logs_in()


@contextmanager
def validated(world: World) -> Iterator[None]:
    """A policy that demands a special character, as it does by default."""
    plugin, component = "SONAME 'simple_password_check'", "COMPONENT 'file://component_validate_password'"
    what = plugin if world.server.flavour == "mariadb" else component
    world.run(f"INSTALL {what}")
    try:
        yield
    finally:
        world.run(f"UNINSTALL {what}")
