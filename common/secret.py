"""The value of a secret: an immutable mapping that hides its values, and the account that it logs in as.

A secret's value is written by people whom we do not trust, so every field is read through an accessor that says which
field of which version is wrong. Fields that we do not know are carried along untouched.
"""

import ipaddress
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Self

from common import redaction
from common.errors import MalformedSecret

# Fields that an operator may see in a log. Every other text in a secret's value is masked wherever it appears.
PUBLIC = frozenset(
    [
        "engine",
        "host",
        "port",
        "username",
        "dbname",
        "ssl",
        "masterarn",
        "tls_server_name",
        "dbInstanceIdentifier",
        "dbClusterIdentifier",
        "clusterIdentifier",
        "provider",
    ],
)
_HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9._])?")
_UNSENDABLE = re.compile("[\0\ud800-\udfff]")


@dataclass(frozen=True)
class Account:
    """Who logs in where: what must not change between two versions that belong together.

    server_kind: the engine's family, so that `aurora-postgresql` and `postgres` are one
    host: lower case, without a final dot
    """

    server_kind: str
    host: str
    port: int
    user: str

    def __str__(self) -> str:
        return f"{self.user!r} at {self.host}:{self.port}"


class Secret(Mapping[str, object]):
    """One version of a secret's value: a JSON object, immutable, shown by its field names only.

    name: what to call it in an error, such as "AWSCURRENT of arn:…"
    arn: of the secret, as Secrets Manager answered it
    stored_at: when, in seconds since 1970; None for a value that is not as it was stored
    """

    def __init__(self, fields: Mapping[str, object], name: str, arn: str = "", stored_at: float | None = None) -> None:
        self._fields = MappingProxyType(dict(fields))
        self.name, self.arn, self.stored_at = name, arn, stored_at
        redaction.learn([value for field, value in self._fields.items() if field not in PUBLIC])

    def __getitem__(self, field: str) -> object:
        return self._fields[field]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __repr__(self) -> str:
        return f"<Secret {self.name}: {', '.join(self._fields)}>"

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def to_json(self) -> str:
        """The SecretString to store: as short as it was, so that what fitted into 64 KB still does."""
        text = json.dumps(dict(self._fields), ensure_ascii=False, separators=(",", ":"))
        # Half a character (a lone surrogate) stands in JSON only as an escape.
        return json.dumps(dict(self._fields)) if _UNSENDABLE.search(text) else text

    def with_fields(self, name: str, **fields: object) -> Self:
        """The same value with these fields replaced, under another name."""
        return type(self)({**self._fields, **fields}, name, self.arn)

    def text(self, field: str) -> str:
        """A field that must hold a text: not empty, nothing that no server's protocol carries (NUL, half a character)."""
        value = self.get(field)
        if value is None:
            raise MalformedSecret(
                "secret-field-missing",
                f"The field {field!r} of {self.name} is missing.",
                f"Add {field!r} to the secret's JSON.",
            )
        if not isinstance(value, str) or not value or _UNSENDABLE.search(value):
            raise self.wrong(field, "is not a text with at least one character, all of them Unicode, none NUL")
        return value

    def text_or(self, field: str, default: str) -> str:
        """A field that may be absent (or null, or empty); else as `text`."""
        return default if self.get(field) in (None, "") else self.text(field)

    def host(self, field: str = "host") -> str:
        """A field that holds one name or address, nothing that a driver could read as a socket, list or option."""
        host = self.text(field)
        if not _HOST_NAME.fullmatch(host) and not _is_ipv6(host):
            raise self.wrong(field, "is not one host name or address")
        return host

    def port(self, default: int) -> int:
        """The field `port`, 1 to 65535, as number or digits; `default` where it is absent."""
        value = self.get("port")
        if value is None:
            return default
        port = int(value) if isinstance(value, str) and re.fullmatch("[0-9]{1,5}", value) else value
        if not isinstance(port, int) or isinstance(port, bool) or not 1 <= port <= 65535:  # noqa: PLR2004  the range of TCP
            raise self.wrong("port", "is not a port number from 1 to 65535")
        return port

    @property
    def admin(self) -> str | None:
        """The field `masterarn`: the secret of the admin that may act for this one's user."""
        return None if self.get("masterarn") is None else self.text("masterarn")

    @property
    def tls(self) -> bool:
        """Whether to speak TLS, verified. Only false switches it off; nonsense is an error, never plaintext."""
        value = self.get("ssl", True)
        flag = {"true": True, "false": False}.get(value.lower()) if isinstance(value, str) else value
        if not isinstance(flag, bool):
            raise MalformedSecret(
                "secret-ssl-invalid",
                f"The field 'ssl' of {self.name} is neither true nor false.",
                "Remove it or set it to true for verified TLS; set it to false only for a server without TLS.",
            )
        return flag

    def engine(self, families: Mapping[str, str]) -> str:
        """The family of the field `engine`, out of {engine: family}."""
        engine = self.text("engine")
        if engine not in families:
            raise MalformedSecret(
                "secret-engine-wrong",
                f"The field 'engine' of {self.name} is not one that this function rotates: {', '.join(families)}.",
                "Correct 'engine', or attach the secret to the function for its engine.",
            )
        return families[engine]

    def account(self, families: Mapping[str, str], port: int) -> Account:
        """Who logs in where: the fields engine (of {engine: family}), host, port (this one where it is absent), username.

        Checks what else a login needs too: password, ssl, tls_server_name
        """
        host = self.host().lower().removesuffix(".")
        account = Account(self.engine(families), host, self.port(default=port), self.text("username"))
        self.text("password")
        if self.tls and self.get("tls_server_name") is not None:
            self.host("tls_server_name")
        return account

    def wrong(self, field: str, how: str) -> MalformedSecret:
        """The error for a field that makes no sense; its value is not shown, it may be anything."""
        return MalformedSecret(
            "secret-field-invalid",
            f"The field {field!r} of {self.name} {how}.",
            f"Correct {field!r} in the secret's JSON.",
        )


def _is_ipv6(host: str) -> bool:
    try:
        return not ipaddress.IPv6Address(host).scope_id
    except ValueError:
        return False


def parse_secret(text: str, name: str, arn: str = "", stored_at: float | None = None) -> Secret:
    """A SecretString as a Secret; MalformedSecret where it is no JSON object, or one that we could not store again."""
    redaction.learn(text)
    try:
        fields = json.loads(text, parse_float=_exact, parse_constant=_exact)
        if isinstance(fields, dict):
            return Secret(fields, name, arn, stored_at)
    except (ValueError, RecursionError):  # a JSONDecodeError carries the whole text
        pass
    raise MalformedSecret(
        "secret-not-json",
        f"The value of {name} is not a JSON object (or holds a number that cannot be kept to the digit).",
        'Store it as JSON, such as {"engine": "postgres", "host": "…", "username": "…", "password": "…"}.',
    )


def _exact(text: str) -> float:
    """A number that is written again as the same one; ValueError for NaN, and for more digits than a float keeps."""
    number = float(text)
    if not math.isfinite(number) or Decimal(repr(number)) != Decimal(text):
        raise ValueError
    return number
