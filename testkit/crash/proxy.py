"""Proxies that count what the function sends, and kill it before or after the n-th message, or lose the answer to that.

A message is an HTTP request (to Secrets Manager) or a TLS record (to a server; TLS stays on, what is in it is the
function's own business). Both proxies count by one counter, in the order in which the messages arrive.
"""

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

from testkit.wire import listening

ANSWER_SECONDS = (
    0.1  # how long a message may go unanswered before the function dies "after" it, or loses the connection
)
Moment: TypeAlias = Literal["before", "after", "answer lost"]
MOMENTS: tuple[Moment, ...] = get_args(Moment)


@dataclass
class Killer:
    """What happens at the `at`-th message; 0 means nothing, ever.

    moment: the function dies before the other side gets the message, or after that has acted on it; or it lives, and the
    connection ends instead of an answer. freeze: stops the function where it is, and answers what kills it (nothing, where the message was its last and it has
    ended by itself already). fired: the message has come. seen: what was counted, as "where: what"
    """

    freeze: Callable[[], Callable[[], None]] = lambda: lambda: None
    at: int = 0
    moment: Moment = "before"
    seen: list[str] = field(default_factory=list)
    fired: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def arm(self, at: int, moment: Moment = "before") -> None:
        """Count from the start, and strike once."""
        self.at, self.moment, self.fired = at, moment, False
        self.seen.clear()

    def disarm(self) -> None:
        """Strike no more, whether it came to that or not."""
        self.at = 0

    def count(self, what: str) -> bool:
        """Note a message; whether it is the one."""
        with self.lock:
            self.seen.append(what)
            due = not self.fired and len(self.seen) == self.at
            self.fired = self.fired or due
            return due


def http_requests(data: bytes) -> tuple[bytes, str] | None:
    """The first whole request in the data, and what it asks for; None where it is not whole yet."""
    head, found, body = data.partition(b"\r\n\r\n")
    if not found:
        return None
    length = re.search(rb"(?i)content-length: *(\d+)", head)
    size = int(length[1]) if length else 0
    target = re.search(rb"(?i)x-amz-target: *secretsmanager\.(\w+)", head)
    return (head + found + body[:size], target[1].decode() if target else "request") if len(body) >= size else None


def tls_records(data: bytes) -> tuple[bytes, str] | None:
    """The first whole TLS record in the data, or the request for TLS that comes before (PostgreSQL's, MySQL's)."""
    if len(data) < 5:
        return None
    kind = {0x14: "ChangeCipherSpec", 0x15: "Alert", 0x16: "Handshake", 0x17: "Data"}.get(data[0], "before TLS")
    if kind != "before TLS":
        size = 5 + int.from_bytes(data[3:5], "big")
    elif data[0] == 0:
        size = int.from_bytes(data[:4], "big")  # PostgreSQL: the length comes first, and counts itself
    else:
        size = 4 + int.from_bytes(data[:3], "little")  # MySQL: the length of what follows, then a number
    return (data[:size], kind) if len(data) >= size else None


Framing = Callable[[bytes], tuple[bytes, str] | None]


def proxy(name: str, upstream: tuple[str, int], framing: Framing, killer: Killer) -> AbstractContextManager[int]:
    """A port of this machine in front of `upstream`."""
    return listening(lambda client: _connection(name, client, upstream, framing, killer))


def _connection(name: str, client: socket.socket, upstream: tuple[str, int], framing: Framing, killer: Killer) -> None:
    """One connection of the function's: messages forwards, answers back, until either side ends."""
    held, answered = threading.Event(), threading.Event()
    with client, suppress(OSError), socket.create_connection(upstream) as server, _shut(client, server):
        for one in (client, server):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else each record waits 40 ms for the one before

        def back() -> None:
            with suppress(OSError):
                while data := server.recv(65536):
                    answered.set()
                    if not held.is_set():
                        client.sendall(data)
                client.shutdown(socket.SHUT_WR)

        threading.Thread(target=back, daemon=True).start()
        buffer = b""
        while data := client.recv(65536):
            buffer += data
            while message := framing(buffer):
                raw, what = message
                buffer = buffer[len(raw) :]
                if killer.count(f"{name}: {what}"):
                    if killer.moment == "answer lost":
                        _let_act(raw, server, held, answered)
                        return
                    # Frozen at once: it must not get further than this message before it dies.
                    kill = killer.freeze()
                    if killer.moment == "after":
                        _let_act(raw, server, held, answered)
                    kill()
                    return
                server.sendall(raw)


@contextmanager
def _shut(*sockets: socket.socket) -> Iterator[None]:
    """At the end both sides see the connection's end, though another thread waits on it: as when a process dies."""
    try:
        yield
    finally:
        for one in sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


def _let_act(raw: bytes, server: socket.socket, held: threading.Event, answered: threading.Event) -> None:
    """The other side gets the message and acts on it; its answer is kept from the function."""
    held.set()
    answered.clear()
    server.sendall(raw)
    answered.wait(ANSWER_SECONDS)
