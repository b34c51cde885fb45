"""Provider files: how the keys of one service are issued or set, deployed with the function and trusted like its code.

Each is validated when the function is imported: against provider.schema.json, and for what a schema cannot say. The most
important of that: where an admin's key acts, no request but `check` holds anything from the secret's own value (W7).
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions

from common.password import PasswordPolicy
from common.secret import Secret
from rotators.api_key.placeholders import placeholders
from rotators.api_key.schema import faults

FOLDER = Path(__file__).with_name("providers")
SCHEMA = Path(__file__).with_name("provider.schema.json")
LOOPBACK = {"localhost", "127.0.0.1", "::1"}
Operation = Literal["check", "read", "issue", "list", "revoke", "set"]
# What may stand in each operation's request, beside the values of the secret, or of the admin's.
_MORE: Mapping[Operation, set[str]] = {
    "check": set(),
    "read": set(),
    "issue": {"label", "read"},
    "list": set(),
    "revoke": {"key_id"},
    "set": {"new", "read"},
}


# What http.client says by itself; to say otherwise would make another request of it, or send it elsewhere.
_NOT_OURS = {"host", "content-length", "transfer-encoding", "connection", "expect", "upgrade", "te", "trailer"}
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # RFC 9110, "token"
_PRINTABLE = re.compile(r"[\x20-\x7e]*")


class BadProvider(Exception):
    """A provider file that says something that cannot be: the function does not start."""


@dataclass(frozen=True)
class Provider:
    """One service. file: what its provider file says, validated. Its fields are described in provider.schema.json."""

    name: str
    file: Mapping[str, Any]

    @property
    def kind(self) -> Literal["issued", "chosen"]:
        """Who makes the keys: the service, or we."""
        kind: Literal["issued", "chosen"] = self.file["kind"]
        return kind

    @property
    def by_admin(self) -> bool:
        """Whether an admin's key acts."""
        return "admin" in self.file

    @property
    def account_field(self) -> str | None:
        """The field of the secret that names its account."""
        field: str | None = self.file.get("account")
        return field

    @property
    def credential(self) -> tuple[str, ...]:
        """The fields of the secret that a rotation changes."""
        return tuple(self.file["issue"]["fields"]) if self.kind == "issued" else (self.file["value"]["field"],)

    @cached_property
    def password_policy(self) -> PasswordPolicy:
        """What a chosen value may be."""
        value = self.file["value"]
        required = tuple(value.get("required", ()))
        return PasswordPolicy(value["shortest"], value["longest"], value.get("forbidden", ""), required)

    @property
    def secure(self) -> bool:
        """Whether it speaks TLS."""
        return "plaintext" not in self.file["server"]

    def server(self, value: Secret) -> tuple[str, int]:
        """Host and port: the file's own, or the secret's where the file allows them."""
        hosts: list[str] = self.file["server"]["hosts"]
        ports: list[int] = self.file["server"].get("ports", [443])
        fixed = len(hosts) == 1 and "*" not in hosts[0]
        host = hosts[0].lower() if fixed and value.get("host") is None else value.host().lower().removesuffix(".")
        if not any(fnmatchcase(host, pattern.lower()) for pattern in hosts):
            raise value.wrong("host", f"is not one that the provider file {self.name}.json allows ({', '.join(hosts)})")
        port = value.port(ports[0])
        if port not in ports:
            raise value.wrong("port", f"is not one that the provider file {self.name}.json allows ({ports})")
        return host, port

    def serves(self, arn: str) -> bool:
        """Whether the file lists this secret."""
        return matches(arn, self.file.get("secrets", ()))

    def fields(self, whose: Literal["secret", "admin"]) -> set[str]:
        """The fields that requests need of the secret's value, or of the admin's."""
        named = {name for operation in self.file.values() for name in _named(operation)}
        return {name.partition(".")[2] for name in named if name.startswith(f"{whose}.")}


def matches(arn: str, patterns: Iterable[str]) -> bool:
    """Whether an ARN is one of these, of which * is any part."""
    return any(fnmatchcase(arn, pattern) for pattern in patterns)


def load_providers(folder: Path = FOLDER) -> dict[str, Provider]:
    """{name: provider} of each file in a folder; BadProvider, naming the file and the place, where one makes no sense."""
    schema = json.loads(SCHEMA.read_text())
    return {path.stem: load_provider(path, schema) for path in sorted(folder.glob("*.json"))}


def load_provider(path: Path, schema: Mapping[str, Any]) -> Provider:
    """One file."""
    try:
        file = json.loads(path.read_text())
    except ValueError as error:
        raise BadProvider(f"{path.name} is not JSON: {error}") from None
    found = list(faults(file, schema, schema)) or list(_nonsense(file))
    if found:
        raise BadProvider(f"{path.name}: " + "; ".join(found))
    return Provider(path.stem, file)


def _nonsense(file: Mapping[str, Any]) -> list[str]:
    """What the schema cannot say."""
    found = [fault for operation in _MORE for fault in _bad_placeholders(file, operation)]
    for operation in _MORE:
        found += [f"{operation}.request: {what}" for what in _bad_request(file.get(operation, {}).get("request", {}))]
    return [*found, *_bad_paths(file), *_bad_account(file), *_bad_kind(file)]


def _bad_placeholders(file: Mapping[str, Any], operation: Operation) -> Iterator[str]:
    """Those that may not stand in this operation's request: above all the secret's own, where an admin's key acts (W7)."""
    allowed = _MORE[operation] | ({"admin", "account"} if "admin" in file and operation != "check" else {"secret"})
    read = file.get("read", {}).get("values", {})
    try:
        names = sorted(_named(file.get(operation, {})))
    except ValueError as error:
        yield f"{operation}.request: {error}"
        return
    for name in names:
        whose, _, what = name.partition(".")
        if whose not in allowed:
            yield f"{operation}.request: {{{name}}} may not stand here"
        elif whose == "read" and what not in read:
            yield f"{operation}.request: read.values lacks {what!r}"


def _bad_account(file: Mapping[str, Any]) -> Iterator[str]:
    """Whose keys they are, and where."""
    server, answered = file["server"], "account" in file["check"]
    if server.get("plaintext") and not {host.lower() for host in server["hosts"]} <= LOOPBACK:
        yield "server.plaintext: only where every host is a loopback address"
    if "admin" in file and not answered:
        yield "check.account: is needed where an admin's key acts"
    if "account" in file and not answered:
        yield "account: check.account must answer it"
    if file["kind"] == "chosen" and "admin" in file:
        needed = {"account": "account" in file, "admin.account": "account" in file["admin"]}
        needed["read.powerful"] = "powerful" in file.get("read", {})  # W6: who may not be reset on the word of a tag
        yield from (
            f"{part}: is needed where an admin's key sets a value" for part, there in needed.items() if not there
        )


def _bad_kind(file: Mapping[str, Any]) -> Iterator[str]:
    """What is issued, or chosen."""
    credential = set(file["issue"]["fields"]) if file["kind"] == "issued" else {file["value"]["field"]}
    for name in sorted(credential & {"host", "port", "masterarn", file.get("account")}):
        yield f"a rotation would change {name!r}, which says whose the key is, where, or who acts"
    if file["kind"] == "chosen":
        if file["value"]["shortest"] > file["value"]["longest"]:
            yield "value.shortest: is more than value.longest"
        return
    if file["key"]["id"] not in file["issue"]["fields"]:
        yield f"issue.fields: lacks {file['key']['id']!r}, which key.id names"
    if file["key"]["id_proven_by"] == "check" and "key_id" not in file["check"]:
        yield "check.key_id: is needed, as key.id_proven_by says so"


def _bad_request(request: Mapping[str, Any]) -> Iterator[str]:
    """What http.client would refuse at the first rotation, or send as something else than the file seems to say."""
    if {".", ".."} & {*request.get("path", "").split("/")}:
        yield "path: . and .. are no segments"
    if "json" in request and "form" in request:
        yield "json, form: there is one body"
    headers = {name.lower() for name in request.get("headers", {})}
    if len(headers) < len(request.get("headers", {})):
        yield "headers: one is there twice"
    if odd := {name for name in headers if name in _NOT_OURS or not _HEADER_NAME.fullmatch(name)}:
        yield f"headers: {', '.join(map(repr, sorted(odd)))} may not be set"
    if "basic" in request and "authorization" in headers:
        yield "basic, headers: there is one Authorization"
    if not all(_PRINTABLE.fullmatch(text) for text in (request.get("path", ""), *request.get("headers", {}).values())):
        yield "path, headers: one holds a character that is not printable ASCII"


def _bad_paths(file: Mapping[str, Any]) -> list[str]:
    paths = {f"check.{name}": file["check"].get(name) for name in ("valid", "account", "key_id")}
    paths["read.powerful"], paths["list.keys"] = file.get("read", {}).get("powerful"), file.get("list", {}).get("keys")
    for operation, of in (("read", "values"), ("issue", "fields")):
        paths |= {f"{operation}.{of}.{name}": path for name, path in file.get(operation, {}).get(of, {}).items()}
    found = []
    for where, path in paths.items():
        try:
            called = set(_functions(jmespath.compile(path or "@").parsed))
        except JMESPathError:
            found.append(f"{where}: is not JMESPath")
            continue
        found += [
            f"{where}: JMESPath has no function {name}" for name in sorted(called - set(Functions.FUNCTION_TABLE))
        ]
    return found


def _functions(parsed: Mapping[str, Any]) -> Iterator[str]:
    """The functions that an expression calls: one that there is not would only be missed when it is applied."""
    if parsed["type"] == "function_expression":
        yield parsed["value"]
    for child in parsed["children"]:
        yield from _functions(child) if isinstance(child, Mapping) else ()


def _named(operation: Any) -> set[str]:
    """The placeholders of an operation's request."""
    request = operation.get("request", {}) if isinstance(operation, Mapping) else {}
    return set(placeholders({name: part for name, part in request.items() if name != "method"}))
