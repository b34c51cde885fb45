"""Who may write a secret's value gains nothing by it: the attacks that every target with alternating users withstands.

The attacker here may write the value of one application's secret, and knows the password of that application's user.
Each attack is named after the rule that stops it (W1 to W6; W7, of API keys, has tests of its own). A target's tests inherit AttackKit, and say what `pair` is.
"""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol

import pytest

from tests.integration.world import Rotating


class Attacked(Protocol):
    """What the kit asks of a world beside what every one has."""

    def victim(self, name: str, password: str) -> None:
        """Somebody else's user, whom the admin may change."""
        ...

    def admin_logins(self) -> list[bool]:
        """The admin's logins since the rotation began, by the server's log: whether each was by TLS."""
        ...

    def logins(self) -> int:
        """How many logins the server has seen since the rotation began."""
        ...


class World(Rotating[Any], Attacked):
    """A pair's world."""


@contextmanager
def trap() -> Iterator[tuple[int, list[bytes]]]:
    """A port of the attacker's, and whatever was sent to it."""
    received: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    client, _ = server.accept()
                    with client:
                        client.settimeout(1)
                        received.append(b"")
                        with suppress(TimeoutError):
                            received[-1] = client.recv(1000)

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1], received


class AttackKit:
    """`pair` is a base with its secret, which names an admin like RDS's; ADMIN_SECRETS names that admin's secret."""

    # Not an admin of this secret, though the function may read it: a name and password that would be worth something.
    def other_admin(self, pair: World) -> dict[str, object]:
        """The value of a secret of the server's own superuser."""
        raise NotImplementedError

    def superuser(self) -> str:
        """A user with every power."""
        raise NotImplementedError

    def account(self, name: str) -> str:
        """How the tag rotation:reconcile names this user."""
        return name

    def test_w1_without_admin_secrets(self, pair: World, monkeypatch: pytest.MonkeyPatch) -> None:
        """Refused, saying what to set."""
        monkeypatch.delenv("ADMIN_SECRETS")
        assert "ADMIN_SECRETS" in pair.refused("admin-not-allowed")

    def test_w1_the_admin_of_another_application(self, pair: World) -> None:
        """A secret that the function may read for somebody else is no admin here."""
        value = json.dumps(self.other_admin(pair))
        pair.put(masterarn=pair.client.create_secret(Name="other/application", SecretString=value)["ARN"])
        pair.refused("admin-not-allowed")

    def test_w1_a_name_that_only_looks_allowed(self, pair: World, monkeypatch: pytest.MonkeyPatch) -> None:
        """What counts is the ARN that the service answers, not the text in the secret."""
        monkeypatch.setenv("ADMIN_SECRETS", "arn:aws:secretsmanager:*:*:secret:admin/*")
        pair.client.create_secret(Name="evil", SecretString=json.dumps(self.other_admin(pair)))
        pair.put(masterarn="evil")
        pair.refused("admin-not-allowed")
        pair.put(masterarn=str(pair.admin_arn).rpartition("-")[0])  # a partial ARN of the allowed one
        pair.rotated()

    def test_w1_the_secret_itself(self, pair: World, monkeypatch: pytest.MonkeyPatch) -> None:
        """Also where a pattern would allow it."""
        monkeypatch.setenv("ADMIN_SECRETS", "*")
        pair.put(masterarn=pair.arn)
        pair.refused("admin-not-allowed")

    @pytest.mark.parametrize("fields", [{}, {"host": "127.0.0.1"}])
    def test_w2_a_port_of_the_attackers(self, pair: World, fields: dict[str, object]) -> None:
        """Nothing but a request for TLS is sent to what does not prove who it is."""
        with trap() as (port, received):
            pair.aws.tries = 1
            pair.put(**fields, port=port)
            assert not pair.rotate().succeeded
            assert received
            assert {len(data) for data in received} <= {0, 8}, "PostgreSQL's SSLRequest, and no name of a user"

    def test_w2_another_name_of_the_server_must_be_said_by_tag(self, pair: World) -> None:
        """A CNAME in the secret's host: refused, until the platform team says so."""
        pair.put(host="127.0.0.1", tls_server_name="localhost")
        assert "rotation:host" in pair.refused("admin-other-server")
        pair.tag(host="127.0.0.1.")
        pair.rotated()

    def test_w2_another_port_is_another_server(self, pair: World) -> None:
        """Also where a tag names the host."""
        arn = str(pair.admin_arn)
        admin = json.loads(pair.client.get_secret_value(SecretId=arn)["SecretString"])
        pair.client.put_secret_value(SecretId=arn, SecretString=json.dumps({**admin, "port": admin["port"] + 1}))
        pair.tag(host="localhost")
        assert "Nothing was sent" in pair.refused("admin-other-server")

    def test_w2_the_admins_tls_is_its_own(self, pair: World) -> None:
        """ssl: false in the secret does not send the admin's login without TLS."""
        pair.put(ssl=False)
        pair.rotated()
        assert pair.admin_logins() == [True]

    @pytest.mark.parametrize("user", ["{superuser}", "victim", "{app}_clone", "{app}_clone_clone", "{admin}"])
    def test_w4_a_pending_value_with_a_victims_name(self, pair: World, user: str) -> None:
        """Pending's user is exactly current's other name."""
        pair.rotated()
        name = user.format(app=pair.user, admin=pair.admin, superuser=self.superuser())
        value = json.dumps({**pair.value(), "username": name, "password": "chosen"})
        pair.client.put_secret_value(
            SecretId=pair.arn, SecretString=value, VersionStages=["AWSPENDING"], ClientRequestToken="f" * 32
        )
        with pytest.raises(pair.client.exceptions.InvalidRequestException):
            pair.rotate()
        pair.aws.wait()
        assert "[pending-differs]" in str(pair.aws.rotations[-1].error)
        assert pair.logins() == 0

    def test_w5_the_admins_own_user(self, pair: World) -> None:
        """The secret names the admin's own user, whose password the attacker does not know, or does."""
        password = pair.admin_password
        pair.put(username=pair.admin, password=password)
        pair.refused("admin-is-the-user")
        assert pair.server.accepts(pair.admin, password)

    @pytest.mark.parametrize("whose", ["superuser", "admin"])
    def test_w6_never_a_superuser_nor_the_admin(self, pair: World, whose: str) -> None:
        """Though a tag names it."""
        name = self.superuser() if whose == "superuser" else str(pair.admin)
        pair.tag(strategy="single-user", reconcile=self.account(name))
        pair.put(username=name, password="wrong")
        pair.refused("user-is-superuser" if whose == "superuser" else "admin-is-the-user")
        superuser = self.other_admin(pair)
        assert pair.server.accepts(superuser["username"], superuser["password"])
        assert pair.server.accepts(pair.admin, pair.admin_password)

    def test_w6_only_the_user_that_the_tag_names(self, pair: World) -> None:
        """The attacker changes the user in the value; the tag still names his own."""
        name = f"{pair.user}_victim"
        pair.victim(name, "victims-password")
        pair.tag(strategy="single-user", reconcile=self.account(pair.user))
        pair.put(username=name, password="wrong")
        pair.refused("no-login-works")
        assert pair.server.accepts(name, "victims-password")
