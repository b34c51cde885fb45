"""Proxies that do to the n-th message of a step what networks, services and servers do on a bad day; TLS stays on.

A message is what it is in testkit/crash/proxy.py: an HTTP request to Secrets Manager, a TLS record to the server. Messages
are counted by where they go, from the moment on that a fault is armed.
"""

import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal

from testkit.crash.proxy import Framing
from testkit.wire import listening

Where = Literal["Secrets Manager", "the server"]
SLOW_SECONDS = 0.7  # more than hurried functions wait before they guard again
SILENT_SECONDS = 2.5
ACTS_SECONDS = 0.15  # how long the other side is given to act on a message whose answer is kept back
CUT_BEFORE, CUT_AFTER = "is cut off before it arrives", "is done, and its answer cut off"
SLOW, SILENT, REFUSED = "is slow", "is done, and never answered", "and the next connections are refused"
DIES_BEFORE, DIES_AFTER = "kills the function before it arrives", "kills the function when it is done"
THROTTLED, ERROR_500 = "is throttled", "is answered by 500"
TRANSPORT = (CUT_BEFORE, CUT_AFTER, SLOW, REFUSED, DIES_BEFORE, DIES_AFTER)
ENDS = (CUT_BEFORE, CUT_AFTER, REFUSED, DIES_BEFORE, DIES_AFTER, SILENT)  # the connection
_ANSWERS = {
    THROTTLED: ("400 Bad Request", {"__type": "ThrottlingException", "message": "Rate exceeded"}),
    ERROR_500: ("500 Internal Server Error", {"__type": "InternalServiceError", "message": "An error occurred"}),
}


@dataclass(frozen=True)
class Fault:
    """What becomes of a message, from 1, and of as many after it. what: one of the above, or whatever `Faults.other` knows."""

    where: Where
    message: int
    what: str
    times: int = 1


@dataclass
class Faults:
    """What goes wrong next, if anything.

    freeze: stops the function, and answers what kills it (ProcessFunction.freeze). other: does what no proxy can, while the
    message waits. look: called when a fault has struck. struck: how many did. seen: messages since the last `arm`
    """

    freeze: Callable[[], Callable[[], None]] = lambda: lambda: None
    other: Callable[[str], None] = lambda _: None
    look: Callable[[], None] = lambda: None
    struck: int = 0
    seen: Counter[Where] = field(default_factory=Counter)
    _fault: Fault | None = None
    _left: int = 0
    _refusing: Counter[Where] = field(default_factory=Counter)
    _lines: "set[_Line]" = field(default_factory=set)
    _dealing: int = 0
    _lock: threading.Condition = field(default_factory=threading.Condition)

    def arm(self, fault: Fault | None) -> None:
        """Count anew; this one comes, or none."""
        with self._lock:
            self._fault, self._left = fault, fault.times if fault else 0
            self._refusing.clear()
            self.seen.clear()

    def settle(self) -> None:
        """Return when no fault is being done any more: a function may have ended by the message that it struck."""
        with self._lock:
            self._lock.wait_for(lambda: not self._dealing)

    @contextmanager
    def dealing(self) -> Iterator[None]:
        """Inside, a fault that was counted is done."""
        try:
            yield
        finally:
            with self._lock:
                self._dealing -= 1
                self._lock.notify_all()

    def sever(self, where: Where) -> None:
        """End every connection there, but not the one whose message waits."""
        with self._lock:
            lines = [line for line in self._lines if line.where == where and not line.waits]
        for line in lines:
            line.end()

    def count(self, where: Where) -> Fault | None:
        """Note a message; what becomes of it."""
        with self._lock:
            self.seen[where] += 1
            fault = self._fault
            if fault is None or fault.where != where or self.seen[where] < fault.message or not self._left:
                return None
            self._left -= 1
            self.struck += 1
            self._dealing += 1
            if fault.what == REFUSED:
                self._refusing[where], self._left = fault.times, 0
            return fault

    def refuses(self, where: Where) -> bool:
        """Whether this new connection is one of those that are refused there."""
        with self._lock:
            self._refusing[where] -= 1
            return self._refusing[where] >= 0

    @contextmanager
    def kept(self, line: "_Line") -> Iterator[None]:
        """Know the line as long as it lives."""
        with self._lock:
            self._lines.add(line)
        try:
            yield
        finally:
            with self._lock:
                self._lines.discard(line)
            line.end()


@dataclass(eq=False)
class _Line:
    """One connection. silent: answers are kept back. waits: a fault is dealing with a message of it."""

    where: Where
    client: socket.socket
    server: socket.socket
    silent: bool = False
    waits: bool = False
    answered: threading.Event = field(default_factory=threading.Event)

    def end(self) -> None:
        """Both sides see the end."""
        for one in (self.client, self.server):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def back(self) -> None:
        """Answers, until the server ends."""
        with suppress(OSError):
            while data := self.server.recv(65536):
                self.answered.set()
                if not self.silent:
                    self.client.sendall(data)
            self.client.shutdown(socket.SHUT_WR)

    def unanswered(self, raw: bytes) -> None:
        """The other side gets the message and acts on it; its answer is kept from the function."""
        self.silent = True
        self.answered.clear()
        self.server.sendall(raw)
        self.answered.wait(ACTS_SECONDS)


def faulty(where: Where, upstream: tuple[str, int], framing: Framing, faults: Faults) -> AbstractContextManager[int]:
    """A port of this machine in front of `upstream`."""
    return listening(lambda client: _connection(where, client, upstream, framing, faults))


def _connection(
    where: Where, client: socket.socket, upstream: tuple[str, int], framing: Framing, faults: Faults
) -> None:
    with client, suppress(OSError):
        if faults.refuses(where):
            return
        with socket.create_connection(upstream) as server:
            line = _Line(where, client, server)
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with faults.kept(line):
                threading.Thread(target=line.back, daemon=True).start()
                _forward(line, framing, faults)


def _forward(line: _Line, framing: Framing, faults: Faults) -> None:
    """Message by message, until either side ends or a fault ends the line."""
    buffer = b""
    while data := line.client.recv(65536):
        buffer += data
        while message := framing(buffer):
            raw = message[0]
            buffer = buffer[len(raw) :]
            fault = faults.count(line.where)
            if fault is None:
                line.server.sendall(raw)
                continue
            line.waits = True
            goes_on = _struck(line, raw, fault.what, faults)
            line.waits = False
            if not goes_on:
                return


def _struck(line: _Line, raw: bytes, what: str, faults: Faults) -> bool:
    """Do it, and look while the function waits; whether the connection lives on."""
    with faults.dealing():
        _do(line, raw, what, faults)
        faults.look()
    if what in (SLOW, SILENT):
        time.sleep(SLOW_SECONDS if what == SLOW else SILENT_SECONDS)
    if what in _ANSWERS:
        line.client.sendall(_answer(*_ANSWERS[what]))
    elif what not in ENDS:
        line.server.sendall(raw)
    return what not in ENDS


def _do(line: _Line, raw: bytes, what: str, faults: Faults) -> None:
    """What comes before the message goes on, if it does."""
    if what in (DIES_BEFORE, DIES_AFTER):
        kill = faults.freeze()  # at once: it must not get further than this message
        if what == DIES_AFTER:
            line.unanswered(raw)
        kill()
    elif what in (CUT_AFTER, SILENT):
        line.unanswered(raw)
    elif what not in (*_ANSWERS, CUT_BEFORE, REFUSED, SLOW):
        faults.other(what)


def _answer(status: str, body: dict[str, str]) -> bytes:
    """As Secrets Manager's JSON protocol has errors."""
    content = json.dumps(body).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/x-amz-json-1.1\r\nContent-Length: {len(content)}\r\n\r\n"
    return head.encode() + content
