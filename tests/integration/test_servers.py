"""The servers of the tests are what the tests take them for: logins are real, TLS is theirs, nothing of them is left."""

import os
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
from pymongo import MongoClient
from pymongo.errors import ServerSelectionTimeoutError

from testkit.servers.mongo import READ, READ_WRITE, MongoServer
from testkit.servers.ntfy import NtfyServer
from testkit.servers.rabbitmq import RabbitMqServer
from testkit.servers.web import Web
from tests.integration.test_nothing_is_left import processes_with

FIRST, SECOND = "canary-first-PASS1", "canary-second-PASS2"


class AnyServer(Protocol):
    """What they have in common."""

    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def ca_file(self) -> Path: ...
    @property
    def log(self) -> Path: ...
    def accepts(self, user: str, password: str) -> bool: ...
    def create_user(self, user: str, password: str) -> None: ...
    def set_password(self, user: str, password: str) -> None: ...
    def users(self) -> set[str]: ...
    def drop_users(self, keep: set[str]) -> None: ...
    def secret(self, user: str, password: str, **fields: object) -> dict[str, object]: ...


@pytest.fixture(params=["mongo", "ntfy", "rabbitmq"])
def any_server(request: pytest.FixtureRequest) -> Iterator[AnyServer]:
    """Each in turn, with the users that it had before."""
    found: AnyServer = request.getfixturevalue(request.param)
    users = found.users()
    yield found
    found.drop_users(keep=users)


def test_the_right_password_alone_is_let_in(any_server: AnyServer) -> None:
    """Neither a wrong one nor somebody who is not there."""
    any_server.create_user("app", FIRST)
    assert any_server.accepts("app", FIRST)
    assert not any_server.accepts("app", SECOND)
    assert not any_server.accepts("nobody", FIRST)


def test_a_changed_password_takes_the_place_of_the_old_one(any_server: AnyServer) -> None:
    """At once, and its log shows neither, so that whatever a test finds there was sent by the function."""
    any_server.create_user("app", FIRST)
    any_server.set_password("app", SECOND)
    assert any_server.accepts("app", SECOND)
    assert not any_server.accepts("app", FIRST)
    log = any_server.log.read_text()
    assert log
    assert FIRST not in log
    assert SECOND not in log


def test_users_come_and_go(any_server: AnyServer) -> None:
    """All but those whom a test keeps."""
    before = any_server.users()
    any_server.create_user("one", FIRST)
    any_server.create_user("two", FIRST)
    assert any_server.users() == before | {"one", "two"}
    any_server.drop_users(keep=before | {"one"})
    assert any_server.users() == before | {"one"}
    assert not any_server.accepts("two", FIRST)


def test_a_secret_says_where_and_who(any_server: AnyServer) -> None:
    """And carries what a test puts beside that."""
    secret = any_server.secret("app", FIRST, note="x")
    assert {
        "host": "localhost",
        "port": any_server.port,
        "username": "app",
        "password": FIRST,
        "note": "x",
    }.items() <= (secret.items())


@pytest.mark.parametrize("name", ["mongo", "ntfy", "rabbitmq"])
def test_tls_is_by_its_own_root_for_localhost(name: str, request: pytest.FixtureRequest) -> None:
    """Its ca_file verifies it; the machine's own roots do not, nor does another name."""
    server: AnyServer = request.getfixturevalue(name)
    trusting = ssl.create_default_context(cafile=server.ca_file)
    for context, host in ((ssl.create_default_context(), "localhost"), (trusting, "other.test")):
        with pytest.raises(ssl.SSLCertVerificationError):
            _shake_hands(context, host, server.port)
    _shake_hands(trusting, "localhost", server.port)


def _shake_hands(context: ssl.SSLContext, name: str, port: int) -> None:
    with (
        socket.create_connection(("127.0.0.1", port), timeout=5) as opened,
        context.wrap_socket(opened, server_hostname=name),
    ):
        pass


def test_mongo_in_clear_where_a_test_wants_that(mongo: MongoServer) -> None:
    """On plain_port; by TLS there is no way in without its root."""
    if mongo.plain_port:
        opened: MongoClient[dict[str, Any]] = MongoClient(
            "localhost", mongo.plain_port, username="root", password=mongo.password
        )
        with opened as client:
            assert client.admin.command("ping")["ok"] == 1
    distrustful: MongoClient[dict[str, Any]] = MongoClient(
        "localhost", mongo.port, tls=True, serverSelectionTimeoutMS=500
    )
    with distrustful as client, pytest.raises(ServerSelectionTimeoutError, match="CERTIFICATE_VERIFY_FAILED"):
        client.admin.command("ping")


def test_mongo_users_have_the_roles_that_a_test_gives(mongo: MongoServer) -> None:
    """FerretDB's createUser forgets them, which the server's own method does not."""
    before = mongo.users()
    mongo.create_user("reads", FIRST, READ)
    mongo.create_user("writes", FIRST)
    try:
        assert list(mongo.roles("reads")) == list(READ)
        assert sorted(role["role"] for role in mongo.roles("writes")) == sorted(role["role"] for role in READ_WRITE)
    finally:
        mongo.drop_users(keep=before)


def test_mongo_log_shows_what_a_client_sent(mongo: MongoServer) -> None:
    """FerretDB's shows all of a command: whether the function named the wrong user, say."""
    if mongo.flavour != "ferretdb":
        pytest.skip("MongoDB's log shows slow commands only")
    mongo.create_user("app", FIRST)
    mark = len(mongo.log.read_text())
    mongo.run("updateUser", "app", pwd=SECOND)
    mongo.drop_users(keep={"root"})
    assert "`updateUser`: `app`" in mongo.log.read_text()[mark:]


def test_ntfy_issues_lists_and_revokes(ntfy: NtfyServer) -> None:
    """Tokens are the user's own, and let him in."""
    before = ntfy.users()
    ntfy.create_user("app", FIRST)
    try:
        token = ntfy.issue("app", FIRST, "a label")
        assert ntfy.accepts("", token)
        assert [(each["token"], each["label"]) for each in ntfy.tokens("", token)] == [(token, "a label")]
        assert ntfy.ask("DELETE", "/v1/account/token", login=("app", FIRST), X_Token=token).status == 200
        assert not ntfy.accepts("", token)
        assert ntfy.tokens("app", FIRST) == []
    finally:
        ntfy.drop_users(keep=before)


def test_ntfy_lets_a_test_fail_often(ntfy: NtfyServer) -> None:
    """It shuts an address out after 30 rejected logins: what a test tries must not cost the function its own."""
    before = ntfy.users()
    ntfy.create_user("app", FIRST)
    try:
        assert not any(ntfy.accepts("", f"tk_{number:029}") for number in range(40))
        assert ntfy.accepts("app", FIRST)
        direct = Web("localhost", ntfy.port, ntfy.ca_file).ask("GET", "/v1/account", Authorization="Bearer tk_none")
        assert direct.status == 401
    finally:
        ntfy.drop_users(keep=before)


def test_rabbitmq_tags(rabbitmq: RabbitMqServer) -> None:
    """A user has those that he is given, and keeps them when his password is set by hand; without one he cannot log in here."""
    before = rabbitmq.users()
    try:
        rabbitmq.create_user("app", FIRST, ("management", "policymaker"))
        rabbitmq.set_password("app", SECOND)
        assert rabbitmq.tags("app") == ("management", "policymaker")
        rabbitmq.create_user("none", FIRST, ())
        assert not rabbitmq.accepts("none", FIRST)
    finally:
        rabbitmq.drop_users(keep=before)


STARTER = """
import sys, time
from testkit.servers.{name} import find_{name}, {name}_server
with {name}_server(find_{name}()) as server:
    print(server.log.parent, flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("name", ["mongo", "ntfy", "rabbitmq"])
def test_nothing_is_left_of_a_server_whose_starter_is_killed(name: str, request: pytest.FixtureRequest) -> None:
    """No process, no folder, of any of the programs that it takes (other ends than this: test_nothing_is_left.py)."""
    request.getfixturevalue(name)  # or there is none to be had
    if os.environ.get(f"{name.upper()}_TEST_URL"):
        pytest.skip("one that runs already is left as it is")
    with tempfile.TemporaryDirectory() as own:
        Path(own).chmod(0o755)
        starter = subprocess.Popen(
            [sys.executable, "-c", STARTER.format(name=name)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "TMPDIR": own},
        )
        assert starter.stdout is not None
        folder = starter.stdout.readline().strip()
        assert folder.startswith(own)
        assert processes_with(folder)
        starter.send_signal(signal.SIGKILL)
        starter.wait(30)
        starter.stdout.close()
        end = time.monotonic() + 30
        while (processes_with(folder) or Path(folder).exists()) and time.monotonic() < end:
            time.sleep(0.05)
        assert processes_with(folder) == []
        assert not Path(folder).exists()
        assert list(Path(own).iterdir()) == []
