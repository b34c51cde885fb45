"""The proxy: takes connections as a Redshift cluster does, logs them in at the PostgreSQL server, and serves their sessions."""

import socket
import ssl
import struct
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from testkit.redshift import wire
from testkit.redshift.session import Session, reported
from testkit.wire import listening


@dataclass(frozen=True)
class Settings:
    """The cluster's parameter group. case_sensitive: enable_case_sensitive_identifier. require_ssl: of the same name."""

    case_sensitive: bool = False
    require_ssl: bool = False


@dataclass
class Record:
    """What clients have sent, in order: users and statements. log: the same in a file, each statement as the client sent it."""

    log: Path
    statements: list[tuple[str, str]] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    failed_logins: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def statement(self, user: str, sql: str) -> None:
        """Note a statement."""
        with self.lock, self.log.open("a") as file:
            self.statements.append((user, sql))
            file.write(f"{user} statement: {sql}\n")

    def login(self, user: str, client: socket.socket, *, succeeded: bool) -> None:
        """Note a login, and whether it was by TLS."""
        how = "over TLS" if isinstance(client, ssl.SSLSocket) else "in clear"
        with self.lock, self.log.open("a") as file:
            (self.logins if succeeded else self.failed_logins).append(user)
            file.write(f"{user} login {'succeeded' if succeeded else 'failed'} {how}\n")


@dataclass(frozen=True)
class Cluster:
    """What each connection needs. uses_sha256: whether a user's password was set as sha256."""

    upstream: tuple[str, int]
    tls: ssl.SSLContext
    settings: Settings
    record: Record
    uses_sha256: Callable[[str], bool]


def serving(port: int, cluster: Cluster) -> AbstractContextManager[int]:
    """Serve on this port of the machine, one thread for each connection."""
    return listening(lambda client: _connection(client, cluster), ("127.0.0.1", port))


def _connection(client: socket.socket, cluster: Cluster) -> None:
    """One connection, until either side ends; then the other ends too, and an open transaction is rolled back."""
    with suppress(OSError), client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        secured, packet = _greeted(client, cluster)
        with secured, socket.create_connection(cluster.upstream) as backend:
            backend.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if struct.unpack("!i", packet[:4])[0] == wire.CANCEL_REQUEST:
                backend.sendall(wire.untyped(packet))
                return
            parameters = wire.startup(packet)
            user = parameters.get("user", "")
            refusal = _refusal(secured, parameters, cluster)
            if refusal:
                secured.sendall(refusal)
            elif _logged_in(secured, backend, parameters, cluster):
                Session(
                    secured, backend, lambda sql: cluster.record.statement(user, sql), cluster.settings.case_sensitive
                ).serve()


def _greeted(client: socket.socket, cluster: Cluster) -> tuple[socket.socket, bytes]:
    """The connection, with TLS where the client asks for it, and its first message."""
    try:
        while True:
            packet = wire.read_untyped(client)
            code = struct.unpack("!i", packet[:4])[0]
            if code == wire.SSL_REQUEST:
                client.sendall(b"S")
                client = cluster.tls.wrap_socket(client, server_side=True)
            elif code == wire.GSS_REQUEST:
                client.sendall(b"N")
            else:
                return client, packet
    except OSError:
        client.close()
        raise


def _refusal(client: socket.socket, parameters: dict[str, str], cluster: Cluster) -> bytes:
    """What ends the connection before the login, if anything does."""
    if cluster.settings.require_ssl and not isinstance(client, ssl.SSLSocket):
        return wire.error("28000", "no pg_hba.conf entry for this host, SSL off", "FATAL")
    # Of `options` no page of AWS's speaks (users report that it works): a function can do with SET.
    unknown = set(parameters) - {"user", "database", "client_encoding", "application_name", "fallback_application_name"}
    if unknown:
        return wire.error("0A000", f"the stand-in for Redshift takes no {min(unknown)} on connecting", "FATAL")
    if cluster.uses_sha256(parameters.get("user", "")):
        # libpq gives up here: "authentication method 13 not supported". Drivers of AWS's know it.
        cluster.record.login(parameters.get("user", ""), client, succeeded=False)
        return wire.message(b"R", struct.pack("!i", 13) + bytes(32))
    return b""


def _logged_in(client: socket.socket, backend: socket.socket, parameters: dict[str, str], cluster: Cluster) -> bool:
    """Let client and server settle the login; whether it succeeded."""
    backend.sendall(wire.started(parameters))
    for kind, body in wire.answers(backend):
        shown, wanted = reported(body) if kind == b"S" else (body, True)
        if kind in {b"E", b"Z"}:  # noted before the client knows
            cluster.record.login(parameters.get("user", ""), client, succeeded=kind == b"Z")
        if wanted:
            client.sendall(wire.message(kind, shown))
        if kind == b"E":
            return False
        if kind == b"R" and struct.unpack("!i", body[:4])[0] in {3, 5}:
            reply, password = wire.read(client)
            backend.sendall(wire.message(reply, password))
    return True
