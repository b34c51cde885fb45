"""PostgreSQL's protocol 3, as far as a proxy needs it. Source: PostgreSQL's documentation, "Message Formats"."""

import socket
import struct
from collections.abc import Iterator

from testkit.wire import read_exactly

SSL_REQUEST, GSS_REQUEST, CANCEL_REQUEST = 80877103, 80877104, 80877102


def startup(packet: bytes) -> dict[str, str]:
    """The parameters of a StartupMessage."""
    words = packet[4:].rstrip(b"\0").split(b"\0")
    return dict(zip(map(bytes.decode, words[::2]), map(bytes.decode, words[1::2]), strict=False))


def started(parameters: dict[str, str]) -> bytes:
    """A StartupMessage."""
    body = b"".join(f"{name}\0{value}\0".encode() for name, value in parameters.items())
    return untyped(struct.pack("!i", 196608) + body + b"\0")


def untyped(body: bytes) -> bytes:
    """A message of the kinds that have no type."""
    return struct.pack("!i", len(body) + 4) + body


def message(kind: bytes, body: bytes) -> bytes:
    """A message."""
    return kind + untyped(body)


def text(value: str) -> bytes:
    """A string in a message."""
    return value.encode() + b"\0"


def error(sqlstate: str, sentence: str, severity: str = "ERROR") -> bytes:
    """An ErrorResponse."""
    return message(b"E", b"S" + text(severity) + b"C" + text(sqlstate) + b"M" + text(sentence) + b"\0")


def read_untyped(connection: socket.socket) -> bytes:
    """The body of a message without a type: the first of a connection."""
    return read_exactly(connection, struct.unpack("!i", read_exactly(connection, 4))[0] - 4)


def read(connection: socket.socket) -> tuple[bytes, bytes]:
    """A message's type and body."""
    kind = read_exactly(connection, 1)
    return kind, read_untyped(connection)


def answers(connection: socket.socket) -> Iterator[tuple[bytes, bytes]]:
    """The messages up to and with ReadyForQuery."""
    kind = b""
    while kind != b"Z":
        kind, body = read(connection)
        yield kind, body
