"""What every proxy reads by, and how it listens."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


def read_exactly(connection: socket.socket, size: int) -> bytes:
    """So many bytes. Raises ConnectionError where the other side has gone."""
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            raise ConnectionError
        data += more
    return data


@contextmanager
def listening(connected: Callable[[socket.socket], None], address: tuple[str, int] = ("127.0.0.1", 0)) -> Iterator[int]:
    """A port of this machine; each connection to it is handed over, in a thread of its own."""
    with socket.create_server(address) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    threading.Thread(target=connected, args=(client,), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
