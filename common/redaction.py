"""The second and third ring of redaction: known values are masked in every record, drivers never log below INFO.

The first ring is in the values themselves: a Secret hides itself, and errors are written in our own words. These rings
are for what slips through: every value that a secret has held in this invocation is masked in whatever is logged.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

MASK = "*****"
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
    if isinstance(value, str):
        if known is not None and len(value) >= _SHORTEST:
            known.add(value)
    elif isinstance(value, Mapping):
        learn(list(value.values()))
    elif isinstance(value, list):
        for item in value:
            learn(item)


def mask(value: object) -> object:
    """The value with every known secret value masked, in texts, mappings and lists, keys included."""
    if isinstance(value, str):
        for secret in sorted(_known.get() or (), key=len, reverse=True):
            value = value.replace(secret, MASK)
        return value
    if isinstance(value, Mapping):
        return {mask(key): mask(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [mask(item) for item in value]
    return value


def silence_wire_logs() -> None:
    """Never let boto log requests and answers: at DEBUG it logs them whole, values of secrets included."""
    for name in ("boto3", "botocore", "urllib3"):
        logging.getLogger(name).setLevel(logging.INFO)
