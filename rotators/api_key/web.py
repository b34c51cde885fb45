"""One request to a service: by verified TLS, bounded in time and size, no redirect followed, nothing of it logged.

By the standard library's client: urllib3's connections differ between the versions that Lambda's runtimes bring, and what it
adds to them (pools, retries, redirects) is what must not be here.
"""

import socket
import ssl
import time
from contextlib import closing, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPSConnection, IncompleteRead
from typing import Any

from common import clock, network, tls
from common.bounded import bounded
from common.secret import Account
from rotators.api_key.errors import transport_error
from rotators.api_key.placeholders import Made

CONNECT_SECONDS = 5.0
REQUEST_SECONDS = 10.0
LARGEST = 1_000_000  # bytes


@dataclass(frozen=True)
class Answer:
    """What came back, as it is; `body` is cut one byte after LARGEST."""

    status: int
    body: bytes = field(repr=False)


def send(request: Made, account: Account, *, secure: bool) -> Answer:
    """Send it to the account's host and port. TargetUnavailable or TargetError where no answer comes."""
    network.resolve(account.host, account.port)
    seconds = clock.at_most(REQUEST_SECONDS)
    connect = min(CONNECT_SECONDS, seconds)
    if secure:
        opened: _Plain | _Secure = _Secure(account.host, account.port, timeout=connect, context=_verifying(account))
    else:
        opened = _Plain(account.host, account.port, timeout=connect)
    exchange = _Exchange(opened, request, time.monotonic() + seconds)
    try:
        # In a thread with an end of its own: a socket's time-outs begin anew with each byte that drips in.
        return bounded(exchange.run, seconds)
    except (HTTPException, OSError, ValueError) as error:
        raise transport_error(error, account) from None
    finally:
        exchange.stop()


class _Together:
    """A connection that keeps what it is to send, so that head and body go out as one TLS record: all of it arrives, or nothing.

    Where the function dies in between, a service may act on the head alone: ntfy 2.27 issues a token without a label
    """

    parts: tuple[bytes, ...] = ()

    def send(self, data: Any) -> None:
        """Keep it."""
        self.parts += (bytes(data),)


class _Plain(_Together, HTTPConnection):
    pass


class _Secure(_Together, HTTPSConnection):
    pass


@dataclass
class _Exchange:
    """A request and its answer, of which nothing is left when it is stopped: no thread, no socket, no late request."""

    opened: _Plain | _Secure
    request: Made = field(repr=False)
    end: float  # of time.monotonic()
    sock: socket.socket | None = None  # http.client forgets it as soon as an answer says that it is the last one

    def run(self) -> Answer:
        with closing(self.opened):
            self.opened.connect()
            self.sock, left = self.opened.sock, self.end - time.monotonic()
            if left <= 0:  # nobody waits any more, and what is asked for might be done
                raise TimeoutError
            self.sock.settimeout(left)
            self.opened.request(self.request.method, self.request.target, self.request.body, dict(self.request.headers))
            self.sock.sendall(b"".join(self.opened.parts))
            with self.opened.getresponse() as answer:
                body = answer.read(LARGEST + 1)
                if answer.length and len(body) <= LARGEST:
                    raise IncompleteRead(b"")
                return Answer(answer.status, body)

    def stop(self) -> None:
        """End the thread's waiting for bytes, so that it closes what it has opened."""
        if self.sock:
            with suppress(OSError):
                self.sock.shutdown(socket.SHUT_RDWR)


def _verifying(account: Account) -> ssl.SSLContext:
    """The public roots that the runtime trusts, and those of TLS_CA_FILE, where that is set: a stack sets it for its databases."""
    context = ssl.create_default_context()
    try:
        if configured := tls.configured_ca_file():
            context.load_verify_locations(configured)
    except (ssl.SSLError, OSError):
        raise tls.ca_unreadable(account) from None
    return context
