"""One user of Redshift's who rotates itself; S1 to S6, and the logins that only Redshift refuses as it does."""

import json
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from common.errors import TargetError
from common.secret import Secret
from rotators.redshift.target import Redshift
from testkit.redshift import wire
from testkit.servers.postgres import find_binaries
from testkit.servers.redshift import RedshiftServer, redshift_server
from testkit.simulator import Rotation, Simulator
from tests.integration.redshift.world import World, make_world
from tests.integration.world import FIRST, dies_once


@pytest.fixture
def governed(pair: World) -> World:
    """A single user whose secret names an admin."""
    pair.tag(strategy="single-user")
    return pair


def logs(world: World, rotation: Rotation) -> str:
    """Of the stand-in, of the PostgreSQL behind it, of the function."""
    return world.server.log.read_text() + world.server.behind_it.log.read_text() + rotation.log + str(rotation.error)


class TestBudget:
    """What a normal rotation costs, at the wire."""

    def test_one_rotation(self, world: World) -> None:
        """Ten calls, two logins, none of them refused; the old password is gone, no password is in any log."""
        rotation = world.rotated()
        assert rotation.case("setSecret") == "S1"
        assert len(world.aws.calls_by("keyturn")) == 10
        assert world.server_saw() == {"logins": 2, "failed": 0}
        assert world.logs_in()
        assert not world.server.accepts(world.user, FIRST)
        for password in (FIRST, world.value()["password"]):
            assert password not in logs(world, rotation)

    def test_what_the_server_is_sent(self, world: World) -> None:
        """One statement that changes anything, with the hash that Redshift stores."""
        world.rotated()
        opening, change, check = world.server.statements_of(world.user)
        assert opening == check
        assert opening.endswith("SELECT session_user")
        assert change.startswith(f'ALTER USER "{world.user}" PASSWORD \'md5')

    def test_with_an_admin(self, governed: World) -> None:
        """A user of Redshift's may always change its own password: the admin is not asked."""
        assert governed.rotated().case("setSecret") == "S1"
        assert len(governed.aws.calls_by("keyturn")) == 10
        assert governed.server_saw() == {"logins": 2, "failed": 0}
        assert governed.admin_logins() == []


class TestRecovery:
    """Whatever was abandoned, and wherever."""

    def test_s2_a_death_after_setsecret(self, world: World) -> None:
        """The retry finds pending accepted."""
        dies_once(world, "setSecret", "after")
        rotation = world.rotated()
        assert rotation.case("setSecret") == "S2"
        assert world.logs_in()
        assert world.value()["password"] not in logs(world, rotation)

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
        rotation = governed.rotated()
        assert rotation.case("setSecret") == "S5"
        assert governed.logs_in()
        assert governed.value()["password"] not in logs(governed, rotation)

    def test_s5_never_a_superuser(self, governed: World) -> None:
        """W5, whatever the tag says."""
        governed.tag(reconcile=governed.user)
        governed.run("ALTER USER {app} CREATEUSER")
        governed.server.set_password(governed.user, "forgotten")
        governed.refused("user-is-superuser")
        assert governed.server.accepts(governed.user, "forgotten")


class TestPolicy:
    """A hash goes round the server's rules, so the function keeps them."""

    @pytest.mark.parametrize(
        "password",
        ["aB3" * 22, "No-digit-in-here", "Sign@home-1", "no-capital-1", "NO-SMALL-1", "Sh0rt-1", "Ünicode-1"],
    )
    def test_s6_a_password_that_redshift_forbids(self, world: World, password: str) -> None:
        """The rules are named, the password is not; AWSPENDING is taken off, and the next rotation goes through."""
        real = world.handler

        def forbidden(event: dict[str, str], context: object) -> None:
            if event["Step"] == "createSecret":
                world.client.put_secret_value(
                    SecretId=world.arn,
                    ClientRequestToken=event["ClientRequestToken"],
                    SecretString=json.dumps({**world.value(), "password": password}),
                    VersionStages=["AWSPENDING"],
                )
            real(event, context)

        world.function = world.aws.add_function("forbidden", forbidden)
        rotation = world.rotate()
        assert rotation.runs[1].invocation is not None
        error = str(rotation.runs[1].invocation.error)
        assert error.startswith("PolicyRefused: Redshift's rules refuse the password of AWSPENDING")
        assert error.endswith("[password-refused]")
        for rule in ("8 to 64 printable ASCII characters", "an upper-case letter", "a digit", "@"):
            assert rule in error
        assert password not in logs(world, rotation)
        assert not any("PASSWORD" in statement for statement in world.server.statements_of(world.user))
        assert world.labels() == [{"AWSCURRENT"}]
        assert world.logs_in()
        world.function = world.aws.add_function("real", real)
        assert world.rotated().case("setSecret") == "S1"
        assert world.logs_in()


class TestLogins:
    """What only Redshift says, or says otherwise than PostgreSQL."""

    def test_a_password_kept_as_sha_256(self, world: World) -> None:
        """libpq does not speak its method (13); the error says how to go on, and so it does."""
        world.run("ALTER USER {app} PASSWORD 'sha256|" + FIRST + "1'")
        world.put(password=FIRST + "1")
        error = world.refused("login-method")
        assert "no password was sent" in error
        assert "md5 hash" in error
        world.server.set_password(world.user, FIRST + "1")
        assert world.rotated().case("setSecret") == "S1"
        assert world.logs_in()

    @pytest.mark.parametrize("method", [0, 3, 10, 13])
    def test_a_server_that_asks_otherwise_gets_no_password(self, method: int) -> None:
        """Nobody is let in unseen (0); nothing is sent in clear (3), by SASL (10), or by Redshift's own method (13)."""
        with asking(method) as (port, heard):
            login = Secret({"engine": "redshift", "host": "127.0.0.1", "port": port, "username": "app", "password": FIRST, "ssl": False}, "x")  # fmt: skip
            with pytest.raises(TargetError) as error:
                Redshift().check(login)
        assert error.value.code == "login-method"
        assert b"".join(heard) == b""

    def test_a_cluster_that_demands_tls(self, aws: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
        """The parameter group's require_ssl: its text is PostgreSQL 8's."""
        binaries = find_binaries()
        assert binaries is not None
        monkeypatch.setenv("SECRETS_MANAGER_ENDPOINT", aws.endpoint)
        with redshift_server(binaries, require_ssl=True) as server:
            monkeypatch.setenv("TLS_CA_FILE", str(server.ca_file))
            world = make_world(server, aws)
            world.put(ssl=False)
            world.refused("tls-required")
            world.put(ssl=True)
            world.rotated()

    def test_a_database_that_is_not_there(self, world: World) -> None:
        """Its own error; without dbname it is `dev`."""
        world.put(dbname="nowhere")
        assert "dev on Redshift" in world.refused("database-missing")

    def test_a_user_whose_validity_has_ended(self, world: World) -> None:
        """Refused as a wrong password is: VALID UNTIL is named among the causes."""
        world.server.behind(f"ALTER ROLE {world.user} VALID UNTIL '2020-01-01'")
        assert "VALID UNTIL" in world.refused("no-login-works")

    def test_a_user_without_a_password(self, world: World) -> None:
        """PASSWORD DISABLE, as users of IAM have it."""
        world.run("ALTER USER {app} PASSWORD DISABLE")
        world.refused("no-login-works")

    def test_another_root(self, world: World, monkeypatch: pytest.MonkeyPatch, cluster: RedshiftServer) -> None:
        """A server whose certificate nobody vouches for sees no login."""
        monkeypatch.setenv("TLS_CA_FILE", str(cluster.behind_it.ca_file))
        world.refused("tls-untrusted")
        assert world.logins() == 0


@contextmanager
def asking(method: int) -> Iterator[tuple[int, list[bytes]]]:
    """A server that asks for this method of authentication: its port, and what it hears after that."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            client, _ = server.accept()
            with client:
                client.settimeout(5)
                wire.read_untyped(client)
                more = b"SCRAM-SHA-256\0\0" if method == 10 else bytes(32) if method == 13 else b""
                client.sendall(wire.message(b"R", struct.pack("!i", method) + more))
                while got := client.recv(1000):
                    heard.append(got)

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1], heard
        thread.join(10)
