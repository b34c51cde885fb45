"""Who may write a secret's value gains nothing by it, nor does a false server."""

import contextlib
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import bson
import pytest

from common import tls
from common.errors import LoginRejected, TargetError
from common.secret import Secret
from rotators.documentdb import session as session_module
from rotators.documentdb.target import DocumentDb
from testkit.mongodb import wire
from testkit.servers.mongo import MongoServer
from testkit.wire import listening
from tests.integration.attacks import AttackKit, trap
from tests.integration.documentdb.world import World, make_world
from tests.integration.world import FIRST

PASSWORD = "canary-for-the-false-server"
Document = dict[str, Any]
Talk = Callable[[Document], Document]


class TestAttacks(AttackKit):
    """What every target withstands; on MongoDB's users, and DocumentDB's."""

    @pytest.fixture
    def pair(self, pair: World) -> World:
        """On each."""
        return pair

    def other_admin(self, pair: Any) -> dict[str, object]:
        value: dict[str, object] = pair.server.secret("root", pair.server.password)
        return value

    def superuser(self) -> str:
        return "root"

    def account(self, name: str) -> str:
        return f"{name}@admin"

    @pytest.mark.parametrize("fields", [{}, {"host": "127.0.0.1"}])
    def test_w2_a_port_of_the_attackers(self, pair: Any, fields: dict[str, object]) -> None:
        """Nothing but TLS's first message is sent to what does not prove who it is."""
        with trap() as (port, received):
            pair.aws.tries = 1
            pair.put(**fields, port=port)
            assert not pair.rotate().succeeded
            assert received
            assert {data[:1] for data in received} <= {b"", b"\x16"}, "a ClientHello"
            assert not [data for data in received if pair.user.encode() in data]

    def test_w2_another_name_of_the_server_must_be_said_by_tag(self, pair: Any) -> None:
        """In clear, as the certificate has one name; the admin goes by its own, with TLS."""
        pair.put(host="127.0.0.1", ssl=False)
        assert "rotation:host" in pair.refused("admin-other-server")
        pair.tag(host="127.0.0.1.")
        pair.rotated()
        assert pair.admin_logins() == [True]


class TestDatabases:
    """A user is a name with its authentication database."""

    def test_w6_another_database_with_the_reconciled_user_s_name(self, on_mongodb: World) -> None:
        """The attacker changes `dbname`: the tag names another user; nothing is sent about either."""
        on_mongodb.tag(strategy="single-user", reconcile=f"{on_mongodb.user}@admin")
        on_mongodb.put(dbname="shop", password="wrong")
        error = on_mongodb.refused("no-login-works")
        assert f"'{on_mongodb.user}@shop'" in error
        assert on_mongodb.server.sent == []
        assert on_mongodb.server.accepts(on_mongodb.user, FIRST)
        assert "wrong" not in error

    def test_w6_the_tag_of_another_database(self, on_mongodb: World) -> None:
        """Nor the other way round."""
        on_mongodb.tag(strategy="single-user", reconcile=f"{on_mongodb.user}@shop")
        on_mongodb.server.behind_it.set_password(on_mongodb.user, "changed-by-hand")
        on_mongodb.refused("no-login-works")
        assert on_mongodb.server.sent == []

    @pytest.mark.parametrize("tag", ["{user}", "{user}@", "@admin", "*@admin", "{user}@ADMIN", "x{user}@admin"])
    def test_w6_the_tag_names_both_exactly(self, on_mongodb: World, tag: str) -> None:
        """Name and database."""
        on_mongodb.tag(strategy="single-user", reconcile=tag.format(user=on_mongodb.user))
        on_mongodb.server.behind_it.set_password(on_mongodb.user, "changed-by-hand")
        on_mongodb.refused("no-login-works")
        assert on_mongodb.server.sent == []

    def test_w6_an_at_sign_in_a_name_does_not_move_the_database(self, on_mongodb: World) -> None:
        """`a@b` of `admin` is `a@b@admin`; `a` of `b@admin` cannot be."""
        on_mongodb.tag(strategy="single-user", reconcile="a@b@admin")
        on_mongodb.put(username="a", dbname="b@admin", password="wrong")
        on_mongodb.refused("secret-field-invalid")

    def test_w5_a_clone_of_another_database(self, on_mongodb: World) -> None:
        """A secret of `app` of `shop` with an admin of `admin`: AWSCURRENT must log in there, and cannot."""
        on_mongodb.put(dbname="shop")
        on_mongodb.refused("no-login-works")
        assert on_mongodb.server.sent == []

    def test_ferretdb_has_users_of_admin_only(
        self, ferret: MongoServer, on_mongodb: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It takes a login by any database, and names none: the user is the one of `admin`."""
        monkeypatch.setenv("TLS_CA_FILE", str(ferret.ca_file))
        value = ferret.secret(on_mongodb.user, FIRST, dbname="shop")
        assert DocumentDb().check(Secret(value, "x")) == f"{on_mongodb.user}@admin"


NASTY = ["o'reilly", "50%", "a b", "ünïcødé", 'qu"ote', "a@b", "mongodb://x", "$where", "{x}", "a?tls=false&b"]


@pytest.mark.parametrize("name", NASTY)
def test_names_are_names(on_mongodb: World, name: str) -> None:
    """No option, URI or operator: both turns of a pair of it."""
    world = make_world(on_mongodb.server, on_mongodb.aws, name, masterarn=on_mongodb.admin_arn)
    world.tag(strategy="alternating-users")
    for _ in range(2):
        world.rotated()
        assert world.logs_in()
    assert {one["updateUser"] for one in world.server.commands("updateUser")} == {name, f"{name}_clone"}


@contextmanager
def false_server(talk: Talk, **hello: Any) -> Iterator[tuple[int, list[Document]]]:
    """A server of the attacker's: its hello, and what it answers to all else; its port, and what it was told."""
    heard: list[Document] = []

    def serve(client: socket.socket) -> None:
        with client, contextlib.suppress(OSError, ValueError):
            while message := wire.read(client):
                command = dict(message.document)
                heard.append(command)
                known = {"ismaster": True, "isWritablePrimary": True, "maxWireVersion": 21, "minWireVersion": 0}
                first = next(iter(command)) in {"ismaster", "hello"}
                answer = {**known, **hello, "ok": 1.0} if first else talk(command)
                if message.before[12:16] == struct.pack("<i", 2004):
                    body = struct.pack("<iqii", 8, 0, 0, 1) + bson.encode(answer)
                    header = struct.unpack("<iiii", message.before[:16])
                    client.sendall(struct.pack("<iiii", 16 + len(body), 1, header[1], 1) + body)
                else:
                    client.sendall(message.answered(answer).raw)

    with listening(serve) as port:
        yield port, heard


def login(port: int) -> Secret:
    """A secret that points at the false server."""
    fields = {"engine": "mongo", "host": "127.0.0.1", "port": port, "ssl": False}
    return Secret({**fields, "username": "app", "password": PASSWORD}, "AWSCURRENT of app")


def assert_not_told(heard: list[Document]) -> None:
    """The password, in no shape."""
    assert heard
    assert PASSWORD not in repr(heard)
    assert PASSWORD.encode() not in b"".join(bson.encode(one) for one in heard)


def _challenge(command: Document, iterations: int, *, nonce: bool = True) -> Document:
    own = dict(part.split("=", 1) for part in command["payload"].decode().removeprefix("n,,").split(","))["r"]
    payload = f"r={own if nonce else ''}xyz,s=c2FsdHNhbHRzYWx0c2FsdA==,i={iterations}"
    return {"conversationId": 1, "payload": payload.encode(), "done": False, "ok": 1.0}


REFUSED = {"ok": 0.0, "code": 334, "errmsg": "no such mechanism"}


@pytest.mark.parametrize("mechanisms", [["PLAIN"], ["MONGODB-CR"], ["MONGODB-X509", "MONGODB-AWS"], ["GSSAPI"], []])
def test_a_server_without_scram_gets_no_password(mechanisms: list[str]) -> None:
    """PLAIN would send it in clear: only SCRAM is ever begun."""
    with (
        false_server(lambda _: REFUSED, saslSupportedMechs=mechanisms) as (port, heard),
        pytest.raises(TargetError) as error,
    ):
        DocumentDb().check(login(port))
    assert error.value.code == "login-method"
    assert not isinstance(error.value, LoginRejected)
    assert_not_told(heard)
    assert {one["mechanism"] for one in heard if "saslStart" in one} <= {"SCRAM-SHA-1", "SCRAM-SHA-256"}


@pytest.mark.parametrize(
    "talk",
    [
        lambda command: _challenge(command, 1) if "saslStart" in command else REFUSED,
        lambda command: _challenge(command, 4096, nonce=False) if "saslStart" in command else REFUSED,
        lambda command: (
            _challenge(command, 4096)
            if "saslStart" in command
            else {"conversationId": 1, "payload": b"v=AAAA", "done": True, "ok": 1.0}
        ),
        lambda _: {"conversationId": 1, "payload": b"nonsense", "done": True, "ok": 1.0},
        lambda _: {"ok": 1.0},
    ],
    ids=["one iteration", "another nonce", "does not know the password", "nonsense", "lets everybody in"],
)
def test_a_server_that_does_not_know_the_password(talk: Talk) -> None:
    """SCRAM proves both sides: no login, and not a rejected one."""
    with false_server(talk, saslSupportedMechs=["SCRAM-SHA-256"]) as (port, heard), pytest.raises(TargetError) as error:
        DocumentDb().check(login(port))
    assert error.value.code == "login-method"
    assert_not_told(heard)


def test_the_members_that_a_server_names_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A replica set's list, its primary, its own name: another port of the attacker's hears nothing."""
    monkeypatch.setattr(session_module, "CONNECT_SECONDS", 1.5)
    with trap() as (other, received):
        host = f"127.0.0.1:{other}"
        members = {"setName": "rs0", "hosts": [host], "primary": host, "me": host}
        with false_server(lambda _: REFUSED, **members) as (port, heard):
            with pytest.raises(TargetError):
                DocumentDb().check(login(port))
            assert heard
        assert received == []


@pytest.mark.parametrize("as_whom", [[], [{"user": "root", "db": "admin"}], [{"user": "app", "db": "other"}]])
def test_w4_a_login_as_somebody_else_does_not_count(as_whom: list[Document], on_mongodb: World) -> None:
    """What connectionStatus says, not what was asked; its `app` is of another database than the login."""
    server = on_mongodb.server
    server.create_user("app", PASSWORD)
    server.answers["connectionStatus"] = {"ok": 1.0, "authInfo": {"authenticatedUsers": as_whom}}
    with pytest.raises(LoginRejected) as error:
        DocumentDb().check(Secret(server.secret("app", PASSWORD), "x"))
    assert error.value.code == "login-is-another-user"


def test_a_tls_server_that_is_not_the_right_one(ferret: MongoServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a certificate of another root: it hears nothing but TLS."""
    monkeypatch.setenv("TLS_CA_FILE", str(tls.BUNDLE))
    with pytest.raises(TargetError) as error:
        DocumentDb().check(Secret(ferret.secret("app", PASSWORD), "x"))
    assert error.value.code == "tls-untrusted"
