"""One request to a service: by verified TLS, bounded in time and size, no redirect followed, nothing of it logged.

By the standard library's client: urllib3's connections differ between the versions that Lambda's runtimes bring, and what it
adds to them (pools, retries, redirects) is what must not be here.
"""

import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPSConnection

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
        opened: HTTPConnection = HTTPSConnection(
            account.host, account.port, timeout=connect, context=_verifying(account)
        )
    else:
        opened = HTTPConnection(account.host, account.port, timeout=connect)
    try:
        # In a thread with an end of its own: a socket's time-outs begin anew with each byte that drips in.
        return bounded(lambda: _exchange(opened, request, seconds), seconds)
    except (HTTPException, OSError, ValueError) as error:
        raise transport_error(error, account) from None
    finally:
        _end(opened)


def _exchange(opened: HTTPConnection, request: Made, seconds: float) -> Answer:
    opened.connect()
    opened.sock.settimeout(seconds)
    opened.request(request.method, request.target, request.body, dict(request.headers))
    answer = opened.getresponse()
    return Answer(answer.status, answer.read(LARGEST + 1))


def _end(opened: HTTPConnection) -> None:
    """Close it, also while the thread still waits for bytes."""
    if opened.sock:
        with suppress(OSError):
            opened.sock.shutdown(socket.SHUT_RDWR)
    opened.close()


def _verifying(account: Account) -> ssl.SSLContext:
    """The public roots that the runtime trusts; or TLS_CA_FILE alone, where that is set."""
    try:
        return ssl.create_default_context(cafile=tls.configured_ca_file())
    except (ssl.SSLError, OSError):
        raise tls.ca_unreadable(account) from None
