"""Looking for a value in what somebody may read: as it is, and in each shape that quoting, escaping or encoding gives it."""

import base64
import json
import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote, quote_plus

SHORTEST = 8  # a shorter text stands by chance where it means nothing


def shapes(value: str) -> set[str]:
    """How a value may be written: for JSON, Python, SQL, libpq, a URL, a header; as base64 also in the midst of more."""
    data = value.encode(errors="surrogatepass")
    found = {
        value,
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        repr(value)[1:-1],
        repr(data)[2:-1],
        value.replace("'", "''"),
        value.replace('"', '""'),
        value.replace("\\", "\\\\").replace("'", "\\'"),
        quote(data, safe=""),
        quote_plus(data),
        data.hex(),
        data.hex().upper(),
        value[::-1],
        json.dumps(json.dumps(value)[1:-1])[1:-1],
    }
    for before in range(3):
        # Without the ends, which depend on what stands beside them.
        whole = base64.b64encode(b"\0" * before + data).decode().rstrip("=")
        core = whole[-(-before * 8 // 6) : len(whole) - 1]
        found |= {core, core.replace("+", "-").replace("/", "_")}
    return {shape for shape in found if len(shape) >= SHORTEST}


def found(values: Iterable[str], places: Mapping[str, str]) -> list[str]:
    """Which value stands in which place: nothing of the value itself is told, but its first signs."""
    return [
        f"{value[:6]}… in {place}"
        for value in values
        if len(value) >= SHORTEST
        for place, text in places.items()
        if any(shape in text for shape in shapes(value))
    ]


def texts(value: object) -> set[str]:
    """Every text in a JSON value."""
    if isinstance(value, str):
        return {value}
    if isinstance(value, Mapping):
        return {text for item in value.values() for text in texts(item)}
    if isinstance(value, list):
        return {text for item in value for text in texts(item)}
    return set()


def parts(value: str) -> set[str]:
    """The canaries in a value: a driver may show a part of what it cannot read."""
    return set(re.findall(r"[Cc]anary-[A-Za-z0-9-]+", value))
