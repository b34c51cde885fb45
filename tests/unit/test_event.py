"""The event of a step."""

import pytest

from common.errors import MalformedEvent
from common.event import Event, parse_event

GOOD = {"Step": "createSecret", "SecretId": "arn:x", "ClientRequestToken": "t", "RotationToken": "r"}


@pytest.mark.parametrize("spelling", ["createSecret", "create_secret", "CREATE_SECRET"])
def test_both_spellings_of_a_step(spelling: str) -> None:
    """The guide's prose writes create_secret, the service sends createSecret."""
    assert parse_event({**GOOD, "Step": spelling}) == Event("createSecret", "arn:x", "t", "r")


def test_the_rotation_token_is_optional_and_hidden() -> None:
    """It is sensitive, and a function called by hand has none."""
    assert parse_event({name: value for name, value in GOOD.items() if name != "RotationToken"}).rotation_token is None
    assert "'r'" not in repr(parse_event(GOOD))


@pytest.mark.parametrize("field", ["Step", "SecretId", "ClientRequestToken"])
@pytest.mark.parametrize("value", [None, "", 7])
def test_a_missing_field_is_named(field: str, value: object) -> None:
    """Which field, in an error with a stable code."""
    with pytest.raises(MalformedEvent, match=field) as error:
        parse_event({**GOOD, field: value})
    assert error.value.code == "event-malformed"


@pytest.mark.parametrize(("event", "code"), [([], "event-malformed"), ({**GOOD, "Step": "x"}, "event-step-unknown")])
def test_no_event_of_the_service(event: object, code: str) -> None:
    """An event of another kind changes nothing."""
    with pytest.raises(MalformedEvent) as error:
        parse_event(event)
    assert error.value.code == code
