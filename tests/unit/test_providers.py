"""Provider files: those that ship are right, and what a file must not say is refused with its name and the place."""

import copy
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from common.errors import MalformedSecret
from common.secret import Secret
from common.settings import Settings
from rotators.api_key.provider import FOLDER, SCHEMA, BadProvider, Provider, load_provider, load_providers
from rotators.api_key.schema import faults
from testkit.providers import OWN

SCHEMA_FILE: dict[str, Any] = json.loads(SCHEMA.read_text())
LIBRARY = jsonschema.Draft202012Validator(SCHEMA_FILE)
# Between them they have every part that a file can have.
VARIOUS = [FOLDER / f"{name}.json" for name in ("rabbitmq", "sendgrid", "twilio")]
FILES = sorted([*FOLDER.glob("*.json"), *OWN.glob("*.json")])
# What each place of a file is replaced by, of every type, in and out of each range.
OTHERS: tuple[Any, ...] = (
    None, True, False, 0, 1, 2, 7, 8, 399, 400, 599, 600, 65535, 65536, 100001, -1, 1.5, 10**30,
    "", "x", "a b", "/x", "//x", "/a?b", "/a#b", "https://x", "GET", "get", "issued", "chosen", "login", "é", "x:443",
    "::1", "a@b", "a\n", "{secret.key}", [], [1], [""], ["x"], ["x", "y"], ["a", "b", "c"], [400], [True], [None], [[]],
    {}, {"x": 1}, {"x": "y"}, {"request": {}},
)  # fmt: skip


def read(path: Path) -> dict[str, Any]:
    """What a file says."""
    file: dict[str, Any] = json.loads(path.read_text())
    return file


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value in it."""
    yield at
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in items:
        yield from places(item, (*at, name))


def replaced(value: Any, at: tuple[Any, ...], by: Any) -> Any:
    """A copy with another value in this place."""
    if not at:
        return by
    found = copy.copy(value)
    found[at[0]] = replaced(value[at[0]], at[1:], by)
    return found


def without(value: Any, at: tuple[Any, ...]) -> Any:
    """A copy without what is in this place."""
    found = copy.deepcopy(value)
    inner = found
    for name in at[:-1]:
        inner = inner[name]
    del inner[at[-1]]
    return found


def spoiled(file: dict[str, Any]) -> Iterator[Any]:
    """The file with each value left out, replaced by every other one, and with a key that is not known beside it."""
    for at in places(file):
        yield from (replaced(file, at, other) for other in OTHERS)
        if at:
            yield without(file, at)
            inner = replaced(file, at, None)
            for name in at[:-1]:
                inner = inner[name]
            if isinstance(inner, dict):
                yield replaced(file, at[:-1], {**inner, "surprise": 1})


def loaded(tmp_path: Path, file: Any) -> Provider:
    """The provider of a file that says this."""
    path = tmp_path / "tried.json"
    path.write_text(json.dumps(file))
    return load_provider(path, SCHEMA_FILE)


def complaint(tmp_path: Path, file: Any) -> str:
    """Why a file is refused."""
    with pytest.raises(BadProvider) as refused:
        loaded(tmp_path, file)
    return str(refused.value)


def changed(name: str, **parts: Any) -> dict[str, Any]:
    """A shipped file, or one of the kit's, with other parts: mappings are merged, deeply."""
    path = OWN / f"{name}.json"
    return merged(read(path if path.exists() else FOLDER / path.name), parts)


def merged(old: Any, new: Mapping[str, Any]) -> dict[str, Any]:
    """The two, the new one winning; None takes a part away."""
    both = {**old, **{k: merged(old.get(k, {}), v) if isinstance(v, Mapping) else v for k, v in new.items()}}
    return {name: part for name, part in both.items() if part is not None or name not in new}


def test_the_schema_is_one() -> None:
    """Of the draft that it names."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA_FILE)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_file_is_valid(path: Path) -> None:
    """By the library, by our own reading of the schema, and by what a schema cannot say."""
    LIBRARY.validate(read(path))
    assert not list(faults(read(path), SCHEMA_FILE, SCHEMA_FILE))
    assert load_provider(path, SCHEMA_FILE).name == path.stem


def test_the_shipped_folder_is_loaded_by_names() -> None:
    """As the tag rotation:provider names them."""
    assert list(load_providers()) == ["ntfy", "rabbitmq", "sendgrid", "twilio"]


@pytest.mark.parametrize("path", VARIOUS, ids=lambda path: path.name)
def test_our_reading_of_the_schema_is_the_librarys(path: Path) -> None:
    """On files that were spoiled in every way: refused by both, or by neither."""
    tried = 0
    for file in spoiled(read(path)):
        tried += 1
        ours = list(faults(file, SCHEMA_FILE, SCHEMA_FILE))
        assert bool(ours) != LIBRARY.is_valid(file), f"{ours}: {file}"
    assert tried > 1000


@pytest.mark.parametrize("path", VARIOUS, ids=lambda path: path.name)
def test_whatever_is_spoiled_is_refused_as_a_bad_provider(path: Path, tmp_path: Path) -> None:
    """By the file's name, and never by another exception."""
    for file in spoiled(read(path)):
        try:
            loaded(tmp_path, file)
        except BadProvider as refused:
            assert str(refused).startswith("tried.json: ")  # noqa: PT017


def test_a_number_with_a_point_is_no_integer(tmp_path: Path) -> None:
    """Where JSON Schema, and its library, take 443.0 for one."""
    file = changed("ntfy", server={"ports": [443.0]})
    assert LIBRARY.is_valid(file)
    assert complaint(tmp_path, file) == "tried.json: server.ports[0]: is not integer"


def test_a_file_that_is_no_json(tmp_path: Path) -> None:
    """Named, with the line."""
    path = tmp_path / "broken.json"
    path.write_text('{"about":\n oops}')
    with pytest.raises(BadProvider, match=r"^broken\.json is not JSON: .*line 2"):
        load_providers(tmp_path)


@pytest.mark.parametrize(
    ("name", "parts", "says"),
    [
        ("ntfy", {"kind": "else"}, "kind: is none of issued, chosen"),
        ("ntfy", {"kind": None}, "the file: lacks 'kind'"),
        ("ntfy", {"list": None}, "the file: lacks 'list'"),
        ("ntfy", {"surprise": 1}, "surprise: is not known here"),
        ("ntfy", {"check": {"request": {"method": "HEAD"}}}, "check.request.method: is none of GET"),
        ("ntfy", {"check": {"request": {"method": "{secret.token}"}}}, "check.request.method: is none of GET"),
        ("ntfy", {"check": {"rejected": [200]}}, "check.rejected[0]: is not from 400 to 599"),
        ("ntfy", {"check": {"request": {"basic": ["a"]}}}, "check.request.basic: has 1 items"),
        ("ntfy", {"server": {"hosts": []}}, "server.hosts: has 0 items"),
        ("ntfy", {"server": {"plaintext": 1}}, "server.plaintext: is not True"),
        ("ntfy", {"server": {"plaintext": False}}, "server.plaintext: is not True"),
        ("ntfy", {"server": {"ports": [True]}}, "server.ports[0]: is not integer"),
    ],
)
def test_the_schemas_complaints_name_the_place(tmp_path: Path, name: str, parts: dict[str, Any], says: str) -> None:
    """The file, the place, what is wrong there."""
    assert f"tried.json: {says}" in complaint(tmp_path, changed(name, **parts))


@pytest.mark.parametrize(
    "host", ["https://x.example", "x.example:443", "u@x.example", "x/y", "x y", "-x", "", "é.example"]
)
def test_a_host_is_a_name_and_nothing_else(tmp_path: Path, host: str) -> None:
    """No scheme, no port, no user."""
    assert "server.hosts[0]" in complaint(tmp_path, changed("ntfy", server={"hosts": [host]}))


@pytest.mark.parametrize(
    "host", ["localhost", "API.example.com", "*.example.com", "*", "127.0.0.1", "::1", "2001:db8::1"]
)
def test_hosts(tmp_path: Path, host: str) -> None:
    """Names, patterns, addresses."""
    assert loaded(tmp_path, changed("ntfy", server={"hosts": [host]})).file["server"]["hosts"] == [host]


@pytest.mark.parametrize(
    "path", ["//evil.example/x", "/a b", "/a?b=c", "/a#b", "/é", "/a\\b", "x", "", "/a\r\nX: y", "/a\n", "/../a", "/a/./b", "/a/.."]
)  # fmt: skip
def test_a_path_is_one(tmp_path: Path, path: str) -> None:
    """Nothing that a server could take for a host, a query, another path or another line."""
    assert "check.request" in complaint(tmp_path, changed("ntfy", check={"request": {"path": path}}))


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"host": "evil.example"},
        {"Content-Length": "0"},
        {"Transfer-Encoding": "chunked"},
        {"Connection": "upgrade"},
        {"X: y": "z"},
        {"X y": "z"},
        {"": "z"},
        {"X\r\nY": "z"},
        {"X-{secret.token}": "z"},
        {"X": "a\r\nY: z"},
        {"X": "a\n"},
        {"X": "é"},
        {"X-A": "1", "x-a": "2"},
    ],
)
def test_headers_that_may_not_be_set(tmp_path: Path, headers: dict[str, str]) -> None:
    """http.client's own, what breaks a line, and one name twice."""
    assert "check.request" in complaint(tmp_path, changed("ntfy", check={"request": {"headers": headers}}))


@pytest.mark.parametrize(
    ("name", "parts", "says"),
    [
        # W7: an admin's key acts.
        ("rabbitmq", {"set": {"request": {"headers": {"X": "{secret.username}"}}}}, "set.request: {secret.username}"),
        ("rabbitmq", {"set": {"request": {"json": {"x": {"y": ["{secret.x}"]}}}}}, "set.request: {secret.x} may not"),
        ("rabbitmq", {"set": {"request": {"path": "/api/users/{secret.username}"}}}, "set.request: {secret.username}"),
        ("rabbitmq", {"read": {"request": {"query": {"q": "{secret.x}"}}}}, "read.request: {secret.x} may not"),
        ("rabbitmq", {"read": {"request": {"basic": ["{secret.u}", "{admin.p}"]}}}, "read.request: {secret.u} may not"),
        ("twilio", {"issue": {"request": {"form": {"a": "{secret.key_sid}"}}}}, "issue.request: {secret.key_sid}"),
        ("twilio", {"list": {"request": {"path": "/{secret.account_sid}"}}}, "list.request: {secret.account_sid}"),
        ("twilio", {"revoke": {"request": {"path": "/{secret.key_sid}"}}}, "revoke.request: {secret.key_sid}"),
        ("twilio", {"check": {"request": {"basic": ["{admin.key_sid}", "x"]}}}, "check.request: {admin.key_sid}"),
        ("rabbitmq", {"check": {"account": None}}, "check.account: is needed where an admin's key acts"),
        ("keyservice_admin", {"check": {"account": None}}, "check.account: is needed where an admin's key acts"),
        ("rabbitmq", {"account": None}, "account: is needed where an admin's key sets a value"),
        ("ntfy", {"account": "user", "check": {"account": None}}, "account: check.account must answer it"),
        # What is there in each request.
        ("ntfy", {"list": {"request": {"path": "/{admin.key}"}}}, "list.request: {admin.key} may not stand here"),
        ("ntfy", {"list": {"request": {"path": "/{account}"}}}, "list.request: {account} may not stand here"),
        ("ntfy", {"list": {"request": {"path": "/{label}"}}}, "list.request: {label} may not stand here"),
        ("ntfy", {"issue": {"request": {"path": "/{key_id}"}}}, "issue.request: {key_id} may not stand here"),
        ("ntfy", {"issue": {"request": {"path": "/{new}"}}}, "issue.request: {new} may not stand here"),
        ("rabbitmq", {"set": {"request": {"json": {"a": "{label}"}}}}, "set.request: {label} may not stand here"),
        ("sendgrid", {"list": {"request": {"path": "/{read.scopes}"}}}, "list.request: {read.scopes} may not stand"),
        ("sendgrid", {"issue": {"request": {"json": {"a": "{read.b}"}}}}, "issue.request: read.values lacks 'b'"),
        ("ntfy", {"issue": {"request": {"json": {"a": "{read.b}"}}}}, "issue.request: read.values lacks 'b'"),
        ("ntfy", {"check": {"request": {"path": "/{nothing}"}}}, "check.request: there is no placeholder {nothing}"),
        ("ntfy", {"check": {"request": {"path": "/{}"}}}, "check.request: there is no placeholder {}"),
        ("ntfy", {"check": {"request": {"path": "/{secret.}"}}}, "check.request: there is no placeholder {secret.}"),
        ("ntfy", {"check": {"request": {"path": "/{secret.a"}}}, "check.request: a stray brace"),
        ("ntfy", {"check": {"request": {"path": "/{{secret.a}}"}}}, "check.request: a stray brace"),
        ("ntfy", {"issue": {"request": {"json": {"{label}": 1}}}}, "issue.request: a placeholder in the name"),
        ("ntfy", {"check": {"request": {"query": {"{secret.token}": "x"}}}}, "check.request: a placeholder in the name"),
        ("ntfy", {"issue": {"request": {"form": {"a": "b"}}}}, "issue.request: json, form: there is one body"),
        ("ntfy", {"check": {"request": {"basic": ["a", "b"]}}}, "check.request: basic, headers: there is one Authoriz"),
        # Answers.
        ("ntfy", {"check": {"valid": "a ||"}}, "check.valid: is not JMESPath"),
        ("ntfy", {"check": {"account": "["}}, "check.account: is not JMESPath"),
        ("keyservice", {"check": {"key_id": "a b"}}, "check.key_id: is not JMESPath"),
        ("ntfy", {"list": {"keys": "[].{id: }"}}, "list.keys: is not JMESPath"),
        ("ntfy", {"issue": {"fields": {"token": "'"}}}, "issue.fields.token: is not JMESPath"),
        ("rabbitmq", {"read": {"values": {"tags": "&"}}}, "read.values.tags: is not JMESPath"),
        ("rabbitmq", {"read": {"powerful": "("}}, "read.powerful: is not JMESPath"),
        ("rabbitmq", {"read": {"powerful": "a[].{b: has(tags)}"}}, "read.powerful: JMESPath has no function has"),
        # The kinds.
        ("ntfy", {"server": {"plaintext": True}}, "server.plaintext: only where every host is a loopback address"),
        ("ntfy", {"key": {"id": "other"}}, "issue.fields: lacks 'other', which key.id names"),
        ("ntfy", {"key": {"id_proven_by": "check"}}, "check.key_id: is needed"),
        ("rabbitmq", {"value": {"shortest": 40, "longest": 39}}, "value.shortest: is more than value.longest"),
        ("rabbitmq", {"value": {"field": "username"}}, "a rotation would change 'username'"),
        ("rabbitmq", {"value": {"field": "masterarn"}}, "a rotation would change 'masterarn'"),
        ("ntfy", {"issue": {"fields": {"host": "host"}}}, "a rotation would change 'host'"),
        ("twilio", {"issue": {"fields": {"account_sid": "sid"}}}, "a rotation would change 'account_sid'"),
    ],
)  # fmt: skip
def test_what_a_schema_cannot_say(tmp_path: Path, name: str, parts: dict[str, Any], says: str) -> None:
    """Valid by the schema, and yet refused when the function starts."""
    file = changed(name, **parts)
    assert LIBRARY.is_valid(file)
    assert says in complaint(tmp_path, file)


@pytest.mark.parametrize("hosts", [["localhost", "x.example"], ["*"], ["*.localhost"], ["10.0.0.1"]])
def test_plaintext_is_for_loopback_only(tmp_path: Path, hosts: list[str]) -> None:
    """Every one of the hosts."""
    says = complaint(tmp_path, changed("ntfy", server={"hosts": hosts, "plaintext": True}))
    assert "server.plaintext" in says
    assert not loaded(tmp_path, changed("ntfy", server={"hosts": ["LOCALHOST", "::1"], "plaintext": True})).secure


def server(hosts: list[str], ports: list[int], **fields: object) -> tuple[str, int]:
    """Where a secret with these fields is of, by a file with these hosts and ports."""
    return Provider("tried", {"server": {"hosts": hosts, "ports": ports}}).server(Secret(fields, "AWSCURRENT"))


def test_the_host_is_the_files_where_it_names_one() -> None:
    """A secret need not repeat it; in whatever case it is written."""
    assert server(["API.example.com"], [443]) == ("api.example.com", 443)
    assert server(["API.example.com"], [443], host="Api.Example.com.", port="443") == ("api.example.com", 443)
    with pytest.raises(MalformedSecret, match="'host' of AWSCURRENT is missing"):
        server(["*.example.com"], [443])


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "api.example.com.evil.example", "api.example.com@evil.example", "evil.example/api.example.com",
        "evil.example#.api.example.com", "evil.example?.api.example.com", "api.example.com:444", "api.example.com ",
        "[::1]", "api.example.com\r\nHost: evil", "", 1, True, ["api.example.com"], "api.example.com..",
    ],
)  # fmt: skip
def test_a_host_that_the_file_does_not_allow(host: object) -> None:
    """A secret's value names no other; nothing is read as a user, a port or a path."""
    for hosts in (["api.example.com"], ["*.example.com", "*api.example.com"]):
        with pytest.raises(MalformedSecret, match="'host' of AWSCURRENT"):
            server(hosts, [443], host=host)


@pytest.mark.parametrize("port", [80, 444, 0, 65536, "80", "443x", " 443", True, 443.0, -1, "", []])
def test_a_port_that_the_file_does_not_allow(port: object) -> None:
    """The first one is the default, no other than the listed ones is used."""
    assert server(["x"], [8443, 443]) == ("x", 8443)
    assert server(["x"], [8443, 443], port="443") == ("x", 443)
    with pytest.raises(MalformedSecret, match="'port' of AWSCURRENT"):
        server(["x"], [8443, 443], port=port)


@pytest.mark.parametrize(("shortest", "longest", "made"), [(8, 16, 16), (8, 250, 32), (40, 64, 40), (33, 33, 33)])
def test_how_long_a_chosen_value_is(shortest: int, longest: int, made: int) -> None:
    """32 characters, or what is next to that and allowed."""
    provider = Provider("tried", {"value": {"field": "key", "shortest": shortest, "longest": longest}})
    assert len(Settings({}, {}).password_recipe(provider.password_policy).make()) == made
