"""The value of a secret: what is hidden, what is kept, what is refused."""

import json
from typing import Any

import pytest

from common.errors import MalformedSecret
from common.secret import Secret, parse_secret

CANARY = "canary-PASSWORD-93"


def secret(**fields: Any) -> Secret:
    """A secret with these fields."""
    return Secret(fields, "AWSCURRENT of app")


def test_it_shows_names_only() -> None:
    """repr, str, format and an f-string of it, or of what holds it."""
    shown = secret(username="app", password=CANARY, token=CANARY)
    for text in (repr(shown), str(shown), f"{shown:>200}", f"{[shown]}", "%s" % shown):  # noqa: UP031
        assert CANARY not in text
        assert "password" in text


def test_unknown_fields_survive_untouched() -> None:
    """What we do not know is carried along, nested or null."""
    fields = {"engine": "postgres", "x": {"y": [1, 2.5, None, "ü"]}, "n": None, "big": 10**30}
    parsed = parse_secret(json.dumps(fields), "s")
    assert json.loads(parsed.with_fields("s", password="new").to_json()) == {**fields, "password": "new"}


NOT_KEPT = ['{"n": NaN}', '{"n": 1e400}', '{"n": 12345678901234567890.123456789}', '{"n": %s}' % ("9" * 5000)]


@pytest.mark.parametrize(
    "text", [CANARY, "", "[]", '"text"', "7", "{" + CANARY, "[" * 60000, '{"a":' * 60000 + "1" + "}" * 60000, *NOT_KEPT]
)
def test_no_json_object(text: str) -> None:
    """The error has its code, and nothing of the text."""
    with pytest.raises(MalformedSecret) as error:
        parse_secret(text, "AWSCURRENT of app")
    assert error.value.code == "secret-not-json"
    assert CANARY not in str(error.value)
    assert error.value.__cause__ is None


def test_what_is_stored_is_no_longer_than_what_was_read() -> None:
    """Within 64 KB before, within 64 KB after: no blanks, no escapes that were not there; half characters stay escapes."""
    text = '{"a":"日本語","b":[1,2.50,{"c":null}],"d":"\\ud800","e":1.0}'
    stored = parse_secret(text, "s").to_json()
    assert json.loads(stored) == json.loads(text)
    assert parse_secret('{"a":"日本語"}', "s").to_json() == '{"a":"日本語"}'


@pytest.mark.parametrize(("value", "tls"), [(True, True), (False, False), ("true", True), ("False", False)])
def test_ssl(value: object, *, tls: bool) -> None:
    """True or false, also as a text."""
    assert secret(ssl=value).tls is tls


def test_no_ssl_is_tls() -> None:
    """Absent means verified TLS."""
    assert secret().tls


@pytest.mark.parametrize("value", [1, 0, "yes", "", None, "no", [], 0.0])
def test_ssl_nonsense_is_an_error(value: object) -> None:
    """Never plaintext by accident."""
    with pytest.raises(MalformedSecret) as error:
        _ = secret(ssl=value).tls
    assert error.value.code == "secret-ssl-invalid"


@pytest.mark.parametrize(("value", "port"), [(5433, 5433), ("5433", 5433), (None, 5432)])
def test_port(value: object, port: int) -> None:
    """A number, digits, or the default."""
    assert secret(port=value).port(5432) == port


@pytest.mark.parametrize("value", [0, 65536, -1, "x", "", " 5432", "5432 ", "٥٤٣٢", True, 5432.0, [5432], "99999"])
def test_port_nonsense(value: object) -> None:
    """Neither a port number nor its digits."""
    with pytest.raises(MalformedSecret, match="'port'"):
        secret(port=value).port(5432)


@pytest.mark.parametrize("host", ["db", "db.example.com", "db.example.com.", "10.0.0.7", "::1", "fe80::1", "my_db-1.x"])
def test_host(host: str) -> None:
    """Names and addresses."""
    assert secret(host=host).host() == host


@pytest.mark.parametrize(
    "host",
    ["", "/run/x", "a,b", "a b", " db", "db\n", "db:5432", "@evil", "-db", "db?x=1", "a=b", "a'b", "a\0", 7, None],
)
def test_host_that_a_driver_could_misread(host: object) -> None:
    """A socket, a list, an option, a URL: refused before any driver sees it."""
    with pytest.raises(MalformedSecret, match="'host'"):
        secret(host=host).host()


@pytest.mark.parametrize("value", ["", "a\0b", "\ud800", 7, ["x"], {"a": 1}])
def test_text_nonsense(value: object) -> None:
    """The field is named, its value is not shown."""
    with pytest.raises(MalformedSecret, match="'password'") as error:
        secret(password=value).text("password")
    assert error.value.code == "secret-field-invalid"


def test_a_missing_field_is_named() -> None:
    """Which field of which version."""
    with pytest.raises(MalformedSecret, match="'password' of AWSCURRENT of app is missing") as error:
        secret().text("password")
    assert error.value.code == "secret-field-missing"


def test_it_cannot_be_changed() -> None:
    """A mapping without assignment, and a copy of what it was made of."""
    fields = {"password": "one"}
    made = Secret(fields, "s")
    fields["password"] = "two"
    assert made["password"] == "one"
    with pytest.raises(TypeError):
        made["password"] = "two"  # type: ignore[index]
    with pytest.raises(TypeError):
        made._fields["password"] = "two"  # type: ignore[index]
