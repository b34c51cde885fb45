"""The key service does what it says, also the bad things."""

import socket
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.client import RemoteDisconnected

import pytest

from testkit.keyservice import (
    ENDLESS,
    LOST,
    NEVER_ARRIVED,
    NO_JSON,
    Fault,
    KeyService,
    huge,
    redirected,
    refused,
    slow,
    too_many,
)
from testkit.servers.web import Answer, Web


class Client:
    """Of one account."""

    def __init__(self, service: KeyService, key: str, **headers: str) -> None:
        self.web = Web(service.host, service.port, service.ca_file)
        self.headers = {"Authorization": f"Bearer {key}", **headers}

    def ask(self, method: str, path: str, body: object = None) -> Answer:
        return self.web.ask(method, path, body, **self.headers)

    def issue(self, label: str) -> Answer:
        return self.ask("POST", "/keys", {"label": label})

    def labels(self) -> list[str | None]:
        return [key["label"] for key in self.ask("GET", "/keys").body]


@pytest.fixture
def app(keyservice: KeyService) -> Client:
    """The account `app`, by its first key."""
    return Client(keyservice, keyservice.create_account("app"))


def test_issue_list_check_revoke(keyservice: KeyService, app: Client) -> None:
    """A key lives from its issue to its revocation, and the state says so."""
    issued = app.issue("one")
    assert issued.status == 201
    other = Client(keyservice, issued.body["key"])
    assert (other.ask("GET", "/me").status, other.ask("GET", "/me").body) == (200, {"account": "app", "key_id": "k2"})
    assert app.labels() == [None, "one"]
    assert app.ask("DELETE", f"/keys/{issued.body['id']}").status == 204
    assert other.ask("GET", "/me").status == 401
    assert app.labels() == [None]
    first, second = keyservice.keys("app")
    assert (first.revoked, second.label, second.id) == (None, "one", issued.body["id"])
    assert second.revoked is not None
    assert keyservice.live("app") == [first]
    assert not keyservice.accepts("app", issued.body["key"])


def test_the_same_label_twice_is_two_keys(keyservice: KeyService, app: Client) -> None:
    """It knows no idempotency."""
    assert app.issue("one").body["key"] != app.issue("one").body["key"]
    assert len(keyservice.live("app")) == 3


def test_the_admin_acts_for_an_account_that_he_names(keyservice: KeyService, app: Client) -> None:
    """By X-Account; without it he is himself only, and nobody else may use it."""
    admin = Client(keyservice, keyservice.admin_key, X_Account="app")
    assert admin.issue("one").status == 201
    assert admin.ask("GET", "/me").body["account"] == "app"
    assert app.labels() == [None, "one"]
    assert Client(keyservice, keyservice.admin_key).ask("GET", "/me").body == {"account": "admin"}
    assert Client(keyservice, keyservice.admin_key).issue("x").status == 404
    assert Client(keyservice, keyservice.admin_key, X_Account="nobody").issue("x").status == 404
    other = keyservice.create_account("other")
    assert Client(keyservice, other, X_Account="app").issue("x").status == 403


def test_another_accounts_key_is_as_good_as_gone(keyservice: KeyService, app: Client) -> None:
    """Whose it is, is not said."""
    keyservice.create_account("other")
    (theirs,) = keyservice.keys("other")
    assert app.ask("DELETE", f"/keys/{theirs.id}").status == 404
    assert keyservice.live("other") == [theirs]


@pytest.mark.parametrize("key", ["nope", ""])
def test_no_key_no_answer(keyservice: KeyService, app: Client, key: str) -> None:
    """401, and every request is seen with its headers, so that a test finds where a credential went."""
    assert app.ask("GET", "/me").status == 200
    assert Client(keyservice, key).ask("GET", "/keys").status == 401
    first, second = keyservice.requests
    assert (first.method, first.path, first.operation) == ("GET", "/me", "check")
    assert (second.operation, second.bearer) == ("list", key)
    assert first.bearer not in repr(first)


def test_nothing_else_is_there(app: Client) -> None:
    """404, 400: of paths and bodies that make no sense."""
    assert app.ask("GET", "/other").status == 404
    assert app.ask("POST", "/keys", ["no object"]).status == 400


def test_a_limit_on_keys(keyservice: KeyService, app: Client) -> None:
    """At the limit nothing is issued, until a key is revoked."""
    keyservice.rules = replace(keyservice.rules, limit=2)
    assert [app.issue("one").status, app.issue("two").status] == [201, 409]
    keyservice.revoke(keyservice.live("app")[1].id)
    assert app.issue("two").status == 201


@pytest.mark.parametrize("status", [204, 404, 410, 500])
def test_revoking_a_key_that_is_gone(keyservice: KeyService, app: Client, status: int) -> None:
    """As services differ."""
    keyservice.rules = replace(keyservice.rules, gone=status)
    key = keyservice.issue("app", "one")
    assert [app.ask("DELETE", f"/keys/{key.id}").status for _ in range(2)] == [204, status]


def test_a_list_that_lags_by_requests(keyservice: KeyService, app: Client) -> None:
    """So many lists show neither what was issued nor what was revoked; the keys themselves do not wait."""
    keyservice.rules = replace(keyservice.rules, lag_requests=2)
    app.issue("one")
    assert [app.labels(), app.labels(), app.labels()] == [[], [], [None, "one"]]
    keyservice.revoke(keyservice.live("app")[1].id)
    assert [app.labels(), app.labels(), app.labels()] == [[None, "one"], [None, "one"], [None]]


def test_a_list_that_lags_by_seconds() -> None:
    """By the clock, which a test may turn."""
    now = [1000.0]
    with KeyService(clock=lambda: now[0]) as service:
        app = Client(service, service.create_account("app"))
        service.rules = replace(service.rules, lag_seconds=5)
        assert app.labels() == []
        now[0] += 5
        assert app.labels() == [None]
        assert app.ask("GET", "/keys").body[0]["created"] == 1000.0


def test_a_key_that_is_not_ready(keyservice: KeyService, app: Client) -> None:
    """It is refused so often first."""
    keyservice.rules = replace(keyservice.rules, unready_requests=2)
    new = Client(keyservice, app.issue("one").body["key"])
    assert [new.ask("GET", "/me").status for _ in range(3)] == [401, 401, 200]


@pytest.mark.parametrize(
    ("fault", "keys"), [(LOST, 2), (NEVER_ARRIVED, 1)], ids=["the answer is lost", "the request is lost"]
)
def test_a_connection_that_ends_without_an_answer(keyservice: KeyService, app: Client, fault: Fault, keys: int) -> None:
    """The client cannot tell whether anything was done."""
    keyservice.next("issue", fault)
    with pytest.raises((RemoteDisconnected, ConnectionResetError, ssl.SSLError)):
        app.issue("one")
    assert len(keyservice.live("app")) == keys
    assert app.issue("two").status == 201


def test_faults_come_in_order_and_then_all_is_well(keyservice: KeyService, app: Client) -> None:
    """`next` counts for its own kind of request only, and goes before `always`."""
    keyservice.next("issue", too_many(2), refused(403))
    keyservice.always("issue", refused(503))
    assert app.ask("GET", "/me").status == 200
    first = app.issue("one")
    assert (first.status, first.headers["Retry-After"]) == (429, "2")
    assert [app.issue("one").status for _ in range(3)] == [403, 503, 503]
    keyservice.heal()
    assert len(keyservice.live("app")) == 1
    assert app.issue("one").status == 201


def test_late_answers(keyservice: KeyService, app: Client) -> None:
    """Before it acts, or after: a client that gives up has its request done all the same."""
    keyservice.next("issue", slow(before=0.2), slow(after=0.2))
    for wanted in (1, 2):
        with ThreadPoolExecutor() as pool:
            answer = pool.submit(app.issue, "one")
            while len(keyservice.requests) < wanted:
                time.sleep(0.01)
            time.sleep(0.05)
            assert not answer.done()
            assert len(keyservice.live("app")) == (1 if wanted == 1 else 3)
            assert answer.result().status == 201


def test_answers_that_are_none(keyservice: KeyService, app: Client) -> None:
    """No JSON, far too much, another address; each may have been acted on."""
    keyservice.next("check", NO_JSON, huge(100_000), redirected("https://localhost:1/me", 307))
    assert app.ask("GET", "/me").body is None
    assert len(app.ask("GET", "/me").text) == 100_000
    third = app.ask("GET", "/me")
    assert (third.status, third.headers["Location"]) == (307, "https://localhost:1/me")


def test_an_answer_that_never_ends(keyservice: KeyService, app: Client) -> None:
    """Each byte comes in time, the end does not, until the service itself ends."""
    keyservice.next("check", ENDLESS)
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(app.ask, "GET", "/me")
        time.sleep(0.3)
        assert not answer.done()
        keyservice.closing.set()
        assert answer.result(5).status == 200


def test_requests_at_once(keyservice: KeyService, app: Client) -> None:
    """Each gets a key of its own."""
    with ThreadPoolExecutor(8) as pool:
        issued = [answer.body["id"] for answer in pool.map(app.issue, map(str, range(40)))]
    assert sorted(issued, key=lambda name: int(name[1:])) == [key.id for key in keyservice.keys("app")[1:]]


def test_tls_is_by_its_own_root_for_localhost(keyservice: KeyService) -> None:
    """So a client that does not verify is found out."""
    strange = ssl.create_default_context()
    with (
        socket.create_connection(("127.0.0.1", keyservice.port)) as opened,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        strange.wrap_socket(opened, server_hostname="localhost")
    trusting = ssl.create_default_context(cafile=keyservice.ca_file)
    with (
        socket.create_connection(("127.0.0.1", keyservice.port)) as opened,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        trusting.wrap_socket(opened, server_hostname="other.test")


@pytest.fixture
def plain() -> Iterator[KeyService]:
    """Without TLS."""
    with KeyService() as service:
        yield service


def test_in_clear(plain: KeyService) -> None:
    """Where a test wants that."""
    key = plain.create_account("app")
    assert plain.url.startswith("http://")
    assert Client(plain, key).ask("GET", "/me").body["account"] == "app"
    assert plain.secret(key, name="x") == {"host": "localhost", "port": plain.port, "key": key, "name": "x"}
