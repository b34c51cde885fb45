"""A small service that issues keys, for what real ones do on a bad day and cannot be asked to.

    POST   /keys      {"label": "…"}   201 {"id": "k1", "key": "…"}; each call issues another key, whatever its label
    GET    /keys                       200 [{"id": "k1", "label": "…", "created": 1700000000.0}, …], oldest first, no revoked ones
    DELETE /keys/ID                    204; one that is gone, or another account's, is answered as `rules.gone` says
    GET    /me                         200 {"account": "…", "key_id": "k1"}; no key_id for the admin's

`Authorization: Bearer KEY` is a live key of an account, or the admin's with `X-Account: NAME` (401 else; 404 for an account that
there is not; 403 for another's name with an account's key). At `rules.limit` POST answers 409.

    with KeyService(folder) as service:                 # TLS, its files in the folder; KeyService() speaks in clear
        key = service.create_account("app")             # and its first key, made by hand: without a label
        service.next("issue", LOST, too_many(2))        # for one request each, in this order; then all is well again
        service.always("list", slow(after=3))           # until service.heal()
        service.rules = replace(service.rules, gone=500)
"""

import json
import secrets
import socket
import ssl
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from testkit.certificates import Authority
from testkit.servers.containers import HOST

ADMIN = "admin"
Operation = Literal["issue", "list", "revoke", "check"]
_OPERATIONS: dict[tuple[str, str], Operation] = {
    ("POST", "/keys"): "issue",
    ("GET", "/keys"): "list",
    ("DELETE", "/keys/"): "revoke",
    ("GET", "/me"): "check",
}
_DRIP_SECONDS = 0.05


@dataclass(frozen=True)
class Reply:
    """An answer: its body is sent as it is, bytes, or as JSON."""

    status: int
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        """What goes over the wire."""
        if isinstance(self.body, bytes):
            return self.body
        return b"" if self.body is None else json.dumps(self.body).encode()


@dataclass(frozen=True)
class Fault:
    """What becomes of a request instead.

    before, after: seconds that it waits before it acts, and before it answers. acts: whether it does what it was asked for.
    reply: instead of the true answer. lost: the connection ends without one. endless: one that comes drop by drop and never ends
    """

    before: float = 0
    after: float = 0
    acts: bool = True
    reply: Reply | None = None
    lost: bool = False
    endless: bool = False


LOST = Fault(lost=True)
NEVER_ARRIVED = Fault(acts=False, lost=True)
ENDLESS = Fault(endless=True)
NO_JSON = Fault(reply=Reply(200, b"<html>Down for maintenance</html>", {"Content-Type": "text/html"}))


def slow(before: float = 0, after: float = 0) -> Fault:
    """The true answer, late; seconds."""
    return Fault(before=before, after=after)


def refused(status: int, body: object = None) -> Fault:
    """Nothing is done."""
    return Fault(acts=False, reply=Reply(status, {"error": "refused"} if body is None else body))


def too_many(seconds: float | str) -> Fault:
    """429, with Retry-After: seconds, or a date."""
    return Fault(acts=False, reply=Reply(429, {"error": "too many requests"}, {"Retry-After": str(seconds)}))


def redirected(to: str, status: int = 302) -> Fault:
    """To another URL; nothing is done here."""
    return Fault(acts=False, reply=Reply(status, headers={"Location": to}))


def huge(size: int = 10_000_000) -> Fault:
    """An answer of so many bytes, which is JSON."""
    return Fault(reply=Reply(200, {"filler": "x" * (size - 14)}))


@dataclass(frozen=True)
class Rules:
    """How the service is.

    limit: live keys for each account (None: any number). gone: the status of revoking a key that is gone. lag_seconds,
    lag_requests: how long, and for how many further lists, a list does not show what was issued and still shows what was revoked.
    unready_requests: how often a new key is refused at first
    """

    limit: int | None = None
    limit_status: int = 409
    gone: int = 404
    lag_seconds: float = 0
    lag_requests: int = 0
    unready_requests: int = 0


@dataclass(frozen=True)
class Key:
    """A key that was issued. created, revoked: Unix seconds; revoked is None while it lives."""

    id: str
    account: str
    label: str | None
    key: str = field(repr=False)
    created: float
    revoked: float | None = None


@dataclass(frozen=True)
class Request:
    """A request as it came, before anything was done. headers: with their names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: str = field(repr=False)

    @property
    def operation(self) -> Operation | None:
        """What it asks for."""
        path = "/keys/" if self.path.startswith("/keys/") else self.path
        return _OPERATIONS.get((self.method, path))

    @property
    def bearer(self) -> str:
        """The credential that it brought."""
        return self.headers.get("authorization", "").removeprefix("Bearer ")


@dataclass
class _Issued:
    """A key, and how many lists had been answered when it came and when it went."""

    key: Key
    listed_before: int
    listed_before_end: int = 0
    refusals_left: int = 0


class KeyService:
    """The service: up within its `with` block."""

    host = "localhost"

    def __init__(self, folder: Path | None = None, clock: Callable[[], float] = time.time) -> None:
        self.rules = Rules()
        self.admin_key = f"admin_{secrets.token_hex(16)}"
        self.ca_file: Path | None = None
        self.closing = threading.Event()
        self._clock = clock
        self._lock = threading.RLock()
        self._issued: list[_Issued] = []
        self._accounts: set[str] = set()
        self._lists = 0
        self._requests: list[Request] = []
        self._next: defaultdict[str, deque[Fault]] = defaultdict(deque)
        self._always: dict[str, Fault] = {}
        self._server = _Server(self)
        if folder:
            self.ca_file = folder / "root.crt"
            self._server.socket = _by_tls(self._server.socket, folder, self.ca_file)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._server.server_port

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http{'s' if self.ca_file else ''}://{self.host}:{self.port}"

    def create_account(self, name: str) -> str:
        """An account, and its first key, made by hand: without a label."""
        with self._lock:
            self._accounts.add(name)
            return self.issue(name, None).key

    def issue(self, account: str, label: str | None) -> Key:
        """A key, made by hand or by request; heeds no limit."""
        with self._lock:
            number = len(self._issued) + 1
            key = Key(f"k{number}", account, label, f"key_{secrets.token_hex(16)}", self._clock())
            self._issued.append(_Issued(key, self._lists, refusals_left=self.rules.unready_requests))
            return key

    def revoke(self, key_id: str) -> None:
        """Revoke a key, by hand or by request."""
        with self._lock:
            for issued in self._issued:
                if issued.key.id == key_id and issued.key.revoked is None:
                    issued.key = replace(issued.key, revoked=self._clock())
                    issued.listed_before_end = self._lists

    def keys(self, account: str) -> list[Key]:
        """Every key that the account ever had, oldest first."""
        with self._lock:
            return [issued.key for issued in self._issued if issued.key.account == account]

    def live(self, account: str) -> list[Key]:
        """The keys that work."""
        return [key for key in self.keys(account) if key.revoked is None]

    def accepts(self, account: str, key: str) -> bool:
        """Whether this key works for this account."""
        return any(live.key == key for live in self.live(account))

    def secret(self, key: str, **fields: object) -> dict[str, object]:
        """The value of a secret that holds this key."""
        return {"host": self.host, "port": self.port, "key": key, **fields}

    @property
    def requests(self) -> list[Request]:
        """Everything that came, in order, whatever became of it."""
        with self._lock:
            return list(self._requests)

    def next(self, operation: Operation, *faults: Fault) -> None:
        """What becomes of the next requests of this kind, one each."""
        with self._lock:
            self._next[operation].extend(faults)

    def always(self, operation: Operation, fault: Fault) -> None:
        """What becomes of every request of this kind, but for those that `next` names."""
        with self._lock:
            self._always[operation] = fault

    def heal(self) -> None:
        """No faults any more; the rules stay."""
        with self._lock:
            self._next.clear()
            self._always.clear()

    def note(self, request: Request) -> Fault:
        """Note a request that has come; what is to become of it."""
        with self._lock:
            self._requests.append(request)
            waiting = self._next[request.operation or ""]
            return waiting.popleft() if waiting else self._always.get(request.operation or "", Fault())

    def act(self, request: Request) -> Reply:
        """Do what a request asks for; the true answer."""
        with self._lock:
            if request.operation is None:
                return Reply(404, {"error": "no such path"})
            account = self._account(request)
            if isinstance(account, Reply):
                return account
            acts = {"issue": self._issue, "list": self._list, "revoke": self._revoke, "check": self._check}
            return acts[request.operation](account, request)

    def _account(self, request: Request) -> str | Reply:
        """For whom a request is, or why for nobody."""
        named = request.headers.get("x-account")
        if secrets.compare_digest(request.bearer.encode(), self.admin_key.encode()):
            if named is None and request.operation == "check":
                return ADMIN
            return named if named in self._accounts else Reply(404, {"error": "no such account"})
        for issued in self._issued:
            if issued.key.key == request.bearer and issued.key.revoked is None:
                if issued.refusals_left:
                    issued.refusals_left -= 1
                    break
                other = named not in (None, issued.key.account)
                return Reply(403, {"error": "not your account"}) if other else issued.key.account
        return Reply(401, {"error": "unauthorized"})

    def _issue(self, account: str, request: Request) -> Reply:
        try:
            label = json.loads(request.body or "{}").get("label")
        except (ValueError, AttributeError):
            return Reply(400, {"error": "not a JSON object"})
        if self.rules.limit is not None and len(self.live(account)) >= self.rules.limit:
            return Reply(self.rules.limit_status, {"error": "too many keys"})
        key = self.issue(account, label)
        return Reply(201, {"id": key.id, "key": key.key})

    def _list(self, account: str, _request: Request) -> Reply:
        shown = [issued.key for issued in self._issued if issued.key.account == account and self._shown(issued)]
        self._lists += 1
        return Reply(200, [{"id": key.id, "label": key.label, "created": key.created} for key in shown])

    def _shown(self, issued: _Issued) -> bool:
        """Whether a list shows a key by now: as of `lag` ago."""

        def known(at: float, listed_before: int) -> bool:
            return (
                self._clock() - at >= self.rules.lag_seconds and self._lists - listed_before >= self.rules.lag_requests
            )

        key = issued.key
        ended = key.revoked is not None and known(key.revoked, issued.listed_before_end)
        return known(key.created, issued.listed_before) and not ended

    def _revoke(self, account: str, request: Request) -> Reply:
        key_id = request.path.removeprefix("/keys/")
        if key_id not in {key.id for key in self.live(account)}:
            return Reply(self.rules.gone, None if self.rules.gone == 204 else {"error": "no such key"})
        self.revoke(key_id)
        return Reply(204)

    def _check(self, account: str, request: Request) -> Reply:
        ids = [key.id for key in self.live(account) if key.key == request.bearer]
        return Reply(200, {"account": account, **({"key_id": ids[0]} if ids else {})})


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 50

    def __init__(self, service: KeyService) -> None:
        self.service = service
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away, or does not trust us, is its own matter."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        headers = {name.lower(): value for name, value in self.headers.items()}
        # Of a client that has died in mid-request the body is cut short, and acted upon all the same: so does ntfy 2.27.
        request = Request(self.command, self.path, headers, self.rfile.read(length).decode(errors="replace"))
        service = self.server.service
        fault = service.note(request)
        service.closing.wait(fault.before)
        reply = service.act(request) if fault.acts else Reply(500)
        service.closing.wait(fault.after)
        if fault.lost:
            self._hang_up()
        elif fault.endless:
            self._drip()
        else:
            self._answer(fault.reply or reply)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815

    def _answer(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in {"Content-Type": "application/json", **reply.headers}.items():
            self.send_header(name, value)
        if reply.status != 204:
            self.send_header("Content-Length", str(len(reply.content)))
        self.end_headers()
        self.wfile.write(reply.content)

    def _drip(self) -> None:
        """One byte after the other, until the client or the service ends."""
        self.close_connection = True
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"filler": "')
        with suppress(OSError):
            while not self.server.service.closing.wait(_DRIP_SECONDS):
                self.wfile.write(b"x")

    def _hang_up(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing on the terminal: what came is in `requests`."""


def _by_tls(listener: socket.socket, folder: Path, ca_file: Path) -> ssl.SSLSocket:
    authority = Authority()
    ca_file.write_bytes(authority.pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue(folder, KeyService.host, HOST))
    # Each connection's own thread shakes hands: one that does not answer holds up nobody else.
    return context.wrap_socket(listener, server_side=True, do_handshake_on_connect=False)
