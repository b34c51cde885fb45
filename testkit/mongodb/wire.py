"""MongoDB's messages: OP_MSG, and the OP_QUERY and OP_REPLY that a client's first question still comes and is answered in."""

import socket
import struct
from dataclasses import dataclass
from typing import Any

import bson

from testkit.wire import read_exactly

Document = dict[str, Any]
_REPLY, _QUERY, _MSG = 1, 2004, 2013
_HEADER = struct.Struct("<iiii")  # length, its id, whose answer it is, what kind it is


@dataclass(frozen=True)
class Message:
    """A message with its one document. before: all of its bytes that come before that."""

    before: bytes
    document: Document

    @property
    def raw(self) -> bytes:
        """As it is sent."""
        body = self.before[4:] + bson.encode(self.document)
        return struct.pack("<i", len(body) + 4) + body

    def with_document(self, document: Document) -> "Message":
        """The same message with another document."""
        return Message(self.before, document)

    def answered(self, document: Document) -> "Message":
        """An answer to it, an OP_MSG."""
        asked = _HEADER.unpack_from(self.before)[1]
        return Message(_HEADER.pack(0, 0, asked, _MSG) + struct.pack("<iB", 0, 0), document)


def read(source: socket.socket) -> Message | None:
    """The next message; None at the connection's end. ValueError for one that is not of these kinds."""
    try:
        header = read_exactly(source, _HEADER.size)
        length, _, _, kind = _HEADER.unpack(header)
        body = read_exactly(source, length - _HEADER.size)
    except ConnectionError:
        return None
    if kind == _MSG:
        start = 5
    elif kind == _QUERY:
        start = body.index(b"\0", 4) + 9
    elif kind == _REPLY:
        start = 20
    else:
        raise ValueError(kind)
    size = struct.unpack_from("<i", body, start)[0]
    return Message(header + body[:start], bson.decode(body[start : start + size]))
