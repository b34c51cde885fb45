"""Each thing that goes wrong has an error of its own, names what it is about, in time; nothing has changed, nothing stays open."""

import contextlib
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bson
import pytest

from common.errors import TargetError, TargetUnavailable
from common.secret import Secret
from rotators.documentdb import session as session_module
from rotators.documentdb.target import DocumentDb
from testkit.certificates import Authority
from testkit.mongodb.standin import HANG_UP
from testkit.servers.mongo import MongoServer
from tests.integration.documentdb.world import World
from tests.integration.world import FIRST

REPORT_SECONDS = 15


@dataclass(frozen=True)
class Case:
    """code: of the error. edit: fields of the secret, where {…} stands for a port. names: what the error says."""

    code: str
    edit: dict[str, Any] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    step: str = "setSecret"
    root: str = ""  # the function trusts another root ("another"), those that we ship ("ours"), or a file that is none
    by_hand: str = ""  # the password that somebody has set


AT = ("localhost:",)
CASES = {
    "engine": Case("secret-engine-wrong", {"engine": "postgres"}, ("mongo, documentdb, docdb",), step="createSecret"),
    "ssl nonsense": Case("secret-ssl-invalid", {"ssl": "yes"}, step="createSecret"),
    "a list of hosts": Case("secret-field-invalid", {"host": "a,b"}, ("'host'",), step="createSecret"),
    "a URI": Case("secret-field-invalid", {"host": "mongodb+srv://a.example.com"}, ("'host'",), step="createSecret"),
    "options in a host": Case("secret-field-invalid", {"host": "a/?tls=false"}, ("'host'",), step="createSecret"),
    "a user in a host": Case("secret-field-invalid", {"host": "u:p@a"}, ("'host'",), step="createSecret"),
    "a socket": Case("secret-field-invalid", {"host": "mongodb-27017.sock"}, ("'host'",), step="createSecret"),
    "$external": Case("secret-field-invalid", {"dbname": "$external"}, ("'dbname'",), step="createSecret"),
    "options in a database": Case(
        "secret-field-invalid", {"dbname": "a?tls=false"}, ("'dbname'",), step="createSecret"
    ),
    "a long database": Case("secret-field-invalid", {"dbname": "é" * 32}, ("'dbname'",), step="createSecret"),
    "a name for the certificate": Case(
        "secret-field-invalid", {"tls_server_name": "other"}, ("'tls_server_name'",), step="createSecret"
    ),
    "a long name": Case("secret-field-invalid", {"username": "x" * 58}, ("63 characters",), step="createSecret"),
    "wrong password": Case("no-login-works", names=("AWSCURRENT, AWSPENDING",), by_hand="changed-by-hand"),
    "an unknown user": Case("no-login-works", {"username": "nobody"}, ("'nobody@admin'",)),
    "another database": Case("no-login-works", {"dbname": "shop"}, ("@shop'",)),
    "a name that nobody knows": Case("target-name-unknown", {"host": "nowhere.invalid"}, ("nowhere.invalid", "DNS")),
    "nothing there": Case("target-unreachable", {"port": 1}, ("localhost:1", "security group")),
    "another root": Case("tls-untrusted", names=(*AT, "TLS_CA_FILE"), root="another"),
    "our roots": Case("tls-untrusted", names=AT, root="ours"),
    "a CA file that is none": Case("tls-ca-unreadable", names=(*AT, "TLS_CA_FILE"), root="none"),
    "another name": Case("tls-wrong-name", {"host": "127.0.0.1"}, ("127.0.0.1:", "'host'")),
    "a server that wants TLS": Case("tls-required", {"port": "{tls}", "ssl": False}, (*AT, "'ssl' is false")),
    "a server without TLS, which waits": Case("target-silent", {"port": "{plain}"}, AT),
}


def threads() -> set[threading.Thread]:
    """The driver's threads that run now."""
    return {thread for thread in threading.enumerate() if "pymongo" in thread.name}


def assert_all_closed(server: MongoServer) -> None:
    """No thread of the driver's and no connection of ours, within a few seconds: a monitor that waits ends with its time-out."""
    ports = {f"{port:04X}" for port in (server.port, server.plain_port)}
    end = time.monotonic() + 7
    while time.monotonic() < end:
        if not threads() and not _connections(ports):
            return
        time.sleep(0.02)
    assert (threads(), _connections(ports)) == (set(), [])


def _connections(ports: set[str]) -> list[str]:
    """Open connections of this process to these ports (hexadecimal), by Linux's tables; but those that wait for their last packet."""
    inodes = {
        target.partition("[")[2].rstrip("]")
        for path in Path("/proc/self/fd").iterdir()
        if (target := _target(path)).startswith("socket:")
    }
    lines = [
        line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]
    ]
    return [line[2] for line in lines if line[2].rpartition(":")[2] in ports and line[9] in inodes]


def _target(path: Path) -> str:
    with contextlib.suppress(OSError):
        return str(path.readlink())
    return ""


@pytest.fixture
def closes(ferret: MongoServer) -> Iterator[None]:
    """What a test has opened is closed when it ends; the test's own root is out of the way."""
    for client in ferret._kept:  # noqa: SLF001  opened again when it is next asked
        client.close()
    ferret._kept.clear()  # noqa: SLF001
    yield
    for client in ferret._kept:  # noqa: SLF001
        client.close()
    ferret._kept.clear()  # noqa: SLF001
    assert_all_closed(ferret)


@pytest.mark.usefixtures("closes")
@pytest.mark.parametrize("name", CASES)
def test_each_failure_has_its_own_error(
    on_mongodb: World, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table of docs/errors.md, made to happen."""
    case, world = CASES[name], on_mongodb
    if not (case.step == "createSecret" and "long name" in name):
        world.tag(strategy="single-user")
    if case.root:
        file = tmp_path / "root.pem"
        file.write_bytes(Authority("another root").pem if case.root == "another" else b"no certificate\n")
        monkeypatch.setenv("TLS_CA_FILE", "" if case.root == "ours" else str(file))
    ports = {"tls": world.server.behind_it.port, "plain": world.server.behind_it.plain_port}
    edit = {
        key: int(value.format(**ports)) if key == "port" and isinstance(value, str) else value
        for key, value in case.edit.items()
    }
    if case.by_hand:
        world.server.behind_it.set_password(world.user, case.by_hand)
    world.put(**edit)
    before, world.aws.tries, started = world.value(), 1, time.monotonic()
    rotation = world.rotate()
    assert time.monotonic() - started < REPORT_SECONDS
    assert rotation.runs[-1].step == case.step
    for part in (f"[{case.code}]", *case.names):
        assert part in str(rotation.error)
    assert "canary" not in rotation.log + str(rotation.error)
    assert world.value() == before
    assert world.server.accepts(world.user, case.by_hand or FIRST)


class TestInMidRotation:
    """What a server does after the login."""

    def test_it_hangs_up_on_the_change(self, pair: World) -> None:
        """It may or may not have been made: tried again, and the next rotation finds out."""
        pair.server.fails["createUser"] = HANG_UP
        pair.refused("target-interrupted")
        assert pair.logs_in()
        pair.server.fails.clear()
        pair.rotated()

    @pytest.mark.parametrize("strategy", ["single-user", "alternating-users"])
    def test_s6_a4_a_password_that_it_refuses(self, world: World, strategy: str) -> None:
        """AWSPENDING is taken off: the next rotation chooses another."""
        world.tag(strategy=strategy)
        world.server.fails["updateUser"] = 2
        rotation = world.rotate()
        first = next(run.invocation for run in rotation.runs if run.invocation and run.invocation.error)
        assert "[password-refused]" in str(first.error)
        assert "rotation:password-length" in str(first.error)
        assert world.labels() == [{"AWSCURRENT"}]
        world.server.fails.clear()
        world.rotated()
        assert world.logs_in()

    def test_a_refusal_of_roles_is_none_of_the_password(self, pair: World) -> None:
        """The same code of another command: the rotation is not given up."""
        pair.rotated()
        pair.rotated()
        pair.server.user(pair.user).roles = [{"role": "read", "db": "other"}]
        pair.server.fails["updateUser"] = 2
        pair.aws.tries = 1
        rotation = pair.rotate()
        assert "[change-refused]" in str(rotation.error)
        assert {"AWSPENDING"} in pair.labels()

    @pytest.mark.parametrize(("code", "expected"), [(10107, "target-read-only"), (13435, "target-read-only"), (31, "change-refused"), (91, "target-interrupted")])  # fmt: skip
    def test_other_codes(self, world: World, code: int, expected: str) -> None:
        """A replica; a role that is not there; a server that is going down."""
        world.server.fails["updateUser"] = code
        error = world.refused(expected)
        assert expected != "change-refused" or f"code {code}" in error
        assert world.server.accepts(world.user, FIRST)

    def test_a_user_that_is_gone(self, world: World) -> None:
        """Between two versions; the tag names it, but there is nobody to reset."""
        world.tag(reconcile=f"{world.user}@admin")
        world.server.behind_it.drop_users(keep=world.server.behind_it.users() - {world.user})
        world.server.users.known.pop((world.user, "admin"))
        world.refused("user-missing")

    def test_another_delivery_has_made_the_clone(self, pair: World) -> None:
        """MongoDB's code for it is not a refusal: the step is done again, and finds the clone."""
        create = pair.server.users._create  # noqa: SLF001

        def made_meanwhile(command: dict[str, object], by: tuple[str, str]) -> dict[str, object]:
            pair.server.create_user(f"{pair.user}_clone", "somebody-elses")
            return create(command, by)

        pair.server.users._create = made_meanwhile  # type: ignore[method-assign]  # noqa: SLF001
        assert pair.rotated().case("setSecret") == "A3"
        assert pair.logs_in()


def close_at_once(server: socket.socket) -> None:
    """Answer connections by hanging up."""

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                server.accept()[0].close()

    threading.Thread(target=serve, daemon=True).start()


@contextlib.contextmanager
def listener(behaviour: Callable[[socket.socket], None]) -> Iterator[int]:
    """A port where something odd listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        behaviour(server)
        yield server.getsockname()[1]


def login(port: int, **fields: object) -> Secret:
    """A secret for that port."""
    value = {"engine": "mongo", "host": "127.0.0.1", "port": port, "username": "app", "password": "canary-PASSWORD"}
    return Secret({**value, **fields}, "AWSCURRENT of app")


@pytest.mark.parametrize(
    ("behaviour", "fields", "code"),
    [
        (lambda _: None, {}, "target-silent"),
        (lambda _: None, {"ssl": False}, "target-silent"),
        (close_at_once, {}, "target-closed"),
        (close_at_once, {"ssl": False}, "tls-required"),
    ],
    ids=["says nothing", "says nothing in clear", "hangs up", "hangs up in clear"],
)
@pytest.mark.usefixtures("ferret")
def test_a_host_that_does_not_answer(
    behaviour: Callable[[socket.socket], None], fields: dict[str, object], code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In time, and never a rejected login."""
    monkeypatch.setattr(session_module, "CONNECT_SECONDS", 1.5)
    others = threads()
    with listener(behaviour) as port:
        started = time.monotonic()
        with pytest.raises(TargetError) as error:
            DocumentDb().check(login(port, **fields))
        assert error.value.code == code
        assert time.monotonic() - started < 4
    end = time.monotonic() + 4  # a monitor that waits for an answer ends with its own time-out
    while threads() - others and time.monotonic() < end:
        time.sleep(0.02)
    assert not threads() - others


def test_a_server_that_is_too_old_for_the_driver() -> None:
    """MongoDB 3.4 says wire version 5: told as that, and no password is sent."""

    def old(server: socket.socket) -> None:
        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _ = server.accept()
                    with client:
                        asked = struct.unpack("<iiii", client.recv(65536)[:16])[1]
                        hello = bson.encode({"ismaster": True, "minWireVersion": 0, "maxWireVersion": 5, "ok": 1.0})
                        body = struct.pack("<iqii", 8, 0, 0, 1) + hello
                        client.sendall(struct.pack("<iiii", 16 + len(body), 1, asked, 1) + body)

        threading.Thread(target=serve, daemon=True).start()

    with listener(old) as port:
        with pytest.raises(TargetError) as error:
            DocumentDb().check(login(port, ssl=False))
        assert error.value.code == "target-unsupported"
        assert not isinstance(error.value, TargetUnavailable)


def test_an_address_of_ipv6() -> None:
    """The driver wants brackets around it."""
    with pytest.raises(TargetUnavailable) as error:
        DocumentDb().check(login(1, host="::1", ssl=False))
    assert error.value.code == "target-unreachable"
    assert "::1" in str(error.value)


@pytest.mark.usefixtures("closes")
@pytest.mark.parametrize("strategy", ["single-user", "alternating-users"])
def test_nothing_stays_open(world: World, strategy: str) -> None:
    """After rotations that succeed, and after one that does not."""
    world.tag(strategy=strategy)
    for _ in range(2):
        world.rotated()
    world.server.fails["updateUser"] = HANG_UP
    world.aws.tries = 1
    assert not world.rotate().succeeded


def test_no_password_leaves(pair: World) -> None:
    """Not through our log, our errors or our metrics, whatever fails; nor the server's, for what we send it."""
    texts = []
    for fault in (None, 2, 13, HANG_UP, 8000):
        pair.server.fails = {} if fault is None else {"updateUser": fault}
        pair.aws.tries = 2
        rotation = pair.rotate()
        texts += [rotation.log, str(rotation.error), *map(str, pair.aws.events)]
        pair.take_pending_off()
    pair.server.fails = {}
    passwords = (
        {
            value["password"]
            for call in [*pair.all_calls, *pair.aws.calls]
            if "SecretString" in call.parameters
            for value in [json.loads(call.parameters["SecretString"])]
        }
        | {pair.admin_password}
        | {str(one["pwd"]) for one in pair.server.commands("createUser")}
    )
    assert len(passwords) >= 6
    assert sum("error_code" in text for text in texts) >= 4
    for password in passwords:
        for shape in (password, json.dumps(password)[1:-1]):
            assert not [text for text in texts if shape in text]
