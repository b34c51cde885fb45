"""Placeholders: whatever a value is, it stays in its place of the request, or is refused by its field's name."""

import base64
import json
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as some

from common.errors import MalformedSecret
from common.secret import Secret
from rotators.api_key.placeholders import Made, Values, make, placeholders

CANARY = "canary"
HOSTILE = [
    "@evil.example", "/../../admin", "..", ".", "%2e%2e", "%2E%2E%2F", "?x=y", "#x", "a\r\nX-Evil: 1", "a\nb", "a\0b", "a\x7fb",
    "\x85\u2028", "é€𝄞", '"', "'", "\\", "\\..\\", '","admin":true,"x":"', "{admin.key}", "{secret.other}", "{", "}", "{{label}}",
    "a b", " ", "a&b=c", "a+b", "a;b", "a:b", "x" * 100_000, "//evil.example/", "%", "%00", "\ud800", "🔑\udfff",
]  # fmt: skip


def request(**parts: Any) -> dict[str, Any]:
    """A request's template."""
    return {"method": "POST", "path": "/x", **parts}


def made(value: object, template: dict[str, Any]) -> Made | None:
    """The request with this value in its placeholders; None where it is refused, by its field's name and without the value."""
    values = Values(Secret({"x": value, "other": "OTHER"}, "AWSCURRENT"), None, {"label": value})
    try:
        return make(template, values)
    except MalformedSecret as error:
        refused = error
    assert "'x' of AWSCURRENT" in refused.what or "'label'" in refused.what
    assert len(str(refused)) < 300
    if isinstance(value, str) and len(value) > 3:  # a shorter one may be part of our own words
        assert value not in str(refused)
    return None


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("name", ["secret.x", "label"])
@pytest.mark.parametrize("path", ["/keys/{}/end", "/keys/{}", "/keys/pre-{}.json", "/{}"])
def test_a_path_keeps_its_segments(path: str, name: str, value: str) -> None:
    """One segment, which a server decodes to the value: no way up, no query, no other host."""
    request_made = made(value, request(path=path.replace("{}", f"{{{name}}}")))
    if request_made is not None:
        found = urlsplit(f"https://api.example.com{request_made.target}")
        assert (found.hostname, found.query, found.fragment) == ("api.example.com", "", "")
        assert [unquote(segment) for segment in found.path.split("/")] == path.replace("{}", value).split("/")
        assert not {".", ".."} & {*found.path.split("/")}
        assert request_made.target.isascii()


@pytest.mark.parametrize("value", [".", "..", "a/b", "a\\b", "a\rb", "", "\ud800", None, True, False, [], {}, 1.5])
def test_what_no_segment_can_be(value: object) -> None:
    """Refused: what is no text, and what could be read as another path."""
    assert made(value, request(path="/keys/{secret.x}")) is None
    assert made(value, request(path="/keys/{label}")) is None


def test_two_placeholders_make_no_way_up() -> None:
    """Nor one beside a dot of the file's own."""
    for path in ("/a/{secret.x}{secret.x}/b", "/a/.{secret.x}", "/a/{label}{secret.x}"):
        assert made(".", request(path=path)) is None
    assert make(request(path="/a/{label}.json"), Values(others={"label": ".."})).target == "/a/...json"


@pytest.mark.parametrize("value", HOSTILE)
def test_a_query_keeps_its_names(value: str) -> None:
    """What the server reads is the value, under the file's own names."""
    request_made = made(value, request(query={"a": "1", "q": "<{secret.x}>", "z": "2"}))
    if request_made is not None:
        path, _, query = request_made.target.partition("?")
        assert (path, parse_qsl(query)) == ("/x", [("a", "1"), ("q", f"<{value}>"), ("z", "2")])


@pytest.mark.parametrize("value", HOSTILE)
def test_a_form_keeps_its_names(value: str) -> None:
    """Likewise the body."""
    request_made = made(value, request(form={"q": "{label}", "z": "2"}))
    if request_made is not None:
        assert request_made.body is not None
        assert parse_qs(request_made.body.decode()) == {"q": [value], "z": ["2"]}


@pytest.mark.parametrize("value", HOSTILE)
def test_a_header_keeps_its_line(value: str) -> None:
    """Printable ASCII, as it is; anything else is refused."""
    request_made = made(value, request(headers={"Authorization": "Bearer {secret.x}"}))
    if value.isascii() and value.isprintable():
        assert request_made is not None
        assert request_made.headers["Authorization"] == f"Bearer {value}"
    else:
        assert request_made is None


@pytest.mark.parametrize("value", HOSTILE)
def test_basic_keeps_user_and_password_apart(value: str) -> None:
    """A colon may stand in the password only."""
    for user, password in (("{secret.x}", "pw"), ("user", "{secret.x}")):
        request_made = made(value, request(basic=[user, password]))
        if request_made is not None:
            sent = base64.b64decode(request_made.headers["Authorization"].removeprefix("Basic ")).decode()
            assert sent.split(":", 1) == [user.format(secret=_Is(value)), password.format(secret=_Is(value))]
    assert made("a:b", request(basic=["{secret.x}", "pw"])) is None


@pytest.mark.parametrize("value", HOSTILE)
def test_json_keeps_its_shape(value: str) -> None:
    """A text of the value stays a text, alone or beside others, at any depth."""
    template = request(json={"a": "{secret.x}", "b": ["<{label}>", {"c": "{label}"}], "n": 1, "t": True, "nil": None})
    request_made = made(value, template)
    if request_made is not None:
        assert request_made.body is not None
        assert json.loads(request_made.body) == {
            "a": value,
            "b": [f"<{value}>", {"c": value}],
            "n": 1,
            "t": True,
            "nil": None,
        }


@given(some.text(min_size=1))
def test_any_text_anywhere(value: str) -> None:
    """Whatever it is: refused by its name, or in its place."""
    for name in ("secret.x", "label"):
        place = f"{{{name}}}"
        everywhere: list[dict[str, Any]] = [
            {"path": f"/a/{place}/b"}, {"query": {"q": place}}, {"headers": {"X": place}}, {"basic": [place, place]},
            {"json": [place, f"-{place}"]}, {"form": {"f": place}},
        ]  # fmt: skip
        for parts in everywhere:
            request_made = made(value, request(**parts))
            if request_made is not None:
                assert request_made.target.isascii()
                assert len(request_made.target.split("/")) == (4 if "path" in parts else 2)
                assert all(text.isascii() and text.isprintable() for text in request_made.headers.values())


def test_values_are_not_expanded_again() -> None:
    """Braces in a value are text: the secret's value cannot ask for another field, nor for the admin's key."""
    admin = Secret({"key": "ADMIN"}, "the admin")
    values = Values(Secret({"x": "{admin.key}{secret.y}", "y": "Y"}, "AWSCURRENT"), admin, {"label": "{admin.key}"})
    request_made = make(request(json=["{secret.x}", "{label}", "a{secret.x}b"], headers={"X": "{secret.x}"}), values)
    assert b"ADMIN" not in (request_made.body or b"")
    assert request_made.headers["X"] == "{admin.key}{secret.y}"


def test_what_was_read_keeps_its_type() -> None:
    """A text that is one placeholder and nothing else; beside other text it must be a text."""
    values = Values(others={"read.tags": ["a", {"b": 1}], "read.n": 5})
    assert json.loads(make(request(json={"t": "{read.tags}", "n": "{read.n}"}), values).body or b"") == {
        "t": ["a", {"b": 1}],
        "n": 5,
    }
    with pytest.raises(MalformedSecret, match=r"read\.tags"):
        make(request(json={"t": "{read.tags}!"}), values)


def test_a_number_is_its_digits() -> None:
    """An account's number may stand in a secret as one; true and false are none."""
    assert made(42, request(path="/{secret.x}")) == make(request(path="/42"), Values())
    for value in (True, None):
        assert made(value, request(json="{secret.x}")) is None


def test_nothing_of_a_request_is_shown() -> None:
    """Neither by what holds the values, nor by what is sent."""
    values = Values(Secret({"x": CANARY}, "AWSCURRENT"), Secret({"key": CANARY}, "admin"), {"label": CANARY})
    template = request(path="/{label}", headers={"X": "{secret.x}"}, json="{admin.key}")
    assert CANARY not in repr(values) + repr(make(template, values))


def test_the_placeholders_of_a_template() -> None:
    """Wherever they stand."""
    template = {"path": "/{key_id}", "json": [{"a": "x{label}y{new}"}, 1, None], "basic": ["{secret.a-b_C}", "z"]}
    assert sorted(placeholders(template)) == ["key_id", "label", "new", "secret.a-b_C"]


class _Is:
    """For str.format: the same value, whatever the field."""

    def __init__(self, value: str) -> None:
        self.x = value
