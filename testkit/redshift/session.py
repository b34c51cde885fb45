"""One client's connection: what it sends, checked and translated, to a PostgreSQL connection of its own, and the answers back."""

import functools
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass

from testkit.redshift import wire
from testkit.redshift.errors import Refused
from testkit.redshift.names import Names, call
from testkit.redshift.settings import CASE_SENSITIVE
from testkit.redshift.steps import Step
from testkit.redshift.tokens import statements, tokenize
from testkit.redshift.translate import translate

# What a server of PostgreSQL 8.0's time reports. There is no standard_conforming_strings ("unrecognized configuration parameter"
# to those who ask a cluster), so libpq doubles backslashes; and the encoding is UNICODE, as drivers have found.
REPORTED = {
    "server_version": "8.0.2",
    "server_encoding": "UNICODE",
    "client_encoding": "UNICODE",
    "DateStyle": None,
    "TimeZone": None,
    "is_superuser": None,
    "session_authorization": None,
    "integer_datetimes": None,
}
_NAMED = re.compile(rb'\brole "(?:(group|role):)?([^"]*)"')
_ASK_CASE = f"SELECT coalesce(current_setting('redshift.{CASE_SENSITIVE}', true), '')"


@dataclass
class Session:
    """A client that is logged in. received: is told of each statement. case_sensitive: the cluster's default."""

    client: socket.socket
    backend: socket.socket
    received: Callable[[str], None]
    case_sensitive: bool
    status: bytes = b"I"
    refusing: bool = False

    def serve(self) -> None:
        """Answer until the client goes."""
        while True:
            kind, body = wire.read(self.client)
            if kind == b"X":
                return
            if kind == b"Q":
                self._query(body.rstrip(b"\0").decode())
            elif kind == b"S":
                self.refusing = False
                self.client.sendall(wire.message(b"Z", self.status))
            elif not self.refusing:
                self.refusing = True
                self.client.sendall(wire.error("0A000", "the stand-in for Redshift takes simple queries only"))

    def _query(self, sql: str) -> None:
        self.received(sql)
        try:
            steps = _translated(sql, Names(self._reads_case() if '"' in sql else False))
        except Refused as refused:
            # The server itself says so: a transaction that is open has failed then.
            steps = (Step(f"SELECT {call('refuse', refused.sqlstate, refused.text)}", "refused"),)
        self.backend.sendall(wire.message(b"Q", wire.text(";\n".join(step.sql for step in steps))))
        self._answer(steps)

    def _reads_case(self) -> bool:
        """Whether this session's quoted names keep their case; in a failed transaction it does not matter."""
        self.backend.sendall(wire.message(b"Q", wire.text(_ASK_CASE)))
        found = [body[6:] for kind, body in wire.answers(self.backend) if kind == b"D"]
        return found == [b"true"] or (found == [b""] and self.case_sensitive)

    def _answer(self, steps: tuple[Step, ...]) -> None:
        """Send the server's answers on, each step's as it says."""
        waiting = iter(steps)
        step = next(waiting, Step("", ""))
        for kind, body in wire.answers(self.backend):
            if kind == b"Z":
                self.status = body
            shown, wanted = body, kind in b"ZENAI"
            if kind == b"C":
                wanted, shown = step.answer is not None, wire.text(step.answer) if step.answer else body
                step = next(waiting, Step("", ""))
            elif kind in b"TD":
                wanted = step.answer == ""
            elif kind == b"S":
                shown, wanted = reported(body)
            elif kind in b"EN":
                shown = _told(body, refused=step.answer == "refused")
            if wanted:
                self.client.sendall(wire.message(kind, shown))


@functools.lru_cache(maxsize=1000)
def _translated(sql: str, names: Names) -> tuple[Step, ...]:
    """The steps of a query: a rotation asks the same again and again, and reading it takes as long as answering it."""
    return tuple(step for one in statements(tokenize(sql)) for step in translate(one, names))


def _as_redshift(found: re.Match[bytes]) -> bytes:
    return (found[1] or b"user") + b' "' + found[2] + b'"'


def _told(body: bytes, *, refused: bool) -> bytes:
    """An error without what the server behind adds. A syntax error has a position, by which libpq quotes the statement."""
    told = [one for one in body.rstrip(b"\0").split(b"\0") if one[:1] in b"SCMDH"]
    fields = [one[:1] + _NAMED.sub(_as_redshift, one[1:]) for one in told]
    if refused and b"C42601" in fields:
        fields.append(b"P1")
    return b"\0".join(fields) + b"\0\0"


def reported(body: bytes) -> tuple[bytes, bool]:
    """A ParameterStatus as Redshift sends it, and whether it does."""
    name = body.split(b"\0")[0].decode()
    return (wire.text(name) + wire.text(REPORTED[name] or ""), True) if REPORTED.get(name) else (body, name in REPORTED)
