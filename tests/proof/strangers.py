"""A server that answers what chance draws: garbage, and near misses of what PostgreSQL, MySQL and MongoDB say.

Each connection gets the same answers, one after each thing that the client sends; then it is closed.
"""

import contextlib
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import bson
from hypothesis import strategies as st

from testkit.mongodb import wire
from testkit.wire import listening

_WAIT = 0.05  # seconds for a client that says nothing
SAID = "s41d"  # what no log of ours repeats
ECHO = f"no, not by {SAID}\0".encode()


@dataclass
class Stranger:
    """Its port, and what it says next. documents: as MongoDB would, else bytes. speaks_first: as MySQL does."""

    port: int
    answers: list[bytes]
    documents: list[dict[str, Any]]
    speaks_first: bool = False

    def talk(self, client: socket.socket) -> None:
        """Until there is nothing left to say."""
        client.settimeout(_WAIT)
        for document in self.documents:
            message = wire.read(client)
            if message is None:
                return
            client.sendall(message.answered(document).raw)
        for number, answer in enumerate(self.answers):
            if number or not self.speaks_first:
                client.recv(65_536)
            client.sendall(answer)


@contextlib.contextmanager
def stranger() -> Iterator[Stranger]:
    """It listens as long as the block lasts."""
    found = Stranger(0, [], [])

    def serve(client: socket.socket) -> None:
        with client, contextlib.suppress(OSError, ValueError, struct.error, AssertionError):
            found.talk(client)

    with listening(serve) as found.port:
        yield found


_SHORT = st.binary(max_size=40)


def _mysql(number: int, payload: bytes) -> bytes:
    return struct.pack("<I", len(payload))[:3] + bytes([number % 256]) + payload


def _postgres(kind: bytes, payload: bytes) -> bytes:
    return kind + struct.pack(">I", len(payload) + 4) + payload


def _cut(whole: bytes) -> st.SearchStrategy[bytes]:
    """Whole, cut short, or with other bytes in its middle."""
    at = st.integers(0, len(whole))
    return st.one_of(
        st.just(whole),
        at.map(lambda end: whole[:end]),
        st.builds(lambda one, more: whole[:one] + more + whole[one + len(more) :], at, _SHORT),
    )


_GREETING = (
    b"\x0a" + b"9.7.4\0" + b"\x01\0\0\0" + b"saltsalt" + b"\0" + b"\xff\xf7" + b"\x2d" + b"\x02\0" + b"\xff\xdf"
    + b"\x15" + b"\0" * 10 + b"saltsaltsalt\0" + b"caching_sha2_password\0"
)  # fmt: skip
_MYSQL = st.one_of(
    _cut(_GREETING),
    _cut(b"\0\0\0\x02\0\0\0"),  # OK
    _cut(b"\xff\x15\x04#28000" + ECHO),  # ERR
    _cut(b"\xfecaching_sha2_password\0saltsaltsaltsaltsalt\0"),  # another method
    _cut(b"\xfemysql_native_password\0saltsaltsaltsaltsalt\0"),
    _cut(b"\x01\x03"),
    _cut(b"\x01\x04"),
    _cut(b"\x01-----BEGIN PUBLIC KEY-----\n" + ECHO),
    _cut(b"\x01\x04def\0\0\0\x01a\0\x0c\x3f\0\x01\0\0\0\x08\x81\0\0\0\0"),  # a column
    _SHORT,
)
_POSTGRES = st.one_of(
    _cut(_postgres(b"R", struct.pack(">I", 10) + b"SCRAM-SHA-256\0\0")),
    _cut(_postgres(b"R", struct.pack(">I", 5) + b"salt")),
    _cut(_postgres(b"R", struct.pack(">I", 0)) + _postgres(b"Z", b"I")),
    _cut(_postgres(b"E", b"SFATAL\0C28P01\0M" + ECHO + b"\0")),
    _cut(_postgres(b"E", b"SERROR\0C42601\0M" + ECHO + b"\0")),
    st.sampled_from([b"S", b"N", b"E", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"220 ready\r\n"]),
)
BYTES = st.lists(st.one_of(st.builds(_mysql, st.integers(0, 5), _MYSQL), _POSTGRES, _SHORT), min_size=1, max_size=5)
# As PyMySQL counts its packets.
IN_ORDER = st.tuples(_cut(_GREETING), st.lists(_MYSQL, max_size=4)).map(
    lambda drawn: [_mysql(2 * number, one) for number, one in enumerate([drawn[0], *drawn[1]])]
)
_SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.just(SAID), _SHORT)
_ODD = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.sampled_from(["ok", "user", "db", "x"]), inner, max_size=2)
    ),
    max_leaves=4,
)
_HELLO = {"ok": 1.0, "isWritablePrimary": True, "maxWireVersion": 21, "minWireVersion": 0, "helloOk": True}
_FIELDS = (
    "ok", "maxWireVersion", "minWireVersion", "code", "errmsg", "authInfo", "payload", "conversationId", "done", "setName", "hosts",
    "me", "topologyVersion", "maxBsonObjectSize", "speculativeAuthenticate", "saslSupportedMechs", "msg", "users", "writeErrors",
)  # fmt: skip


def _encodes(document: dict[str, Any]) -> bool:
    try:
        return bool(bson.encode(document))
    except (bson.errors.InvalidDocument, OverflowError):
        return False


DOCUMENTS = st.lists(
    st.dictionaries(st.sampled_from(_FIELDS), _ODD, max_size=3).map(lambda odd: {**_HELLO, **odd}).filter(_encodes),
    min_size=1,
    max_size=5,
)
