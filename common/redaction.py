"""The second and third ring of redaction: known values are masked in every record, boto never logs below INFO.

The first ring is in the values themselves: a Secret hides itself, and errors are written in our own words. These rings
are for what slips through: every value that a secret has held in this invocation is masked in whatever is logged.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

MASK = "*****"
# What a log line says in our own words, from sources that no secret's value reaches: never masked, so that nobody who
# writes a secret can make a field of the log unreadable.
OURS = frozenset(
    {
        "level",
        "message",
        "timestamp",
        "service",
        "outcome",
        "error_code",
        "step",
        "case",
        "strategy",
        "target",
        "milliseconds",
    }
)
# A shorter value would mask half of every log line, and no password that we make is so short.
_SHORTEST = 4
_known: ContextVar[set[str] | None] = ContextVar("known", default=None)


@contextmanager
def invocation() -> Iterator[None]:
    """Remember the values seen from here on, and forget them at the end."""
    token = _known.set(set())
    try:
        yield
    finally:
        _known.reset(token)


def learn(value: object) -> None:
    """Mask every text in this value (a text, or mappings and lists of them) for the rest of the invocation."""
    known = _known.get()
    left = [value] if known is not None else []
    while left:  # no recursion: what a secret holds may be nested deeper than that goes
        one = left.pop()
        if isinstance(one, str) and len(one) >= _SHORTEST and known is not None:
            known.add(one)
        elif isinstance(one, Mapping):
            left.extend(one.values())
        elif isinstance(one, list):
            left.extend(one)


def mask_text(text: str) -> str:
    """The text with every known value masked, the longest first."""
    for secret in sorted(_known.get() or (), key=len, reverse=True):
        text = text.replace(secret, MASK)
    return text


def mask(value: object) -> object:
    """The value, ready for JSON, with every known value masked. Keys stay; what is no plain value is masked as text."""
    if isinstance(value, dict):
        return {str(key): mask(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [mask(item) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return mask_text(str(value))


def mask_record(record: dict[str, object]) -> dict[str, object]:
    """A log record, ready for JSON: masked, but for what is ours."""
    return {key: value if key in OURS else mask(value) for key, value in record.items()}


def silence_wire_logs() -> None:
    """Never let boto log requests and answers: at DEBUG it logs them whole, values of secrets included."""
    for name in ("boto3", "botocore", "urllib3"):
        logging.getLogger(name).setLevel(logging.INFO)
