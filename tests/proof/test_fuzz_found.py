"""What chance has found, each by its name: it was a defect once."""

import json
from typing import Any

import pytest

from common.errors import BadSetting
from tests.proof.hostile import no_network
from tests.proof.memory import CURRENT, TOKEN
from tests.proof.strangers import stranger
from tests.proof.watched import Seen, call, fresh, functions, impatient

HELLO = {"ok": 1.0, "isWritablePrimary": True, "maxWireVersion": 21, "minWireVersion": 0}
LATIN = b"E\0\0\0\x40SFATAL\0C28P01\0MPasswort-Authentifizierung f\xfcr Benutzer fehlgeschlagen\0\0"


def asked(rotator: str, patch: pytest.MonkeyPatch, answers: list[bytes], documents: list[dict[str, Any]]) -> Seen:
    """What testSecret makes of a server without TLS that answers this."""
    impatient(patch)
    patch.setattr("rotators.documentdb.session.CONNECT_SECONDS", 0.5)
    engine = "mongo" if rotator == "documentdb" else rotator
    with stranger() as somebody, no_network(somebody.port), functions(rotator) as (memory, handlers):
        somebody.speaks_first = rotator == "mysql"
        somebody.answers, somebody.documents = answers, documents
        login = {"host": "localhost", "port": somebody.port, "username": "app", "password": "a-password", "ssl": False}
        arn = memory.keep("found", json.dumps({"engine": engine, **login}))
        memory.secrets[arn].values[TOKEN] = memory.secrets[arn].values[CURRENT]
        return call(handlers[rotator], {"Step": "testSecret", "SecretId": arn, "ClientRequestToken": TOKEN})


@pytest.mark.parametrize("rotator", ["postgres", "redshift"])
def test_a_refusal_in_latin_1(monkeypatch: pytest.MonkeyPatch, rotator: str) -> None:
    """A server that speaks German in its own encoding: before the login is done it does not know ours. Go on to the next."""
    assert asked(rotator, monkeypatch, [LATIN], []).code == "login-refused"


@pytest.mark.parametrize("packet", [b"\0\0\0\0", b"\x16\0\0\0\n9.7.4\0\x01\0\0\0saltsalt\0\xff\xf7"])
def test_a_greeting_that_is_cut_off(monkeypatch: pytest.MonkeyPatch, packet: bytes) -> None:
    """PyMySQL takes it apart without looking whether it is all there."""
    assert asked("mysql", monkeypatch, [packet], []).code == "target-closed"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # the driver's monitor
def test_a_hello_of_other_types(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyMongo compares what the server says with numbers."""
    assert asked("documentdb", monkeypatch, [], [{**HELLO, "maxBsonObjectSize": "large"}] * 3).code == "login-method"


@pytest.mark.parametrize("field", ["SecretId", "ClientRequestToken"])
def test_half_a_character_in_an_event(field: str) -> None:
    """No stdout takes it: the log line has it as an escape, and is not lost."""
    event = {"Step": "createSecret", "SecretId": "x", "ClientRequestToken": TOKEN, field: "\ud800"}
    with functions("postgres") as (_, handlers):
        seen = call(handlers["postgres"], event)
    assert seen.log_line()["error_code"] == seen.code == "store-not-found"
    assert seen.stderr == ""


@pytest.mark.parametrize("field", ["Step", "SecretId", "ClientRequestToken"])
def test_a_field_that_is_nested_deeper_than_the_stack(field: str) -> None:
    """The log line says what is wrong, and not what stood there."""
    deep: object = "x"
    for _ in range(5000):
        deep = [deep]
    with functions("postgres") as (_, handlers):
        seen = call(
            handlers["postgres"], {"Step": "createSecret", "SecretId": "x", "ClientRequestToken": TOKEN, field: deep}
        )
    assert seen.log_line()["error_code"] == seen.code == "event-malformed"


def test_the_rotation_token_in_the_frame_that_raises() -> None:
    """Error trackers print the locals of each frame."""
    token = "a-rotation-token-that-nobody-may-read"
    with functions("postgres") as (_, handlers):
        event = {"Step": "createSecret", "SecretId": "x", "ClientRequestToken": TOKEN, "RotationToken": token}
        seen = call(handlers["postgres"], event)
    assert seen.code == "store-not-found"
    assert token not in seen.places()["its frames' locals"]


@pytest.mark.parametrize("rotator", ["postgres", "mysql", "redshift", "documentdb"])
def test_a_ca_file_whose_name_is_too_long(monkeypatch: pytest.MonkeyPatch, rotator: str) -> None:
    """It is not there."""
    monkeypatch.setenv("TLS_CA_FILE", "x" * 300)
    with stranger() as somebody, no_network(somebody.port), functions(rotator) as (memory, handlers):
        engine = "mongo" if rotator == "documentdb" else rotator
        login = {"host": "localhost", "port": somebody.port, "username": "app", "password": "a-password"}
        arn = memory.keep("found", json.dumps({"engine": engine, **login}))
        memory.secrets[arn].values[TOKEN] = memory.secrets[arn].values[CURRENT]
        seen = call(handlers[rotator], {"Step": "testSecret", "SecretId": arn, "ClientRequestToken": TOKEN})
    assert seen.code == "setting-invalid"


@pytest.mark.parametrize("endpoint", ["nonsense", "http://[", "http://a b"])
def test_an_endpoint_that_is_no_url(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    """The function does not start, and says by which variable."""
    monkeypatch.setenv("SECRETS_MANAGER_ENDPOINT", endpoint)
    with pytest.raises(BadSetting, match="SECRETS_MANAGER_ENDPOINT"):
        fresh("rotators.postgres.app")
