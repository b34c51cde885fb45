"""Masking of known values."""

import json

from common import redaction
from common.secret import Secret


def test_values_are_known_for_one_invocation() -> None:
    """From the moment a secret is made to the invocation's end; public fields are not masked."""
    with redaction.invocation():
        Secret({"username": "the-user", "password": "the-password", "more": {"tokens": ["the-token"]}}, "s")
        text = "the-user the-password the-token"
        assert redaction.mask(text) == "the-user ***** *****"
        assert redaction.mask({"key": [text, 1, None]}) == {"key": ["the-user ***** *****", 1, None]}
    assert redaction.mask(text) == text


def test_what_is_no_plain_value_is_masked_too() -> None:
    """A Secret shows its names; exceptions, bytes and sets are masked as the text that they would be logged as."""
    with redaction.invocation():
        secret = Secret({"password": "the-password", "pin": 1234}, "s")
        for value in (ValueError("the-password"), b"the-password", {"the-password"}, ("the-password",), secret):
            text = json.dumps(redaction.mask({"x": value}))
            assert "the-password" not in text
            assert "1234" not in text


def test_the_longest_value_first() -> None:
    """A value within another leaves no rest of it."""
    with redaction.invocation():
        redaction.learn(["pass", "password-and-more"])
        assert redaction.mask("password-and-more") == redaction.MASK


def test_quotes_do_not_unmask() -> None:
    """Records are masked before they become JSON, so a value with quotes is found."""
    with redaction.invocation():
        redaction.learn('a"quoted"value')
        assert json.dumps(redaction.mask({"x": 'a"quoted"value'})) == '{"x": "*****"}'


def test_very_short_values_are_left() -> None:
    """Three characters would mask half of every line."""
    with redaction.invocation():
        redaction.learn("at")
        assert redaction.mask("that") == "that"
