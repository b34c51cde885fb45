"""Servers in containers, where a Docker engine answers."""

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_network
from pathlib import Path

from testkit.wire import listening

HOST = "host.docker.internal"  # how a container calls the machine that it runs on
_LOOPBACK = "127.0.0.1"


def has_image(image: str) -> bool:
    """Whether a Docker engine answers that has the image, or pulls it."""
    for words in (("image", "inspect", image), ("pull", "-q", image)):
        with suppress(OSError, subprocess.SubprocessError):
            subprocess.run(["docker", *words], capture_output=True, timeout=300, check=True)  # noqa: S607
            return True
    return False


def in_container(image: str, words: tuple[str, ...], folder: Path) -> tuple[str, ...]:
    """These words as they are run in a container: on the host's network, as the account that owns the folder, in it.

    Not as its process 1, which would not heed the signal that ends it
    """
    owner = folder.stat()
    mine = ("--user", f"{owner.st_uid}:{owner.st_gid}", "-v", f"{folder}:{folder}", "-w", str(folder))
    run = ("docker", "run", "--rm", "--network=host", "--pid=host", *mine, "--entrypoint", words[0], image)
    return (*run, *words[1:])


def reachable_address() -> str | None:
    """The address of this machine that containers reach as HOST; None without Docker.

    That of Docker's bridge; where Docker runs in a machine of its own (Docker Desktop) loopback, which it forwards
    """
    asked = ["docker", "network", "inspect", "bridge", "-f", "{{(index .IPAM.Config 0).Subnet}}"]
    with suppress(OSError, subprocess.SubprocessError, ValueError):
        subnet = subprocess.run(asked, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
        gateway = str(next(ip_network(subnet).hosts()))
        with socket.create_server((gateway, 0)):
            return gateway
    return None if sys.platform == "linux" else _LOOPBACK


@contextmanager
def forwarded(address: str, port: int) -> Iterator[None]:
    """What listens on this port of the loopback interface can be reached at this address too, as long as the block lasts."""
    if address == _LOOPBACK:
        yield
        return
    with listening(lambda client: _forward(client, port), (address, port)):
        yield


def _forward(client: socket.socket, port: int) -> None:
    """One connection, until either side ends."""
    with suppress(OSError), client, socket.create_connection((_LOOPBACK, port)) as server:
        back = threading.Thread(target=_pump, args=(server, client), daemon=True)
        back.start()
        _pump(client, server)
        back.join()


def _pump(source: socket.socket, target: socket.socket) -> None:
    """All bytes of one direction; then the other side is told that no more come."""
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
