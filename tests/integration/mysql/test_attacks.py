"""What a false server, an anonymous account or another delivery could do; none of it works."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from common.errors import LoginRejected, TargetError
from common.secret import Secret
from rotators.mysql import session as session_module
from rotators.mysql.target import MySql
from testkit.servers.mysql import MySqlServer
from tests.integration.attacks import AttackKit
from tests.integration.mysql.world import World

PASSWORD = "canary-for-the-false-server"
OK = b"\x00\x00\x00\x02\x00\x00\x00"


def packet(number: int, body: bytes) -> bytes:
    """A packet of MySQL's protocol."""
    return struct.pack("<I", len(body))[:3] + bytes([number]) + body


def greeting() -> bytes:
    """Protocol 10, plugin authentication, no TLS."""
    flags = 0x0008A209 | 0x00080000  # CONNECT_WITH_DB, PROTOCOL_41, TRANSACTIONS, SECURE_CONNECTION, PLUGIN_AUTH
    return packet(
        0,
        b"\x0a9.9.9\x00" + struct.pack("<I", 7) + b"12345678\x00" + struct.pack("<H", flags & 0xFFFF) + b"\xff\x02\x00"
        + struct.pack("<H", flags >> 16) + b"\x15" + b"\x00" * 10 + b"123456789012\x00" + b"caching_sha2_password\x00",
    )  # fmt: skip


@contextmanager
def false_server(talk: Callable[[socket.socket], None]) -> Iterator[tuple[int, bytearray]]:
    """A server that greets, takes the client's answer, and then does as told; its port, and all that it was sent."""
    heard = bytearray()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    with client, suppress(OSError):
                        client.settimeout(3)
                        client.sendall(greeting())
                        heard.extend(client.recv(65536))
                        talk(client)
                        while data := client.recv(65536):
                            heard.extend(data)

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1], heard
        listener.shutdown(socket.SHUT_RDWR)


def secret(port: int) -> Secret:
    """A secret that points at the false server."""
    fields = {
        "engine": "mysql",
        "host": "127.0.0.1",
        "port": port,
        "username": "app",
        "password": PASSWORD,
        "ssl": False,
    }
    return Secret(fields, "AWSCURRENT of app")


class TestAttacks(AttackKit):
    """What every target withstands."""

    @pytest.fixture
    def pair(self, governed: World) -> World:
        """On each server."""
        governed.tag(strategy="alternating-users")
        return governed

    def other_admin(self, pair: Any) -> dict[str, object]:
        value: dict[str, object] = pair.server.secret("root", pair.server.password)
        return value

    def superuser(self) -> str:
        return "root"


@pytest.mark.parametrize("method", ["mysql_clear_password", "dialog", "mysql_old_password", "client_ed25519"])
def test_a_server_that_asks_for_the_password_in_clear_does_not_get_it(method: str) -> None:
    """Nor by a method that we do not have."""
    question = b"\x02Password: " if method == "dialog" else b"12345678901234567890\x00"
    switch = packet(2, b"\xfe" + method.encode() + b"\x00" + question)
    with false_server(lambda client: client.sendall(switch)) as (port, heard):
        with pytest.raises(TargetError) as error:
            MySql().check(secret(port))
        assert error.value.code == "login-method"
        assert not isinstance(error.value, LoginRejected)
    assert b"app\x00" in heard
    assert PASSWORD.encode() not in heard


def test_a_server_that_asks_for_a_local_file_does_not_get_it(tmp_path: Path) -> None:
    """LOAD DATA LOCAL, as the answer to any statement."""
    file = tmp_path / "file"
    file.write_text("canary-in-a-file")

    def talk(client: socket.socket) -> None:
        client.sendall(packet(2, OK))
        for _ in range(4):
            client.recv(65536)
            client.sendall(packet(1, b"\xfb" + str(file).encode()))

    with false_server(talk) as (port, heard), pytest.raises(TargetError):
        MySql().check(secret(port))
    assert b"canary-in-a-file" not in heard


def test_without_tls_a_verified_login_is_not_made(db: MySqlServer) -> None:
    """A server that does not offer TLS gets no password where the secret wants TLS."""
    with false_server(lambda _: None) as (port, heard):
        with pytest.raises(TargetError) as error:
            MySql().check(secret(port).with_fields("x", ssl=True))
        assert error.value.code == "tls-refused"
    assert db.port
    assert heard == b""


def test_a_server_that_drips_bytes_does_not_keep_us(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait ends, whatever comes meanwhile."""
    monkeypatch.setattr(session_module, "CONNECT_SECONDS", 1.0)
    stop = threading.Event()

    def drip(client: socket.socket) -> None:
        client.sendall(struct.pack("<I", 1000)[:3] + b"\x02")
        while not stop.wait(0.1):
            client.sendall(b"x")

    with false_server(drip) as (port, _):
        with pytest.raises(TargetError) as error:
            MySql().check(secret(port))
        stop.set()
    assert error.value.code == "target-silent"


def test_w4_an_anonymous_account_s_login_does_not_count(db: MySqlServer) -> None:
    """The server takes anybody for ''@'localhost': that is not the secret's user."""
    before = db.users()
    db.create_user("", "anonymous-password", "localhost")
    try:
        login = Secret(db.secret("whoever", "anonymous-password"), "AWSCURRENT of app")
        with pytest.raises(LoginRejected) as error:
            MySql().check(login)
        assert error.value.code == "login-is-another-user"
    finally:
        db.drop_users(keep=before)


def test_two_setsecrets_at_once(world: World) -> None:
    """Overlapping deliveries: whichever comes last, AWSCURRENT's password logs in at the end."""
    handler, both = world.handler, threading.Barrier(2, timeout=10)

    def twice(event: dict[str, str], context: object) -> None:
        if event["Step"] != "setSecret":
            handler(event, context)
            return
        errors: list[Exception] = []

        def deliver() -> None:
            both.wait()
            try:
                handler(event, context)
            except Exception as error:  # noqa: BLE001  one of the two may lose the race
                errors.append(error)

        threads = [threading.Thread(target=deliver) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(errors) < 2, errors

    world.function = world.aws.add_function("twice", twice)
    world.rotated()
    assert world.logs_in()


def test_a_change_that_waits_behind_a_lock_is_not_made_later(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server gives up before we do: AWSCURRENT lives, and the next rotation goes through."""
    monkeypatch.setattr(session_module, "STATEMENT_SECONDS", 4.0)
    world.aws.tries = 1
    holder = world.server.connect()
    try:
        with holder.cursor() as cursor:
            cursor.execute("FLUSH TABLES WITH READ LOCK")
        error = str(world.rotate().error)
        assert "[target-interrupted]" in error
    finally:
        holder.close()
    world.take_pending_off()
    assert world.logs_in()
    world.rotated()
    assert world.logs_in()
