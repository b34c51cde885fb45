"""The event of one step, as Secrets Manager sends it.

Source: Secrets Manager User Guide, "Rotation by Lambda function". Its prose writes `create_secret`, the service sends
`createSecret`; both are understood.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from common.errors import MalformedEvent

STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")
STEP_SPELLINGS = {step.lower(): step for step in STEPS}


@dataclass(frozen=True)
class Event:
    """One call of the function: which step, of which secret, for which version.

    rotation_token is passed on to PutSecretValue, where the service demands it of a function in another account. It
    is sensitive, so it hides itself.
    """

    step: str
    secret_id: str
    token: str
    rotation_token: str | None = field(default=None, repr=False)


def parse_event(event: object) -> Event:
    """The event as a value; MalformedEvent names the field that is missing or odd."""
    if not isinstance(event, Mapping):
        raise MalformedEvent(
            "event-malformed",
            f"The event is a {type(event).__name__}, not an object.",
            "Invoke this function from Secrets Manager, or with a payload from events/.",
        )
    spelling = _text(event, "Step")
    step = STEP_SPELLINGS.get(spelling.replace("_", "").lower())
    if step is None:
        raise MalformedEvent(
            "event-step-unknown",
            "The event's Step is not one of " + ", ".join(STEPS) + ".",
            "Invoke this function from Secrets Manager, or with a payload from events/.",
        )
    rotation_token = _text(event, "RotationToken") if event.get("RotationToken") is not None else None
    return Event(step, _text(event, "SecretId"), _text(event, "ClientRequestToken"), rotation_token)


def _text(event: Mapping[str, object], name: str) -> str:
    value = event.get(name)
    if not isinstance(value, str) or not value:
        raise MalformedEvent(
            "event-malformed",
            f"The event's {name} is missing or not a text.",
            "Invoke this function from Secrets Manager, or with a payload from events/.",
        )
    return value
