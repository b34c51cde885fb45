"""Leaks: canaries in every value, rotations that succeed and that fail in each way, and everything read that anybody may read."""

import base64
import json
import logging
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import boto3
import psycopg2
import pytest
from botocore.exceptions import ParamValidationError
from psycopg2 import sql

from common.errors import TargetError
from common.event import Event
from common.guard import Description
from common.handler import Handler, handler_by_secret, rotation_handler
from common.password import PasswordRecipe
from common.rotation import Rotation, Work
from common.secret import PUBLIC, Secret
from common.settings import Settings
from common.store import Store
from common.strategy import SingleUser
from common.target import Authority, ListedKey, Pair, Proven
from rotators.api_key.choice import by_provider
from rotators.api_key.placeholders import Made, Values
from rotators.api_key.provider import load_providers
from rotators.api_key.web import Answer
from rotators.documentdb import clone as documentdb
from rotators.mysql import clone as mysql
from rotators.postgres import clone as postgres
from rotators.postgres.session import Session
from rotators.postgres.target import Postgres
from testkit.keyservice import LOST, Fault, KeyService, Reply
from testkit.providers import write_provider
from testkit.servers.postgres import PostgresServer, find_binaries, postgres_server
from tests.figures import measured
from tests.proof.benches import BENCHES, Bench
from tests.proof.hostile import no_network
from tests.proof.leaks import found, parts, shapes, texts
from tests.proof.memory import CURRENT, PREVIOUS, STEPS, TOKEN, UNLABELLED, Memory
from tests.proof.strangers import Stranger, stranger
from tests.proof.watched import Seen, call, functions, impatient

CURRENT_PASSWORD = "Canary-current-1"
ROTATION_TOKEN = "canary-rotation-token-2-which-is-long-enough"
NAMES = ("canary_user", "canary_user_clone")
MORE = {
    "unknown": "canary-unknown-3 \"quoted\" 'so' and \\so\\ ü🔑",
    "nested": {"deep": [{"er": "canary-nested-4 & <more> +%20"}]},
}
SINGLE, ALTERNATING, DUAL = "single-user", "alternating-users", "dual-password"
STRATEGIES = [*((bench, strategy) for bench in BENCHES for strategy in (SINGLE, ALTERNATING)), ("mysql", DUAL)]


@dataclass
class Stage:
    """A user on a real server, its secret in memory, its function; and what has been seen.

    before: {step: what happens before it}. undo: what is done at the end, for those who come after
    """

    name: str
    bench: Bench
    memory: Memory
    handler: Handler
    strategy: str
    closed: int
    stranger: Stranger
    patch: pytest.MonkeyPatch
    arn: str = ""
    seen: list[Seen] = field(default_factory=list)
    before: dict[str, Callable[[], None]] = field(default_factory=dict)
    undo: ExitStack = field(default_factory=ExitStack)
    values: set[str] = field(default_factory=lambda: {ROTATION_TOKEN})
    token: str = TOKEN

    def keep(self, **fields: Any) -> None:
        """AWSCURRENT with these fields; beside it an admin, AWSPREVIOUS, and one without a label, each with canaries."""
        server = self.bench.server
        admin = self.memory.keep("admin", json.dumps({**self.bench.admin, "more": "canary-of-the-admin-5"}))
        own = {"masterarn": admin} if self.strategy == ALTERNATING else {}
        value = {**server.secret("canary_user", CURRENT_PASSWORD, **own), **MORE, **fields}
        self.store(json.dumps(value))
        held = self.memory.secrets[self.arn]
        held.tags["rotation:strategy"] = self.strategy
        for number, (version, label) in enumerate([(PREVIOUS, "AWSPREVIOUS"), (UNLABELLED, "")]):
            older = {**value, "password": f"Canary-older-{number}", "old": f"canary-old-unknown-{number}"}
            held.values[version] = json.dumps(older)
            held.stages[version] = {label} - {""}

    def store(self, text: str) -> None:
        """AWSCURRENT, as it is stored."""
        if self.arn:
            self.memory.secrets[self.arn].values[CURRENT] = text
        else:
            self.arn = self.memory.keep("leaks", text)

    def rotate(self) -> str | None:
        """All steps, or as far as they come; the code of the error."""
        for step in STEPS:
            self.before.get(step, lambda: None)()
            event = {
                "Step": step,
                "SecretId": self.arn,
                "ClientRequestToken": self.token,
                "RotationToken": ROTATION_TOKEN,
            }
            self.seen.append(call(self.handler, event))
            if self.seen[-1].error:
                return self.seen[-1].code
        return None

    def canaries(self) -> set[str]:
        """Every value that there was, and what parts of it tell it; but for what may be shown."""
        stored = [*self.memory.put, *(text for held in self.memory.secrets.values() for text in held.values.values())]
        hidden = self.values | {one for text in stored for one in _hidden(text)}
        return hidden.union(*map(parts, hidden)) - set(NAMES)

    @property
    def pending(self) -> dict[str, Any]:
        """The value that this rotation has made, also where it has been taken off."""
        found: dict[str, Any] = json.loads(self.memory.secrets[self.arn].values[self.token])
        return found

    def change_pending(self, **fields: object) -> None:
        """In what is stored."""
        self.memory.secrets[self.arn].values[self.token] = json.dumps({**self.pending, **fields})


def _hidden(text: str) -> set[str]:
    try:
        fields = json.loads(text)
    except ValueError:
        return {text}
    return texts({name: item for name, item in fields.items() if name not in PUBLIC})


def _wrong(stage: Stage) -> None:
    stage.keep(password="Canary-wrong-6")


def _server_gone(stage: Stage) -> None:
    stage.keep(port=stage.closed)


def _garbage(stage: Stage) -> None:
    stage.stranger.answers[:] = [b"\x01\x02 what?\r\n"]
    stage.keep(port=stage.stranger.port)


def _untrusted(stage: Stage) -> None:
    stage.patch.delenv("TLS_CA_FILE")
    stage.keep()


def _not_json(stage: Stage) -> None:
    stage.keep()
    stage.store('{"username": "app", "password": "Canary-unclosed-7')


def _a_list(stage: Stage) -> None:
    stage.keep(password=["Canary-in-a-list-8"])


def _uri(stage: Stage) -> None:
    stage.keep(password="postgresql://u:Canary-in-a-uri-9@h/db?x=%zz", dbname="postgresql://u@h:x/db")


def _statement(stage: Stage) -> None:
    stage.keep(username="x'\"; ALTER ROLE y --", password="Canary-after-'\"\\;--10")


def _id_too_short(stage: Stage) -> None:
    stage.keep()
    stage.token = "too-short"
    stage.memory.next_rotation(stage.arn, stage.token)


def _service_refuses(stage: Stage) -> None:
    stage.keep()
    stage.memory.refuses = {"PutSecretValue": "InternalServiceError"}


def _somebody_staged(stage: Stage) -> None:
    stage.keep()
    value = {**stage.memory.value(stage.arn), "password": "Canary-staged-11", "host": "elsewhere"}
    stage.memory.secrets[stage.arn].values[TOKEN] = json.dumps(value)


def _succeeds(stage: Stage) -> None:
    stage.keep()


def _policy_refuses(stage: Stage) -> None:
    stage.keep()
    stage.before["setSecret"] = lambda: _POLICIES[stage.name](stage)


def _by_passwordcheck(stage: Stage) -> None:
    """A password that is the user's name is known by its verifier."""
    _set_up(stage, "ALTER SYSTEM SET session_preload_libraries = 'passwordcheck'", "SELECT pg_reload_conf()")
    _tear_down(stage, "ALTER SYSTEM RESET session_preload_libraries", "SELECT pg_reload_conf()")
    stage.change_pending(password=stage.pending["username"])


def _by_validate_password(stage: Stage) -> None:
    what = "COMPONENT 'file://component_validate_password'"
    _set_up(stage, f"INSTALL {what}", "SET GLOBAL validate_password.length = 100")
    _tear_down(stage, f"UNINSTALL {what}")


def _by_simple_password_check(stage: Stage) -> None:
    _set_up(stage, "INSTALL SONAME 'simple_password_check'", "SET GLOBAL simple_password_check_minimal_length = 100")
    _tear_down(stage, "SET GLOBAL simple_password_check_minimal_length = 8", "UNINSTALL SONAME 'simple_password_check'")


def _by_ourselves(stage: Stage) -> None:
    """Redshift cannot judge a hash."""
    stage.change_pending(password="Canary-not-taken-12 '/")


def _by_its_code(stage: Stage) -> None:
    fails = stage.bench.server.fails
    fails |= dict.fromkeys(("createUser", "updateUser"), 2)  # BadValue
    stage.undo.callback(fails.clear)


_POLICIES: dict[str, Callable[[Stage], None]] = {
    "postgres": _by_passwordcheck,
    "mysql": _by_validate_password,
    "mariadb": _by_simple_password_check,
    "redshift": _by_ourselves,
    "documentdb": _by_its_code,
}


def _set_up(stage: Stage, *statements: str) -> None:
    for statement in statements:
        stage.bench.server.run(statement)


def _tear_down(stage: Stage, *statements: str) -> None:
    stage.undo.callback(_set_up, stage, *statements)


def _changed_meanwhile(stage: Stage) -> None:
    """Somebody sets another password between setSecret and testSecret."""
    stage.keep()
    server = stage.bench.server.behind_it if stage.name == "documentdb" else stage.bench.server
    stage.before["testSecret"] = lambda: server.set_password(stage.pending["username"], "Canary-by-hand-13")


def _admin_is_refused(stage: Stage) -> None:
    stage.keep()
    stage.memory.keep("admin", json.dumps({**stage.bench.admin, "password": "Canary-not-the-admins-14"}))


def _admin_may_not(stage: Stage) -> None:
    stage.keep()
    admin = stage.bench.admin["username"]
    if stage.name == "documentdb":
        user = stage.bench.server.user(admin)
        stage.undo.callback(setattr, user, "may", user.may)
        user.may = frozenset()
        return
    taken, given = {
        "postgres": (f"ALTER ROLE {admin} NOCREATEROLE", f"ALTER ROLE {admin} CREATEROLE"),
        "redshift": (f"ALTER USER {admin} NOCREATEUSER", f"ALTER USER {admin} CREATEUSER"),
    }.get(stage.name, (f"REVOKE CREATE USER ON *.* FROM {admin}", f"GRANT CREATE USER ON *.* TO {admin}"))
    _set_up(stage, taken)
    _tear_down(stage, given)


# {what happens: (how, the codes that it may end in)}
CASES: dict[str, tuple[Callable[[Stage], None], set[str | None]]] = {
    "it succeeds": (_succeeds, {None}),
    "the wrong password": (_wrong, {"no-login-works"}),
    "the server is gone": (_server_gone, {"target-unreachable"}),
    "garbage answers": (_garbage, {"target-closed", "tls-failed", "tls-refused", "target-refuses", "login-refused"}),
    "TLS is not trusted": (_untrusted, {"tls-untrusted"}),
    "no JSON": (_not_json, {"secret-not-json"}),
    "a field of another type": (_a_list, {"secret-field-invalid"}),
    "a URI of libpq's": (_uri, {"no-login-works", "secret-field-invalid"}),
    "a name like a statement": (_statement, {"no-login-works"}),
    "PutSecretValue is not even sent": (_id_too_short, {"store-refused"}),
    "PutSecretValue is refused, and quoted": (_service_refuses, {"store-refused"}),
    "somebody staged another value": (_somebody_staged, {"pending-differs"}),
    "the policy refuses the new password": (_policy_refuses, {"password-refused"}),
    "testSecret is refused": (_changed_meanwhile, {"login-rejected"}),
}
OF_ADMINS: dict[str, tuple[Callable[[Stage], None], set[str | None]]] = {
    "the admin is refused": (_admin_is_refused, {"admin-rejected"}),
    "the admin lacks a right": (_admin_may_not, {"admin-lacks-right", "change-forbidden"}),
}
# {server: {its log: what a rotation that succeeds leaves there}}: an empty log would hold no value, and prove nothing.
LOGGED = {
    "postgres": {"log": r"ALTER ROLE \"canary_user.* PASSWORD 'SCRAM-SHA-256\$"},
    "mysql": {"log": r"ALTER USER .* BY <secret>"},
    "mariadb": {"log": r"PASSWORD (= )?'\*[0-9A-F]{40}'"},
    "redshift": {"log": r"ALTER USER \"canary_user.* PASSWORD 'md5", "log behind": r'\["password", "md5'},
    "documentdb": {"log": "canary_user"},
}
# Where a policy insists on judging passwords, MariaDB is sent them, and its log shows them: rotators/mysql/README.md, "Logs".
SHOWN = ("mariadb", "the policy refuses the new password")


@pytest.fixture(params=STRATEGIES, ids=", ".join)
def stages(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], Stage]]:
    """Each server with each strategy: a new secret for each case, and its user as it was."""
    name, strategy = request.param
    impatient(monkeypatch)
    monkeypatch.setattr("rotators.documentdb.session.CONNECT_SECONDS", 1.0)
    with (
        BENCHES[name](request.getfixturevalue, tmp_path) as bench,
        functions(bench.rotator) as (memory, handlers),
        stranger() as somebody,
        no_network(bench.server.port, somebody.port, *bench.behind) as closed,
    ):
        monkeypatch.setenv("ADMIN_SECRETS", "*:secret:admin-*")

        def stage() -> Stage:
            monkeypatch.setenv("TLS_CA_FILE", str(bench.server.ca_file))
            memory.secrets.clear()
            memory.put.clear()
            memory.refuses.clear()
            return Stage(name, bench, memory, handlers[bench.rotator], strategy, closed, somebody, monkeypatch)

        yield stage


class Logs:
    """What a server has logged since; not FerretDB's own log, which shows every command whole, as MongoDB's does not."""

    def __init__(self, bench: Bench) -> None:
        self.files: dict[str, Path] = {"log": bench.server.log}
        if bench.rotator == "redshift":
            self.files["log behind"] = bench.server.behind_it.log
        self.marks = {name: file.stat().st_size for name, file in self.files.items()}

    def since(self) -> dict[str, str]:
        """What is new in each."""
        return {name: _from(file, self.marks[name]) for name, file in self.files.items()}


def _from(file: Path, mark: int) -> str:
    with file.open("rb") as opened:
        opened.seek(mark)
        return opened.read().decode(errors="replace")


@dataclass(frozen=True)
class Told:
    """What one rotation has told, and of what. code: of its error. logged: what each of the server's logs has of it."""

    code: str | None
    places: dict[str, str]
    logged: dict[str, str]
    canaries: set[str]

    def leaks(self, shown: set[str]) -> list[str]:
        """Which value stands where. shown: those that the server's logs may hold."""
        logs = {f"the server's {log}": text for log, text in self.logged.items()}
        return found(self.canaries, self.places) + found(self.canaries - shown, logs)


def told(stage: Stage, prepare: Callable[[Stage], None]) -> Told:
    """Rotate a new user, and listen."""
    with stage.undo, stage.bench.user("canary_user", CURRENT_PASSWORD) as taken:
        assert taken
        prepare(stage)
        logs = Logs(stage.bench)
        code = stage.rotate()
        logged = logs.since()
    places = {
        f"{step}: {place}": text
        for step, seen in zip(STEPS, stage.seen, strict=False)
        for place, text in seen.places().items()
    }
    return Told(code, places, logged, stage.canaries())


def test_no_value_in_any_place(stages: Callable[[], Stage], request: pytest.FixtureRequest) -> None:
    """Whatever happens, no value of any version: not printed, not logged, not raised, not in the server's log of all statements."""
    searched = records = 0
    leaks: list[str] = []
    with measured("leaks", request.node.callspec.id) as figures:
        for case, (prepare, codes) in {**CASES, **OF_ADMINS}.items():
            stage = stages()
            if case in OF_ADMINS and stage.strategy != ALTERNATING:
                continue
            seen = told(stage, prepare)
            assert seen.code in codes, (case, stage.seen[-1].error)
            if seen.code is None:
                for log, what in LOGGED[stage.name].items():
                    assert re.search(what, seen.logged[log]), (log, seen.logged[log])
            assert (case == "no JSON") == ("Canary-unclosed-7" in seen.canaries)
            assert {ROTATION_TOKEN, *texts(MORE)} <= seen.canaries or case == "no JSON"
            shown = {stage.pending["password"]} if (stage.name, case) == SHOWN else set()
            leaks += [f"{case}: {leak}" for leak in seen.leaks(shown)]
            texts_read = [*seen.places.values(), *seen.logged.values()]
            searched += len(texts_read)
            records += sum(text.count("\n") + 1 for text in texts_read if text)
        figures.update(places_searched=searched, records=records, found=len(leaks), broken=leaks)
        assert not leaks


@pytest.mark.parametrize("stages", [("redshift", SINGLE)], ids=", ".join, indirect=True)
def test_a_password_in_one_of_two_logs_is_found(stages: Callable[[], Stage], monkeypatch: pytest.MonkeyPatch) -> None:
    """Redshift's own, which comes first: sent as it is, the password stands there, and behind it a hash alone."""
    monkeypatch.setattr("rotators.redshift.target.stored", lambda password, _: sql.Literal(password))
    seen = told(stages(), _succeeds)
    assert seen.code is None
    assert [leak.partition("… in ")[2] for leak in seen.leaks(set())] == ["the server's log"]


UNREAD = b'{"id": "k99", "key": "Canary-unread-key-15'


def _quoting(service: KeyService, status: int) -> Fault:
    """A refusal that quotes every key there is."""
    keys = [*(key.key for number in range(len(OF_KEYS)) for key in service.keys(f"app-{number}")), service.admin_key]
    said = Reply(status, {"error": f"not by {' or '.join(keys)}"}, {"WWW-Authenticate": f'Bearer error="{keys[0]}"'})
    return Fault(acts=False, reply=said)


# {what happens in the third rotation: (how, the codes that it may end in)}
OF_KEYS: dict[str, tuple[Callable[[KeyService, Memory], object], set[str | None]]] = {
    "it succeeds": (lambda service, _: service.heal(), {None}),
    "a key is issued, and the answer lost": (
        lambda service, _: service.next("issue", LOST),
        {"answer-lost"},
    ),
    "a key is issued, and the answer cut off": (
        lambda service, _: service.always("issue", Fault(reply=Reply(201, UNREAD))),
        {"answer-unreadable"},
    ),
    "issuing is refused, and the key quoted": (
        lambda service, _: service.always("issue", _quoting(service, 401)),
        {"login-rejected", "admin-rejected"},
    ),
    "no list, but every key": (
        lambda service, _: service.always("list", replace(_quoting(service, 200), acts=True)),
        {"answer-unreadable"},
    ),
    "a key is issued, and not stored": (
        lambda _, memory: memory.refuses.update(PutSecretValue="InternalServiceError"),
        {"store-refused"},
    ),
    "the new key is refused, and quoted": (
        lambda service, _: service.always("check", _quoting(service, 403)),
        {"service-forbids"},
    ),
    "revoking fails, and the keys are quoted": (
        lambda service, _: service.always("revoke", _quoting(service, 500)),
        {"service-unavailable"},
    ),
}


@pytest.mark.parametrize("provider", ["keyservice", "keyservice_admin"])
def test_no_key_in_any_place(
    provider: str,
    keyservice: KeyService,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    """Whatever a service answers, and whose key asks: none of the keys that it has issued, nor any other value."""
    impatient(monkeypatch)
    monkeypatch.setenv("TLS_CA_FILE", str(keyservice.ca_file))
    monkeypatch.setenv("ADMIN_SECRETS", "*:secret:admin-*")
    admins: Any = {"admin": {"secrets": ["*:secret:admin-*"]}} if provider == "keyservice_admin" else {}
    write_provider(tmp_path / "providers", provider, keyservice.port, **admins)
    names = {case: f"app-{number}" for number, case in enumerate(OF_KEYS)}
    searched = records = 0
    leaks: list[str] = []
    with (
        functions("api_key") as (memory, _),
        no_network(keyservice.port),
        measured("leaks", f"api_key, {request.node.callspec.id}") as figures,
    ):
        handler = handler_by_secret("api_key", by_provider(load_providers(tmp_path / "providers")))
        for case, (prepare, codes) in OF_KEYS.items():
            keyservice.heal()
            memory.refuses.clear()
            seen = _three_rotations(handler, memory, keyservice, names[case], provider, prepare)
            assert seen[-1].code in codes, (case, seen[-1].error)
            stored = [*memory.put, *(text for held in memory.secrets.values() for text in held.values.values())]
            issued = {key.key for name in names.values() for key in keyservice.keys(name)}
            canaries = {ROTATION_TOKEN, keyservice.admin_key, *parts(UNREAD.decode()), *issued}.union(
                *map(_hidden, stored)
            )
            assert len(issued) > 2
            places = {
                f"{number}: {place}": text for number, one in enumerate(seen) for place, text in one.places().items()
            }
            leaks += [f"{case}: {leak}" for leak in found(canaries, places)]
            searched += len(places)
            records += sum(text.count("\n") + 1 for text in places.values() if text)
        figures.update(places_searched=searched, records=records, found=len(leaks), broken=leaks)
        assert not leaks


def _three_rotations(
    handler: Handler,
    memory: Memory,
    service: KeyService,
    name: str,
    provider: str,
    prepare: Callable[[KeyService, Memory], object],
) -> list[Seen]:
    """Of a new secret with a key made by hand: the third has one to revoke that was issued, and something happens to it."""
    service.create_account(name)
    (first,) = service.live(name)
    admin = memory.keep("admin", json.dumps(service.secret(service.admin_key)))
    value = service.secret(first.key, key_id=first.id, masterarn=admin, **MORE)
    arn, seen = memory.keep(name, json.dumps(value), provider=provider), []
    for token in (TOKEN, "e" * 32, "f" * 32):
        if token[0] == "f":
            prepare(service, memory)
        memory.next_rotation(arn, token)
        for step in STEPS:
            asked = {"Step": step, "SecretId": arn, "ClientRequestToken": token, "RotationToken": ROTATION_TOKEN}
            seen.append(call(handler, asked))
            if seen[-1].error:
                return seen
    return seen


NASTY = "Canary-\"a\" 'b' \\c\\ %d ü🔑 <e>+/="


def test_the_search_knows_parts() -> None:
    """Of a URI that libpq shows a part of, and of JSON without an end."""
    uri, broken = "postgresql://u:Canary-in-a-uri-9@h/db?x=%zz", '{"username": "app", "password": "Canary-unclosed-7'
    assert found(parts(uri), {"libpq": 'invalid percent-encoded token: "Canary-in-a-uri-9%zz"'})
    assert found(parts(broken), {"a parser": "unterminated string: Canary-unclosed-7"})


@pytest.mark.parametrize("shape", sorted(shapes(NASTY)))
def test_the_search_knows_every_shape(shape: str) -> None:
    """Quoted, escaped, encoded, and in the midst of something else: it is found."""
    assert found([NASTY], {"a place": f"before {shape} after"})


def test_the_search_knows_base64_in_the_midst_of_more() -> None:
    """As a header has a user with its password, whatever comes before and after."""
    for before in ("", "a:", "us:", "user:"):
        encoded = base64.b64encode(f"{before}{NASTY}\n".encode()).decode()
        assert found([NASTY], {"a header": f"Basic {encoded}"})


def _prints(value: str) -> None:
    print(value)


def _prints_to_stderr(value: str) -> None:
    print(value, file=sys.stderr)


def _logs(value: str) -> None:
    logging.getLogger("driver").debug("sent %r", value)


def _raises(value: str) -> None:
    raise TargetError("x", value, "y")


def _raises_in_a_context(value: str) -> None:
    try:
        raise ValueError(value)  # noqa: TRY301  likewise
    except ValueError:
        raise TargetError("x", "y", "z")  # noqa: B904  the careless way


def _keeps_in_a_frame(value: str) -> None:
    kept = value.upper().lower()
    assert not kept, "…"


@pytest.mark.parametrize(
    ("careless", "place"),
    [
        (_prints, "stdout, with the metrics"),
        (_prints_to_stderr, "stderr"),
        (_logs, "logs at DEBUG"),
        (_raises, "the exception"),
        (_raises_in_a_context, "the exception"),
        (_keeps_in_a_frame, "its frames' locals"),
    ],
)
def test_the_search_knows_every_place(careless: Callable[[str], None], place: str) -> None:
    """A handler that is careless in one way each is caught there."""
    seen = call(lambda event, _: careless(event["value"]), {"value": "canary-of-this-test"})  # type: ignore[index]
    assert any(leak.endswith(f"in {place}") for leak in found(["canary-of-this-test"], seen.places()))


# The leaky places of the field notes: that the trap is there, and that we do not step into it.


def test_postgresql_logs_statements_with_their_passwords(server: PostgresServer, trusted: Path) -> None:
    """At log_statement=ddl and all, and where a statement fails: a plain ALTER ROLE is in the log, ours is not."""
    assert trusted.exists()
    server.create_user("leaky", "Canary-first-1")
    target, old = Postgres(), Secret(server.secret("leaky", "Canary-first-1"), "AWSCURRENT")
    try:
        for number, level in enumerate(("ddl", "all", "none")):
            server.run(f"ALTER SYSTEM SET log_statement = '{level}'")
            server.run("SELECT pg_reload_conf()")
            mark, new = len(server.log.read_text()), old.with_fields("AWSPENDING", password=f"Canary-new-{number}")
            target.change_password(old, new)
            log, old = server.log.read_text()[mark:], new
            assert ("ALTER ROLE" in log) == (level != "none")
            assert not found([new.text("password")], {"log": log})
        mark = len(server.log.read_text())
        server.run("ALTER SYSTEM RESET log_statement")
        server.run("SELECT pg_reload_conf()")
        server.run("ALTER ROLE leaky PASSWORD 'Canary-plain-4'", ("leaky", old.text("password")))
        assert found(["Canary-plain-4"], {"log": server.log.read_text()[mark:]}), "the trap"
    finally:
        server.run("ALTER SYSTEM RESET log_statement")
        server.run("SELECT pg_reload_conf()")
        server.run("DROP ROLE leaky")


def test_a_json_error_carries_the_whole_secret() -> None:
    """A JSONDecodeError has the text in `doc`, for whoever prints an error's attributes or context."""
    text = '{"password": "Canary-in-json-1"'
    with pytest.raises(json.JSONDecodeError) as trap:
        json.loads(text)
    assert found(["Canary-in-json-1"], {"doc": trap.value.doc}), "the trap"
    with functions("postgres") as (memory, handlers):
        event = {"Step": "createSecret", "SecretId": memory.keep("leaks", text), "ClientRequestToken": TOKEN}
        seen = call(handlers["postgres"], event)
    assert seen.code == "secret-not-json"
    assert not found([text, "Canary-in-json-1"], seen.places())


def test_boto_prints_what_it_refuses_to_send() -> None:
    """A ParamValidationError prints SecretString, here where the version's id is too short."""
    with pytest.raises(ParamValidationError) as trap:
        boto3.client("secretsmanager").put_secret_value(SecretId="x", SecretString=["Canary-unsent-1"])  # type: ignore[arg-type]
    assert found(["Canary-unsent-1"], {"its text": str(trap.value)}), "the trap"
    with functions("postgres") as (memory, handlers):
        value = {
            "engine": "postgres",
            "host": "x",
            "username": "x",
            "password": "Canary-current-1",
            "more": "Canary-more-2",
        }
        arn = memory.keep("leaks", json.dumps(value))
        memory.next_rotation(arn, "short")
        seen = call(handlers["postgres"], {"Step": "createSecret", "SecretId": arn, "ClientRequestToken": "short"})
    assert seen.code == "store-refused"
    assert not found(["Canary-current-1", "Canary-more-2"], seen.places())


@pytest.mark.usefixtures("trusted")
def test_postgresql_echoes_the_statement_that_it_does_not_understand(server: PostgresServer) -> None:
    """A syntax error has the statement in its text, and psycopg2's exception keeps the whole of it; ours has its SQLSTATE."""
    statement = "ALTER ROLE x PASSWORD Canary-unquoted-1"
    with pytest.raises(psycopg2.Error) as trap:
        server.run(statement)
    assert found([statement], {"its text": str(trap.value)}), "the trap"

    class Careless(Postgres):
        def check(self, login: Secret) -> str:
            with Session(login, self.account(login)) as session:
                session.run(sql.SQL(statement))  # the careless way
            return ""

    with functions("postgres") as (memory, _):
        handler = rotation_handler(SingleUser(Careless()))
        arn = memory.keep("leaks", json.dumps(server.secret("postgres", server.password)))
        memory.secrets[arn].values[TOKEN] = memory.secrets[arn].values[CURRENT]
        seen = call(handler, {"Step": "testSecret", "SecretId": arn, "ClientRequestToken": TOKEN})
    assert seen.code == "change-refused"
    assert "42601" in str(seen.error)
    assert not found([statement, "Canary-unquoted-1"], seen.places())


def test_libpq_echoes_a_part_of_the_password_in_a_uri(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a URI that it cannot read; ours are no URIs, whatever the fields look like."""
    uri = "postgresql://user:Canary-in-uri-1%zz@host/db"
    with pytest.raises(psycopg2.Error) as trap:
        psycopg2.connect(uri)
    assert found(["Canary-in-uri-1"], {"its text": str(trap.value)}), "the trap"
    impatient(monkeypatch)
    with functions("postgres") as (memory, handlers), no_network() as port:
        for fields in ({"password": uri}, {"dbname": uri[:60]}, {"username": uri[:60]}):
            value = {
                "engine": "postgres",
                "host": "localhost",
                "port": port,
                "username": "u",
                "password": "Canary-pw-2",
            }
            arn = memory.keep("leaks", json.dumps({**value, **fields}))
            memory.secrets[arn].values[TOKEN] = memory.secrets[arn].values[CURRENT]
            seen = call(handlers["postgres"], {"Step": "testSecret", "SecretId": arn, "ClientRequestToken": TOKEN})
            assert seen.code == "target-unreachable"
            hidden = ["Canary-pw-2", *({uri} | parts(uri) if "password" in fields else ())]
            assert not found(hidden, seen.places())


def test_a_refusal_that_quotes_a_verifier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL's policy refuses, and its log has the statement: with a verifier in it, not the password."""
    binaries = find_binaries()
    assert tmp_path.exists()
    if binaries is None:
        pytest.skip("no PostgreSQL")
    with (
        postgres_server(binaries, shared_preload_libraries="passwordcheck") as strict,
        functions("postgres") as (memory, handlers),
    ):
        monkeypatch.setenv("TLS_CA_FILE", str(strict.ca_file))
        impatient(monkeypatch)
        strict.create_user("Canary-user-1", "Canary-first-2")
        current = strict.secret("Canary-user-1", "Canary-first-2")
        arn = memory.keep("leaks", json.dumps(current))
        memory.secrets[arn].values[TOKEN] = json.dumps({**current, "password": "Canary-user-1"})
        mark = strict.log.stat().st_size
        seen = call(handlers["postgres"], {"Step": "setSecret", "SecretId": arn, "ClientRequestToken": TOKEN})
        assert seen.code == "password-refused"
        log = _from(strict.log, mark)
        refused = [line for line in log.splitlines() if "STATEMENT:  ALTER ROLE" in line]
        assert refused
        # The password is the user's name, which the log may show: so all that stands where the password would.
        sent = re.findall(r"PASSWORD +(E?'[^']*')", log)
        assert len(sent) >= len(refused)
        assert all(one.startswith("'SCRAM-SHA-256$") for one in sent), "only verifiers"
        assert "PASSWORD 'Canary-user-1'" not in log
        assert not found(["Canary-first-2"], {"log": log, **seen.places()})


def test_values_that_hold_a_secret_do_not_show_it() -> None:
    """repr, str and format of every value of `common` and the targets that can hold one, alone and in a list."""
    canary = "Canary-in-a-value-1"
    secret = Secret({"username": "app", "password": canary, "more": {"a": [canary]}}, "AWSCURRENT of app")
    event = Event("setSecret", "arn", TOKEN, canary)
    described = Description("arn", True, {TOKEN: frozenset({"AWSPENDING"})}, {})  # noqa: FBT003
    settings = Settings({}, {"AWS_SECRET_ACCESS_KEY": canary})
    work = Work(event, Store(boto3.client("secretsmanager")), described, settings, [], {TOKEN: secret})
    unopened: Any = None
    pair, proven = Pair("app", "app_clone"), Proven("app")
    values = [
        secret,
        event,
        settings,
        work,
        Rotation(work, secret, secret, Postgres()),
        Authority(secret),
        ListedKey(canary, "label"),
        Values(secret, secret, {"new": canary}),
        Made("POST", f"/{canary}", {"Authorization": canary}, canary.encode()),
        Answer(200, canary.encode()),
        PasswordRecipe(8, "abc"),
        documentdb.Turn(unopened, pair, "admin", "app", canary, proven=False),
        mysql.Turn(unopened, pair, "app", canary, proven),
        postgres.Turn(unopened, pair, secret, "app", proven=False),
    ]
    with measured("leaks", "repr, str and format", places_searched=4 * len(values), records=len(values)) as figures:
        leaks = [leak for value in values for leak in found([canary], _shown(value))]
        figures.update(found=len(leaks), broken=leaks)
        assert not leaks


def _shown(value: object) -> dict[str, str]:
    """In each way, by its type."""
    shown = {"repr": repr(value), "str": str(value), "format": f"{value}", "in a list": f"{[value]}"}
    return {f"the {way} of {type(value).__qualname__}": text for way, text in shown.items()}
