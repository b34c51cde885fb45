"""Who may write a secret's value gains nothing by it, on Redshift."""

import socket
import struct
import threading
from contextlib import suppress
from typing import Any

import pytest

from common.errors import TargetError
from common.secret import Secret
from rotators.redshift.target import Redshift
from tests.integration.attacks import AttackKit
from tests.integration.redshift.world import World


class TestAttacks(AttackKit):
    """What every target withstands."""

    @pytest.fixture
    def pair(self, pair: World) -> World:
        """On the stand-in."""
        return pair

    def other_admin(self, pair: Any) -> dict[str, object]:
        value: dict[str, object] = pair.server.secret("awsuser", pair.server.password)
        return value

    def superuser(self) -> str:
        return "awsuser"


@pytest.mark.parametrize("method", [3, 10, 13])
def test_a_server_that_asks_for_the_password_in_clear_does_not_get_it(method: int) -> None:
    """Nor does one that wants SCRAM, which Redshift has not, or a hash of its own kind."""
    heard = bytearray()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                client, _ = listener.accept()
                with client:
                    client.settimeout(3)
                    heard.extend(client.recv(4096))
                    client.sendall(b"R" + struct.pack("!ii", 8, method))
                    while data := client.recv(4096):
                        heard.extend(data)

        thread = threading.Thread(target=serve)
        thread.start()
        fields = {"engine": "redshift", "host": "127.0.0.1", "port": listener.getsockname()[1], "ssl": False}
        login = Secret({**fields, "username": "app", "password": "canary-PASSWORD-1"}, "AWSCURRENT of app")
        with pytest.raises(TargetError) as error:
            Redshift().check(login)
        thread.join()
    assert b"canary" not in heard
    assert b"app" in heard
    assert error.value.code == "login-method"
