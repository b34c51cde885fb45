"""What every proxy of a server's protocol reads by."""

import socket


def read_exactly(connection: socket.socket, size: int) -> bytes:
    """So many bytes. Raises ConnectionError where the other side has gone."""
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            raise ConnectionError
        data += more
    return data
