"""The faulty proxy does what it says, to the message that it is told, and to no other."""

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import get_args

import pytest

from testkit import faults as does
from testkit.crash.proxy import http_requests
from testkit.faults import Fault, Faults, Where, faulty


class Upstream(ThreadingHTTPServer):
    """Answers each request by its number, and keeps what it got."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.got: list[str] = []


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        assert isinstance(self.server, Upstream)
        self.server.got.append(self.path)
        self.send_response(200)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"true")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """It runs."""
    with Upstream() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def faults() -> Faults:
    """None yet."""
    return Faults()


@pytest.fixture
def port(upstream: Upstream, faults: Faults) -> Iterator[int]:
    """The proxy's."""
    with faulty("the server", ("127.0.0.1", upstream.server_port), http_requests, faults) as found:
        yield found


def ask(port: int, path: str) -> tuple[int, object] | None:
    """A request on a connection of its own; None where it ends without an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("POST", path, "{}")
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    except (http.client.HTTPException, OSError):
        return None
    finally:
        connection.close()


OK = (200, True)
PLACES: tuple[Where, ...] = get_args(Where)


@pytest.mark.parametrize(
    ("what", "arrives"),
    [(does.CUT_BEFORE, False), (does.CUT_AFTER, True), (does.DIES_BEFORE, False), (does.DIES_AFTER, True)],
)
def test_a_connection_that_ends(port: int, faults: Faults, upstream: Upstream, what: str, *, arrives: bool) -> None:
    """Before the second message arrives, or when it is done; the others are answered."""
    faults.arm(Fault("the server", 2, what))
    assert [ask(port, f"/{number}") for number in (1, 2, 3)] == [OK, None, OK]
    assert upstream.got == (["/1", "/2", "/3"] if arrives else ["/1", "/3"])
    assert (faults.struck, faults.seen["the server"]) == (1, 3)


def test_a_throttle_of_two_requests(port: int, faults: Faults, upstream: Upstream) -> None:
    """As Secrets Manager answers it; nothing arrives."""
    faults.arm(Fault("the server", 1, does.THROTTLED, 2))
    answers = [ask(port, f"/{number}") for number in (1, 2, 3)]
    assert answers[0] == answers[1] == (400, {"__type": "ThrottlingException", "message": "Rate exceeded"})
    assert answers[2] == OK
    assert upstream.got == ["/3"]


def test_an_error_of_the_service(port: int, faults: Faults) -> None:
    """500."""
    faults.arm(Fault("the server", 1, does.ERROR_500))
    answer = ask(port, "/1")
    assert answer is not None
    assert answer[0] == 500


def test_a_slow_message(port: int, faults: Faults) -> None:
    """It comes late, and is answered."""
    faults.arm(Fault("the server", 1, does.SLOW))
    started = time.monotonic()
    assert ask(port, "/1") == OK
    assert time.monotonic() - started >= does.SLOW_SECONDS


def test_an_answer_that_never_comes(port: int, faults: Faults, upstream: Upstream) -> None:
    """What was asked for is done; the client waits in vain."""
    faults.arm(Fault("the server", 1, does.SILENT))
    started = time.monotonic()
    assert ask(port, "/1") is None
    assert time.monotonic() - started >= does.SILENT_SECONDS
    assert upstream.got == ["/1"]


@pytest.mark.parametrize("where", PLACES)
def test_connections_that_are_refused(upstream: Upstream, faults: Faults, where: Where) -> None:
    """The one whose message it was, and two after it to the same place; the other place answers all the while."""
    address = ("127.0.0.1", upstream.server_port)
    with (
        faulty("Secrets Manager", address, http_requests, faults) as secrets_manager,
        faulty("the server", address, http_requests, faults) as server,
    ):
        here, there = (server, secrets_manager) if where == "the server" else (secrets_manager, server)
        faults.arm(Fault(where, 1, does.REFUSED, 2))
        answers = [(ask(here, f"/here/{number}"), ask(there, f"/there/{number}")) for number in range(4)]
    assert answers == [(None, OK), (None, OK), (None, OK), (OK, OK)]
    assert [path for path in upstream.got if path.startswith("/here/")] == ["/here/3"]


def test_whatever_else_is_done_while_the_message_waits(port: int, faults: Faults, upstream: Upstream) -> None:
    """And then looked at."""
    seen: list[object] = []
    faults.other = lambda what: seen.append((what, list(upstream.got)))
    faults.look = lambda: seen.append("looked")
    faults.arm(Fault("the server", 1, "an operator acts"))
    assert ask(port, "/1") == OK
    assert seen == [("an operator acts", []), "looked"]


def test_a_fault_that_the_function_does_not_wait_for(port: int, faults: Faults) -> None:
    """What is done meanwhile is over when it has settled."""
    over: list[str] = []

    def slowly(what: str) -> None:
        time.sleep(0.3)
        over.append(what)

    faults.other = slowly
    faults.arm(Fault("the server", 1, "an operator acts"))
    threading.Thread(target=ask, args=(port, "/1")).start()
    while not faults.struck:
        time.sleep(0.01)
    faults.settle()
    assert over == ["an operator acts"]


def test_every_connection_ends(port: int, faults: Faults) -> None:
    """As when a server restarts."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("POST", "/1", "{}")
    connection.getresponse().read()
    faults.sever("the server")
    with pytest.raises((http.client.HTTPException, OSError)):
        _again(connection)
    connection.close()


def _again(connection: http.client.HTTPConnection) -> None:
    connection.request("POST", "/2", "{}")
    connection.getresponse()


def test_the_function_is_frozen_before_it_is_killed(port: int, faults: Faults) -> None:
    """In this order, so that it does not get further."""
    order: list[str] = []

    def freeze() -> Callable[[], None]:
        order.append("frozen")
        return lambda: order.append("killed")

    faults.freeze = freeze
    faults.arm(Fault("the server", 1, does.DIES_AFTER))
    assert ask(port, "/1") is None
    assert order == ["frozen", "killed"]


def test_nothing_armed(port: int, faults: Faults, upstream: Upstream) -> None:
    """It is a proxy."""
    faults.arm(Fault("Secrets Manager", 1, does.CUT_BEFORE))
    assert ask(port, "/1") == OK
    assert upstream.got == ["/1"]
    assert faults.struck == 0
