"""Host names to addresses, in bounded time. The driver is handed an address, so that it looks up nothing itself."""

import socket
import time
from collections.abc import Callable
from typing import TypeVar

from common import clock
from common.bounded import bounded
from common.errors import TargetUnavailable
from common.secret import Account

LOOKUP_SECONDS = 4.0
T = TypeVar("T")
_ROUTE = (
    "Check the secret's host and port; that the function's subnets route to the server; that the server's security "
    "group admits the function's on this port; that the server is up."
)


def first_that_answers(host: str, account: Account, seconds: float, connect: Callable[[str, float], T]) -> T:
    """What `connect` makes of the first of the host's addresses that answers, given it and its part of the seconds.

    Only TargetUnavailable goes on to the next address: one login at most is tried
    """
    end = time.monotonic() + clock.at_most(seconds)
    addresses = resolve(host, account.port)
    unavailable: TargetUnavailable | None = None
    for left, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
        try:
            return connect(address, max(end - time.monotonic(), 0.001) / left)
        except TargetUnavailable as error:
            unavailable = error
    raise unavailable or silent(account)


def resolve(host: str, port: int) -> list[str]:
    """The addresses of `host`, in the system's order of preference; TargetUnavailable where there is none."""
    try:
        infos = bounded(lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM), clock.at_most(LOOKUP_SECONDS))
    except (OSError, UnicodeError):  # TimeoutError is an OSError
        raise TargetUnavailable(
            "target-name-unknown",
            f"The host name {host} cannot be resolved.",
            "Check the secret's 'host', and that the function's VPC has DNS resolution and sees the private zone.",
        ) from None
    return list(dict.fromkeys(str(info[4][0]) for info in infos))


def silent(account: Account) -> TargetUnavailable:
    """No answer in time."""
    return TargetUnavailable("target-silent", f"No answer from {account.host}:{account.port} in time.", _ROUTE)


def unreachable(account: Account) -> TargetUnavailable:
    """Refused, or no route."""
    return TargetUnavailable("target-unreachable", f"Nothing answers at {account.host}:{account.port}.", _ROUTE)


def closed(account: Account) -> TargetUnavailable:
    """The connection ended in mid-login."""
    return TargetUnavailable(
        "target-closed",
        f"{account.host}:{account.port} ended the connection before the login was done.",
        "See the server's log at this time; a proxy or a load balancer in between may have closed it.",
    )


def stalled(account: Account) -> TargetUnavailable:
    """Logged in, and then no answer to a statement in time; the server has given it up by then, by a limit of its own."""
    return TargetUnavailable(
        "target-silent",
        f"{account.host}:{account.port} does not answer a statement of {account.user!r} in time.",
        "It is tried again. If it stays: look for long locks (a backup, FLUSH TABLES WITH READ LOCK) and for the server's load.",
    )
