"""Services and secrets that mean harm: nothing is sent where it must not go, nothing is shown, every failure is clear and soon."""

import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from common.errors import TargetUnavailable, UnexpectedError
from common.handler import handler_by_secret
from common.holdings import label_of
from common.secret import Account
from rotators.api_key.choice import by_provider
from rotators.api_key.placeholders import Made
from rotators.api_key.provider import load_providers
from rotators.api_key.web import send
from testkit.certificates import Authority
from testkit.keyservice import (
    ENDLESS,
    LOST,
    NEVER_ARRIVED,
    NO_JSON,
    Fault,
    KeyService,
    Reply,
    huge,
    redirected,
    refused,
    slow,
    too_many,
)
from testkit.providers import write_provider
from tests.integration.api_key.world import KeyWorld
from tests.integration.attacks import trap

SECONDS = 14.0  # one request is given up after 10; the rest of a step is fast


def admin_secret(world: KeyWorld, name: str, **fields: object) -> str:
    """A secret with the service's admin key; its ARN."""
    value = json.dumps({**world.service.secret(world.service.admin_key), **fields})
    return str(world.client.create_secret(Name=name, SecretString=value)["ARN"])


def admins_requests(world: KeyWorld) -> list[str]:
    """What came with the admin's key since the rotation began."""
    return [
        f"{request.method} {request.path}"
        for request in world.service.requests[world.asked_before :]
        if world.service.admin_key in str(request.headers)
    ]


def heals(world: KeyWorld) -> None:
    """AWSCURRENT works; so does the next rotation, and it leaves no key of ours that no version holds."""
    assert world.works()
    world.service.heal()
    world.rotated()
    world.rotated()
    assert world.works()
    assert world.works("AWSPREVIOUS")
    assert {key.key for key in world.labelled()} == world.held()


class TestW7:
    """Which provider serves a secret, and whose admin acts."""

    def test_an_admin_of_another_provider(self, admins: KeyWorld, monkeypatch: pytest.MonkeyPatch) -> None:
        """ADMIN_SECRETS allows it, the provider's file does not: nothing is sent with its key."""
        other = admin_secret(admins, "admin/other-service")
        monkeypatch.setenv("ADMIN_SECRETS", "*:secret:admin/*")
        admins.put(masterarn=other)
        assert "keyservice_admin.json" in admins.refused("admin-not-allowed")
        assert admins_requests(admins) == []

    def test_an_admin_that_admin_secrets_does_not_allow(self, admins: KeyWorld) -> None:
        """The provider's file allows it: that is not enough (W1)."""
        admins.put(masterarn=admin_secret(admins, "admin/keyservice-2"))
        admins.refused("admin-not-allowed")
        assert admins_requests(admins) == []

    def test_a_provider_that_is_not_deployed(self, keys: KeyWorld) -> None:
        """Named by the tag: refused, saying which there are."""
        arn = keys.create_secret(keys.value(), "vanished")
        assert "keyservice, keyservice_admin" in keys.refused("provider-unknown", arn)
        assert keys.asked() == []

    def test_no_tag_and_no_file(self, keys: KeyWorld) -> None:
        """Nothing is guessed from the value."""
        keys.client.untag_resource(SecretId=keys.arn, TagKeys=["rotation:provider"])
        keys.put(provider="keyservice", engine="keyservice")
        assert "no provider files list it" in keys.refused("provider-unknown")
        assert keys.asked() == []

    @pytest.mark.parametrize("name", ["", "../keyservice", "keyservice.json", "KEYSERVICE", "*"])
    def test_a_tag_is_a_name(self, keys: KeyWorld, name: str) -> None:
        """Exactly that of a file."""
        keys.client.tag_resource(SecretId=keys.arn, Tags=[{"Key": "rotation:provider", "Value": name}])
        keys.refused("provider-unknown")
        assert keys.asked() == []

    def test_a_file_lists_the_secret(self, keys: KeyWorld) -> None:
        """No tag is needed then."""
        keys.client.untag_resource(SecretId=keys.arn, TagKeys=["rotation:provider"])
        write_provider(keys.folder, "keyservice", keys.service.port, called="listing", secrets=["*:secret:key-*"])
        redeploy(keys)
        keys.rotated()

    def test_two_files_list_the_secret(self, keys: KeyWorld) -> None:
        """Refused; the tag wins over both."""
        keys.deploy(secrets=["*"])
        keys.client.untag_resource(SecretId=keys.arn, TagKeys=["rotation:provider"])
        assert "2 provider files list it" in keys.refused("provider-unknown")
        assert keys.asked() == []
        keys.client.tag_resource(SecretId=keys.arn, Tags=[{"Key": "rotation:provider", "Value": "keyservice"}])
        keys.rotated()

    def test_currents_key_is_rejected(self, admins: KeyWorld) -> None:
        """Whoever writes a value without a key of the account gets nothing from the admin, whose key is never sent."""
        admins.service.create_account("victim")
        for fields in ({"key": "wrong"}, {"key": "wrong", "account": "victim"}, {"key": admins.service.admin_key[:-1]}):
            admins.put(**fields)
            admins.refused("login-rejected")
            assert admins_requests(admins) == []
        assert admins.labelled() == []

    def test_the_account_is_the_one_that_the_service_answers(self, admins: KeyWorld) -> None:
        """Not what the value says of itself."""
        admins.service.create_account("victim")
        admins.put(account="victim", username="victim", key_id="k2")
        admins.rotated()
        assert len(admins.service.keys("victim")) == 1
        assert admins.works()

    def test_the_file_may_have_the_account_compared(self, admins: KeyWorld) -> None:
        """Where the secret names it, its own key must be of that account."""
        admins.deploy(account="account")
        admins.service.create_account("victim")
        admins.put(account="victim")
        admins.refused("login-is-another-user")
        assert admins_requests(admins) == []
        admins.put(account="app")
        admins.rotated()

    @pytest.mark.parametrize("account", ["../../victim", "app\r\nX-Evil: 1", "", 5, None, ["app"], "ápp", "\ud800"])
    def test_an_account_that_fits_nowhere(self, admins: KeyWorld, account: object) -> None:
        """What check answers is put into the admin's requests as one value, or not at all."""
        admins.service.always("check", Fault(reply=Reply(200, {"account": account, "key_id": "k1"})))
        admins.aws.tries = 1
        rotation = admins.rotate()
        admins.take_pending_off()
        assert not rotation.succeeded
        assert "[unexpected]" not in str(rotation.error)
        assert all("X-Evil" not in str(request.headers) for request in admins.service.requests)
        heals(admins)


def redeploy(world: KeyWorld) -> None:
    """The function again, with what is in its folder by now."""
    world.function = world.aws.add_function(
        "again", handler_by_secret("api_key", by_provider(load_providers(world.folder)))
    )


class TestHosts:
    """Where a key is sent is said by the file; the secret chooses among what that allows."""

    @pytest.mark.parametrize(
        "host", ["127.0.0.1", "evil.example", "localhost@127.0.0.1", "127.0.0.1/", "localhost.evil.example", "localhost#", "::1", 1]
    )  # fmt: skip
    @pytest.mark.parametrize("world", ["keys", "admins"])
    def test_a_host_that_the_file_does_not_name(self, request: pytest.FixtureRequest, world: str, host: object) -> None:
        """Nothing is sent, neither there nor elsewhere."""
        at: KeyWorld = request.getfixturevalue(world)
        with trap() as (_, received):
            at.put(host=host)
            assert "'host'" in at.refused("secret-field-invalid")
            assert received == []
        assert at.asked() == []

    @pytest.mark.parametrize("world", ["keys", "admins"])
    def test_a_port_that_the_file_does_not_name(self, request: pytest.FixtureRequest, world: str) -> None:
        """A listener of the attacker's on an allowed host hears nothing."""
        at: KeyWorld = request.getfixturevalue(world)
        with trap() as (port, received):
            at.put(port=port)
            assert "'port'" in at.refused("secret-field-invalid")
            assert received == []
        assert at.asked() == []

    def test_w2_a_host_that_is_not_the_admins(self, admins: KeyWorld) -> None:
        """Allowed by the file, and not the admin's own: current's key goes there, the admin's nowhere."""
        admins.deploy(server={"hosts": ["localhost", "127.0.0.1"], "ports": [admins.service.port], "plaintext": True})
        with KeyService() as clear:
            admins.service.rules = clear.rules
            key = clear.create_account("app")
            admins.deploy(
                server={
                    "hosts": ["localhost", "127.0.0.1"],
                    "ports": [clear.port, admins.service.port],
                    "plaintext": True,
                }
            )
            admins.put(host="127.0.0.1", port=clear.port, key=key)
            assert "Nothing was sent" in admins.refused("admin-other-server")
            assert [request.bearer for request in clear.requests] == [key]
            admins.put(host="localhost")
            assert "Nothing was sent" in admins.refused("admin-other-server")
        assert admins_requests(admins) == []

    def test_an_admin_at_a_host_that_the_file_does_not_name(
        self, admins: KeyWorld, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An admin's secret may say nothing else either."""
        with trap() as (port, received):
            admin = admin_secret(admins, "admin/keyservice-astray", port=port)
            monkeypatch.setenv("ADMIN_SECRETS", admin)
            admins.put(masterarn=admin)
            assert "'port'" in admins.refused("secret-field-invalid")
            assert received == []


def waits_for(names: tuple[str, ...], before: set[threading.Thread]) -> None:
    """Wait until no thread is left that was not there before and runs one of these."""
    end = time.monotonic() + 3
    while left := [
        one for one in set(threading.enumerate()) - before if any(f"({name})" in one.name for name in names)
    ]:
        assert time.monotonic() < end, left
        time.sleep(0.05)


OPERATIONS = ["issue", "list", "revoke", "check"]
BAD: dict[str, tuple[Fault, set[str]]] = {
    "429": (too_many(1), {"service-unavailable"}),
    "500": (refused(500), {"service-unavailable"}),
    "400": (refused(400), {"service-refuses"}),
    "403": (refused(403), {"service-forbids"}),
    "lost": (LOST, {"answer-lost"}),
    "never arrived": (NEVER_ARRIVED, {"answer-lost"}),
    "early hints": (Fault(acts=False, reply=Reply(199)), {"answer-unreadable"}),
}
UNREADABLE: dict[str, tuple[Fault, set[str]]] = {
    "no JSON": (NO_JSON, {"answer-unreadable"}),
    "10 MB": (huge(), {"answer-too-large"}),
    "deep": (Fault(reply=Reply(200, b"[" * 400_000)), {"answer-unreadable"}),
    "deep, and whole": (Fault(reply=Reply(200, b"[" * 400 + b"]" * 400)), {"answer-unreadable"}),
    "a number of 10,000 digits": (Fault(reply=Reply(200, b"1" * 10_000)), {"answer-unreadable"}),
    "not UTF-8": (Fault(reply=Reply(200, b'{"key": "\xff\xfe"}')), {"answer-unreadable"}),
    "nothing": (Fault(reply=Reply(200)), {"answer-unreadable"}),
}
SHAPES: dict[str, list[object]] = {
    "issue": [None, [], {}, "x", 5, {"id": "k9"}, {"key": "canary-shape"}, {"id": 9, "key": "canary-shape"},
              {"id": None, "key": None}, {"id": "", "key": "canary-shape"}, {"id": "k9", "key": ["canary-shape"]}],
    "list": [None, {}, "x", 5, [{"label": None}], [{"id": None, "label": None}], [{"id": 5, "label": "x"}],
             [{"id": "k1", "label": 5}], [{"id": {"a": "b"}, "label": None}]],
    "check": [None, [], {}, "x", 5, {"key_id": "k1"}, {"account": None}, {"account": 5}, {"account": ""}, {"account": []}],
}  # fmt: skip


def fails(world: KeyWorld, codes: set[str]) -> None:
    """A rotation fails soon, in our words, with one of these codes; or what failed did not matter."""
    world.aws.tries = 1
    started = time.monotonic()
    rotation = world.rotate()
    assert time.monotonic() - started < 2 * SECONDS
    world.take_pending_off()
    assert any(f"[{code}]" in str(rotation.error) for code in codes), rotation.error


class TestAnswers:
    """Whatever the service answers: a clear error in time, nothing sent elsewhere, AWSCURRENT works, and the next one heals."""

    @pytest.mark.parametrize("operation", OPERATIONS)
    @pytest.mark.parametrize("bad", BAD)
    def test_failures(self, keys: KeyWorld, operation: Any, bad: str) -> None:
        """Of any request."""
        keys.rotated()
        keys.rotated()
        fault, codes = BAD[bad]
        keys.service.always(operation, fault)
        if (bad, operation) == ("lost", "revoke"):  # it is gone when it is tried again
            keys.rotated()
        else:
            fails(keys, codes)
        heals(keys)

    @pytest.mark.parametrize("operation", ["issue", "list", "check"])
    @pytest.mark.parametrize("bad", UNREADABLE)
    def test_unreadable(self, keys: KeyWorld, operation: Any, bad: str) -> None:
        """Of the requests whose answer is read."""
        fault, codes = UNREADABLE[bad]
        keys.service.always(operation, fault)
        fails(keys, codes)
        heals(keys)

    @pytest.mark.parametrize(
        ("operation", "shape"), [(operation, shape) for operation, shapes in SHAPES.items() for shape in shapes]
    )
    def test_wrong_shapes(
        self, keys: KeyWorld, operation: Any, shape: object, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """JSON, and not what the file's JMESPath wants: never a defect of ours, and a key in it is not shown."""
        keys.service.always(operation, Fault(reply=Reply(200, b"null" if shape is None else shape)))
        fails(keys, {"answer-unreadable"})
        assert "canary-shape" not in capsys.readouterr().out
        heals(keys)

    @pytest.mark.parametrize("operation", OPERATIONS)
    @pytest.mark.parametrize("status", [301, 302, 307])
    def test_redirects(self, keys: KeyWorld, operation: Any, status: int) -> None:
        """Not followed, wherever they lead."""
        keys.rotated()
        with trap() as (port, received):
            keys.service.always(operation, redirected(f"http://127.0.0.1:{port}/me", status))
            fails(keys, {"service-redirects"})
            assert received == []
        heals(keys)

    @pytest.mark.parametrize("operation", OPERATIONS)
    @pytest.mark.parametrize("fault", [ENDLESS, slow(after=60)], ids=["endless", "slow"])
    def test_no_end(self, keys: KeyWorld, operation: Any, fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
        """Given up in time; no thread is left that reads on, and the service sees the socket closed."""
        keys.rotated()
        keys.rotated()
        before = set(threading.enumerate())
        monkeypatch.setattr("rotators.api_key.web.REQUEST_SECONDS", 1.0)
        keys.service.always(operation, fault)
        if operation == "revoke":  # it is gone when it is tried again
            keys.rotated()
        else:
            fails(keys, {"target-silent"})
        waits_for(("run", "process_request_thread") if fault.endless else ("run",), before)
        heals(keys)

    def test_no_end_after_ten_seconds(self, keys: KeyWorld) -> None:
        """Well before Lambda's own end, so that the error is told."""
        keys.service.always("issue", ENDLESS)
        started = time.monotonic()
        fails(keys, {"target-silent"})
        assert 10 < time.monotonic() - started < SECONDS
        heals(keys)

    @pytest.mark.parametrize("first", [b"", b"HTTP/1.1 200 OK\r\nX: "], ids=["silence", "headers"])
    def test_headers_that_never_end(self, first: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
        """Before any answer has begun."""
        monkeypatch.setattr("rotators.api_key.web.REQUEST_SECONDS", 0.5)
        before = set(threading.enumerate())
        with dripping(first) as port:
            with pytest.raises(TargetUnavailable, match="target-silent"):
                send(REQUEST, Account("tried", "127.0.0.1", port, "app"), secure=False)
            waits_for(("run",), before)

    def test_an_answer_that_is_cut(self) -> None:
        """Fewer bytes than were announced: lost, not taken for another answer."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]

            def serve() -> None:
                client, _ = server.accept()
                with client:
                    client.recv(1000)
                    client.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"account": "app", "key')

            threading.Thread(target=serve, daemon=True).start()
            with pytest.raises(TargetUnavailable, match="answer-lost"):
                send(REQUEST, Account("tried", "127.0.0.1", port, "app"), secure=False)

    def test_what_was_given_up_is_not_done_later(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A connection that comes about after its time: nothing is sent on it."""
        connect = HTTPConnection.connect

        def late(opened: HTTPConnection) -> None:
            time.sleep(0.5)
            connect(opened)

        monkeypatch.setattr(HTTPConnection, "connect", late)
        monkeypatch.setattr("rotators.api_key.web.REQUEST_SECONDS", 0.2)
        before = set(threading.enumerate())
        with trap() as (port, received):
            with pytest.raises(TargetUnavailable, match="target-silent"):
                send(REQUEST, Account("tried", "127.0.0.1", port, "app"), secure=False)
            waits_for(("run",), before)
            assert set(received) <= {b""}


REQUEST = Made("POST", "/keys", {}, b"{}")


@contextmanager
def dripping(first: bytes) -> Iterator[int]:
    """The port of a service that says this, and then goes on byte by byte, or not at all."""
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):
                client, _ = server.accept()
                with client:
                    client.sendall(first)
                    while not done.wait(0.05):
                        client.sendall(b"x" if first else b"")

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        done.set()


class TestTls:
    """A key is sent to nobody who does not prove to be the service."""

    def refused(self, world: KeyWorld, monkeypatch: pytest.MonkeyPatch, ca_file: Path, port: int, code: str) -> None:
        """Trusting this root, at this port."""
        monkeypatch.setenv("TLS_CA_FILE", str(ca_file))
        world.deploy(server={"hosts": ["localhost", "127.0.0.1"], "ports": [port]})
        world.client.put_secret_value(SecretId=world.arn, SecretString=json.dumps({**world.value(), "port": port}))
        world.refused(code)

    def test_untrusted(self, keys: KeyWorld, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """A root that did not sign it."""
        (tmp_path / "other.crt").write_bytes(Authority().pem)
        self.refused(keys, monkeypatch, tmp_path / "other.crt", keys.service.port, "tls-untrusted")
        assert keys.asked() == []

    def test_the_public_roots_are_the_default(self, keys: KeyWorld, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without TLS_CA_FILE."""
        monkeypatch.delenv("TLS_CA_FILE")
        keys.refused("tls-untrusted")
        assert keys.asked() == []

    def test_wrong_name(self, keys: KeyWorld) -> None:
        """The certificate is localhost's."""
        keys.deploy(server={"hosts": ["localhost", "127.0.0.1"], "ports": [keys.service.port]})
        keys.put(host="127.0.0.1")
        keys.refused("tls-wrong-name")
        assert keys.asked() == []

    @pytest.mark.parametrize("fields", [{}, {"ssl": False}, {"ssl": "false"}, {"plaintext": True}])
    def test_a_service_in_clear(self, keys: KeyWorld, fields: dict[str, object]) -> None:
        """Nothing but the beginning of a TLS handshake is sent, whatever the secret says."""
        with KeyService() as clear:
            keys.deploy(server={"hosts": ["localhost"], "ports": [clear.port]})
            keys.put(port=clear.port, **fields)
            keys.refused("tls-failed")
            assert clear.requests == []
        with trap() as (port, received):
            keys.deploy(server={"hosts": ["localhost"], "ports": [port]})
            keys.put(port=port, **fields)
            keys.aws.tries = 1
            assert not keys.rotate().succeeded
            assert all(b"HTTP" not in data and keys.value()["key"].encode() not in data for data in received)

    def test_nothing_listens(self, keys: KeyWorld) -> None:
        """Told as it is."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        keys.deploy(server={"hosts": ["localhost"], "ports": [port]})
        keys.put(port=port)
        keys.refused("target-unreachable")


class Context:
    """Lambda's, as far as it is asked."""

    aws_request_id = "here"
    function_name = "here"

    def get_remaining_time_in_millis(self) -> int:
        """30 s."""
        return 30_000


def unfinished(world: KeyWorld) -> dict[str, str]:
    """The event of a testSecret of what is pending."""
    token = "f" * 32
    value = json.dumps(world.value())
    world.client.put_secret_value(
        SecretId=world.arn, SecretString=value, VersionStages=["AWSPENDING"], ClientRequestToken=token
    )
    return {"Step": "testSecret", "SecretId": world.arn, "ClientRequestToken": token}


class TestRedaction:
    """Neither a key, nor an admin's, in any line, metric or exception; nor in what is attached to one."""

    def secrets_of(self, world: KeyWorld) -> set[str]:
        """Every key there ever was."""
        return {key.key for key in world.service.keys("app")} | {world.service.admin_key}

    def shows_none(self, world: KeyWorld, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
        """What was said so far holds none of them."""
        out = capsys.readouterr()
        errors = [str(one.error) for one in world.aws.rotations]
        records = [str(vars(record)) for record in caplog.records]
        said = "\n".join([out.out, out.err, caplog.text, *records, *errors])
        assert "step" in said
        for secret in self.secrets_of(world):
            assert secret not in said

    @pytest.mark.parametrize("world", ["keys", "admins"])
    def test_rotations_and_failures(
        self,
        request: pytest.FixtureRequest,
        world: str,
        capsys: pytest.CaptureFixture[str],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """Though the service repeats what it was sent, and botocore and http.client log all they do."""
        at: KeyWorld = request.getfixturevalue(world)
        caplog.set_level(logging.DEBUG, "common")
        caplog.set_level(logging.DEBUG, "rotators")
        for _ in range(3):
            at.rotated()
        for operation in ("issue", "list", "revoke", "check"):
            for status in (400, 401, 403, 500):
                told = {"error": f"{at.value()['key']} {at.service.admin_key} refused"}
                at.service.always(operation, Fault(acts=False, reply=Reply(status, told)))
                at.aws.tries = 1
                at.rotate()
                at.take_pending_off()
                at.service.heal()
        self.shows_none(at, capsys, caplog)

    def test_an_unexpected_exception(
        self,
        admins: KeyWorld,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """By type and frames, whatever its text and notes are."""

        def fails(*args: object, **_: object) -> None:
            error = KeyError(f"{vars(args[0])} {args}")
            error.add_note(admins.service.admin_key)
            raise error

        monkeypatch.setattr("rotators.api_key.web.HTTPSConnection.request", fails)
        assert "KeyError at" in admins.refused("unexpected")
        with pytest.raises(UnexpectedError) as raised:
            admins.handler(unfinished(admins), Context())
        error = raised.value
        attached = f"{error!r} {vars(error)} {error.__cause__!r} {error.__context__!r}"
        assert not any(secret in attached for secret in self.secrets_of(admins))
        self.shows_none(admins, capsys, caplog)

    def test_a_note_names_no_key(self, keys: KeyWorld, capsys: pytest.CaptureFixture[str]) -> None:
        """A label of ours whose key nobody holds, an id that is the key itself: revoked, and not told."""
        keys.rotated()
        orphan = keys.service.issue("app", label_of(keys.arn, "0" * 32))
        keys.rotated()
        assert not keys.service.accepts("app", orphan.key)
        assert orphan.key not in capsys.readouterr().out
