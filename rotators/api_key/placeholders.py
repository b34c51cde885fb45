"""Requests made of a provider's templates: each placeholder is put in as what its place can hold, and never as syntax.

A path gets one encoded segment, a header one line, JSON a text. What cannot stand there is refused, by the field's name.
"""

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import quote, urlencode

from common.errors import MalformedSecret
from common.secret import Secret

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_KNOWN = re.compile(r"(secret|admin)\.[A-Za-z0-9_-]+|read\.[A-Za-z0-9_]+|account|label|key_id|new")
# What no place takes: control characters, and half a character (a lone surrogate).
_CONTROL = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
Json: TypeAlias = Any


@dataclass(frozen=True)
class Values:
    """What the placeholders of one request stand for; None, or not there, for those that it has not."""

    secret: Secret | None = None
    admin: Secret | None = None
    others: Mapping[str, Json] = field(default_factory=dict, repr=False)

    def raw(self, name: str) -> Json:
        """What a placeholder stands for. MalformedSecret where the value of a secret lacks it."""
        whose, _, what = name.partition(".")
        if whose in ("secret", "admin"):
            value = self.secret if whose == "secret" else self.admin
            if value is None:
                raise ValueError(name)  # a provider file that says so is not loaded
            number = value.get(what)
            return str(number) if isinstance(number, int) and not isinstance(number, bool) else value.text(what)
        return self.others[name]

    def text(self, name: str, forbidden: "re.Pattern[str]" = _CONTROL) -> str:
        """The same, as a text without these characters."""
        found = self.raw(name)
        if not isinstance(found, str) or not found or forbidden.search(found):
            raise self.wrong(name, "is not a text that can stand in a request where the provider file puts it")
        return found

    def wrong(self, name: str, how: str) -> MalformedSecret:
        """The error for a placeholder whose value does not fit; it is not shown."""
        whose, _, what = name.partition(".")
        value = {"secret": self.secret, "admin": self.admin}.get(whose)
        if value is not None:
            return value.wrong(what, how)
        return MalformedSecret(
            "placeholder-unfit",
            f"What the service calls {name!r} {how}.",
            "Rename it at the service, or correct the provider file.",
        )


@dataclass(frozen=True)
class Made:
    """A request that is ready to be sent. target: path and query. Nothing of it is ever logged."""

    method: str
    target: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)


def placeholders(template: Json) -> Iterator[str]:
    """Every placeholder in a template, wherever it stands; ValueError for one that there is not, and for a stray brace."""
    if isinstance(template, str):
        if re.search("[{}]", _PLACEHOLDER.sub("", template)):
            raise ValueError(f"a stray brace in {template!r}")
        for name in _PLACEHOLDER.findall(template):
            if not _KNOWN.fullmatch(name):
                raise ValueError(f"there is no placeholder {{{name}}}")
            yield name
    elif isinstance(template, Mapping):
        for key, item in template.items():
            if _PLACEHOLDER.search(key):
                raise ValueError(f"a placeholder in the name {key!r}")
            yield from placeholders(item)
    elif isinstance(template, list):
        for item in template:
            yield from placeholders(item)


def make(request: Mapping[str, Json], values: Values) -> Made:
    """The request of a template; MalformedSecret where a value cannot stand where it should."""
    target = "/".join(_segment(segment, values) for segment in request["path"].split("/"))
    if query := {name: _filled(text, values.text) for name, text in request.get("query", {}).items()}:
        target += "?" + urlencode(query)
    headers = {"Accept": "application/json", "User-Agent": "keyturn"}
    headers |= {
        name: _filled(text, lambda name: _ascii(name, values)) for name, text in request.get("headers", {}).items()
    }
    if "basic" in request:
        user = _filled(request["basic"][0], lambda name: values.text(name, re.compile(f"{_CONTROL.pattern}|:")))
        password = _filled(request["basic"][1], values.text)
        headers["Authorization"] = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    if "json" in request:
        headers["Content-Type"] = "application/json"
        return Made(request["method"], target, headers, json.dumps(_json(request["json"], values)).encode())
    if "form" in request:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        form = {name: _filled(text, values.text) for name, text in request["form"].items()}
        return Made(request["method"], target, headers, urlencode(form).encode())
    return Made(request["method"], target, headers, None)


def _filled(template: str, value: Callable[[str], str]) -> str:
    return _PLACEHOLDER.sub(lambda found: value(found[1]), template)


def _segment(template: str, values: Values) -> str:
    """One segment of a path: what a server, or a proxy before it, could take for more than one, or for another, is refused."""
    forbidden = re.compile(rf"{_CONTROL.pattern}|[/\\]")
    segment = _filled(template, lambda name: quote(values.text(name, forbidden), safe=""))
    if segment in (".", ".."):
        raise values.wrong(_PLACEHOLDER.findall(template)[0], "is not a text that can stand in a URL's path")
    return segment


def _ascii(name: str, values: Values) -> str:
    return values.text(name, re.compile(r"[^\x20-\x7e]"))


def _json(template: Json, values: Values) -> Json:
    """The body: a text that is one placeholder and nothing else becomes what that stands for, whatever its type."""
    if isinstance(template, str):
        alone = _PLACEHOLDER.fullmatch(template)
        return values.raw(alone[1]) if alone else _filled(template, lambda name: values.text(name, re.compile("(?!)")))
    if isinstance(template, Mapping):
        return {name: _json(item, values) for name, item in template.items()}
    if isinstance(template, list):
        return [_json(item, values) for item in template]
    return template
