"""Host names to addresses, in bounded time.

A driver's own look-up blocks for as long as the resolver likes (20 s and more where a VPC has no DNS), which would use
up the function's time and leave no error. So we look up here, and hand the driver an address.
"""

import queue
import socket
import threading

from common import clock
from common.errors import TargetUnavailable

LOOKUP_SECONDS = 4.0


def resolve(host: str, port: int) -> list[str]:
    """The addresses of `host`, in the system's order of preference; TargetUnavailable where there is none."""
    answers: queue.SimpleQueue[list[str] | OSError] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            answers.put(list(dict.fromkeys(str(info[4][0]) for info in infos)))
        except (OSError, UnicodeError) as error:
            answers.put(error if isinstance(error, OSError) else OSError(str(error)))

    # A daemon: a look-up that hangs is left behind, it must not keep the function from ending.
    threading.Thread(target=look_up, daemon=True).start()
    try:
        answer = answers.get(timeout=clock.at_most(LOOKUP_SECONDS))
    except queue.Empty:
        answer = OSError("no answer in time")
    if isinstance(answer, OSError):
        raise TargetUnavailable(
            "target-name-unknown",
            f"The host name {host} cannot be resolved.",
            "Check the secret's 'host', and that the function's VPC has DNS resolution and sees the private zone.",
        )
    return answer
