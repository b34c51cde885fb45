"""Host names to addresses, in bounded time. The driver is handed an address, so that it looks up nothing itself."""

import socket

from common import clock
from common.bounded import bounded
from common.errors import TargetUnavailable

LOOKUP_SECONDS = 4.0


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
