"""Each thing that goes wrong has an error of its own: its code, what it names, in time, and nothing changed."""

import contextlib
import hashlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from testkit.certificates import Authority
from testkit.servers.postgres import PostgresServer, find_binaries, postgres_server
from tests.integration.world import World

REPORT_SECONDS = 15
LONG_NAME = "é" * 32  # 64 bytes


@dataclass(frozen=True)
class Case:
    """code: of the error. edit: fields of the secret. names: what the error says. More: SQL before, environment."""

    code: str
    edit: dict[str, Any] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    sql: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    step: str = "setSecret"
    raw: str | None = None  # instead of the secret's JSON
    without_tls: bool = False  # at a server that does not speak TLS
    root: str = ""  # the function trusts another root ("another"), or those that we ship ("ours")


AT = ("localhost", "{port}")
CASES = {
    "no JSON": Case("secret-not-json", raw="canary-PASSWORD: no JSON", step="createSecret"),
    "no object": Case("secret-not-json", raw='["canary-PASSWORD"]', step="createSecret"),
    "half of an object": Case("secret-not-json", raw='{"password": "canary-PASSWORD"', step="createSecret"),
    "refused TLS": Case("tls-refused", {"port": "{plain}"}, ("localhost:{plain}", "'ssl' to false"), without_tls=True),
    "wrong CA": Case("tls-untrusted", names=(*AT, "TLS_CA_FILE"), root="another"),
    "a CA that we do not ship": Case("tls-untrusted", names=AT, root="ours"),
    "engine missing": Case("secret-field-missing", {"engine": None}, ("'engine'",), step="createSecret"),
    "host missing": Case("secret-field-missing", {"host": None}, ("'host'",), step="createSecret"),
    "username missing": Case("secret-field-missing", {"username": None}, ("'username'",), step="createSecret"),
    "password missing": Case("secret-field-missing", {"password": None}, ("'password'",), step="createSecret"),
    "wrong engine": Case("secret-engine-wrong", {"engine": "oracle"}, ("postgres, aurora",), step="createSecret"),
    "ssl nonsense": Case("secret-ssl-invalid", {"ssl": "yes"}, ("'ssl'", "neither true nor"), step="createSecret"),
    "port nonsense": Case("secret-field-invalid", {"port": "5432x"}, ("'port'",), step="createSecret"),
    "host nonsense": Case("secret-field-invalid", {"host": "a,b"}, ("'host'",), step="createSecret"),
    "user too long": Case("secret-field-invalid", {"username": LONG_NAME}, ("63 bytes",), step="createSecret"),
    "database too long": Case("secret-field-invalid", {"dbname": LONG_NAME}, ("'dbname'",), step="createSecret"),
    "server name nonsense": Case("secret-field-invalid", {"tls_server_name": "a b"}, ("name",), step="createSecret"),
    "password length": Case(
        "setting-invalid",
        tags={"rotation:password-length": "4"},
        names=("rotation:password-length",),
        step="createSecret",
    ),
    "strategy": Case(
        "setting-invalid", tags={"rotation:strategy": "magic"}, names=("single-user",), step="createSecret"
    ),
    "CA file missing": Case("setting-invalid", environment={"TLS_CA_FILE": "/nowhere.pem"}, names=("TLS_CA_FILE",)),
    "connection refused": Case("target-unreachable", {"port": 1}, ("localhost:1", "security group")),
    "name unknown": Case("target-name-unknown", {"host": "nowhere.invalid"}, ("nowhere.invalid", "DNS")),
    "wrong host name in the certificate": Case(
        "tls-wrong-name", {"host": "127.0.0.1"}, ("127.0.0.1", "tls_server_name")
    ),
    "wrong name asked for": Case("tls-wrong-name", {"tls_server_name": "other.example.com"}, AT),
    "wrong password": Case(
        "no-login-works",
        names=(*AT, "{user}", "AWSCURRENT, AWSPENDING"),
        sql="ALTER ROLE \"{user}\" PASSWORD 'changed-by-hand'",
    ),
    "database missing": Case("database-missing", {"dbname": "nix"}, (*AT, "dbname")),
    "database missing, hostile name": Case(
        "database-missing", {"dbname": 'password authentication failed for user "x"'}
    ),
    "database is no option": Case("database-missing", {"dbname": "postgres host=127.0.0.1 sslmode=disable"}),
    "database is no URL": Case("database-missing", {"dbname": "postgresql://127.0.0.1/x?sslmode=disable"}),
    "database forbidden": Case("database-forbidden", {"dbname": "closed"}, ("GRANT CONNECT",)),
    "role may not log in": Case("no-login-works", names=("may not log in",), sql='ALTER ROLE "{user}" NOLOGIN'),
    "too many connections": Case("target-busy", names=AT, sql='ALTER ROLE "{user}" CONNECTION LIMIT 0'),
    "plaintext refused": Case("tls-required", {"username": "tls_only", "ssl": False}, (*AT, "'ssl' is false")),
    "not admitted": Case("login-not-admitted", {"username": "turned_away"}, ("pg_hba.conf",)),
    "asked for the password in clear": Case("login-method", {"username": "in_clear"}, ("no password was sent",)),
    "trusts everybody": Case("login-method", {"username": "trusted"}, ("SCRAM or MD5",)),
}


@pytest.fixture(scope="module", autouse=True)
def _special_users(server: PostgresServer) -> None:
    """The users that pg_hba.conf treats in a way of its own, and a database that is closed."""
    for user in ("tls_only", "turned_away", "in_clear", "trusted", "old_md5"):
        server.create_user(user, "canary-first-PASSWORD")
    server.run("CREATE DATABASE closed")
    server.run("REVOKE CONNECT ON DATABASE closed FROM PUBLIC")


@pytest.fixture(scope="module")
def plain() -> Iterator[PostgresServer]:
    """A server that does not speak TLS."""
    binaries = find_binaries()
    assert binaries is not None
    with postgres_server(binaries, ssl="off") as running:
        yield running


@dataclass(frozen=True)
class Made:
    """A case made to happen: the world, the texts that its names stand for, the secret's value before."""

    world: World
    texts: dict[str, object]
    before: str


@pytest.fixture
def made(
    request: pytest.FixtureRequest, world: World, plain: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Made:
    """The case's settings, SQL and value."""
    case: Case = CASES[request.param]
    texts = {"port": world.server.port, "user": world.user, "plain": plain.port}
    for variable, value in case.environment.items():
        monkeypatch.setenv(variable, value)
    if case.root:
        other = tmp_path / "other.pem"
        other.write_bytes(Authority("another root").pem)
        monkeypatch.setenv("TLS_CA_FILE", str(other) if case.root == "another" else "")
    world.client.tag_resource(SecretId=world.arn, Tags=[{"Key": k, "Value": v} for k, v in case.tags.items()])
    if case.sql:
        world.server.run(case.sql.format(user=world.user))
    edit = {name: value.format(**texts) if case.without_tls else value for name, value in case.edit.items()}
    text = case.raw or json.dumps({**world.value(), **edit})
    world.client.put_secret_value(SecretId=world.arn, SecretString=text)
    world.aws.tries = 1
    return Made(world, texts, text)


@pytest.mark.parametrize(("made", "name"), [(name, name) for name in CASES], indirect=["made"])
def test_each_failure_has_its_own_error(made: Made, name: str) -> None:
    """The table of docs/errors.md, made to happen."""
    case, world = CASES[name], made.world
    started = time.monotonic()
    rotation = world.rotate()
    seconds = time.monotonic() - started

    assert not rotation.succeeded
    assert rotation.runs[-1].step == case.step
    for part in (f"[{case.code}]", *case.names):
        assert part.format(**made.texts) in str(rotation.error)
    (record,) = [record for record in rotation.runs[-1].invocation.records() if "outcome" in record]  # type: ignore[union-attr]
    assert (record["outcome"], record["error_code"]) == ("failed", case.code)
    assert "canary" not in rotation.log + str(rotation.error)
    assert world.client.get_secret_value(SecretId=world.arn)["SecretString"] == made.before, "AWSCURRENT is what it was"
    assert seconds < REPORT_SECONDS
    if not case.sql:
        assert world.server.accepts(world.user, "canary-first-PASSWORD"), "the server's password is what it was"


def test_a_ca_file_without_certificates(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is there, and holds nothing."""
    empty = tmp_path / "empty.pem"
    empty.write_text("no certificate\n")
    monkeypatch.setenv("TLS_CA_FILE", str(empty))
    assert "[tls-ca-unreadable]" in str(world.rotate().error)


def test_plaintext_only_where_the_secret_says_so(world: World, plain: PostgresServer) -> None:
    """A server without TLS: no login by itself; where the secret says ssl: false, it rotates."""
    plain.create_user(world.user, "canary-first-PASSWORD")
    world.put(port=plain.port)
    world.refused("tls-refused")
    assert f"connection authorized: user={world.user}" not in plain.log.read_text()
    world.put(ssl=False)
    world.rotated()
    assert plain.accepts(world.user, world.value()["password"])


@contextlib.contextmanager
def listener(behaviour: Callable[[socket.socket], None] | None) -> Iterator[int]:
    """A port where something odd listens: its backlog is full (None), or each connection gets this behaviour."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0 if behaviour is None else 16))
        port = server.getsockname()[1]
        if behaviour is None:
            # Linux takes one connection more than the backlog says, then lets no one in and answers nothing.
            for _ in range(3):
                filler = stack.enter_context(socket.socket())
                filler.settimeout(0)
                filler.connect_ex(("127.0.0.1", port))
        else:
            behaviour(server)
        yield port


def close_at_once(server: socket.socket) -> None:
    """Answer the first connections by hanging up."""

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                server.accept()[0].close()

    threading.Thread(target=serve, daemon=True).start()


@pytest.mark.parametrize(
    ("behaviour", "code"),
    [(None, "target-silent"), (lambda _: None, "target-silent"), (close_at_once, "target-closed")],
    ids=["packets are dropped", "accepts and says nothing", "hangs up"],
)
def test_a_host_that_does_not_answer(
    world: World, behaviour: Callable[[socket.socket], None] | None, code: str
) -> None:
    """Reported within 15 s, naming host and port, before Lambda's own timeout would hide it."""
    with listener(behaviour) as port:
        world.put(host="127.0.0.1", port=port)
        world.aws.tries = 1
        started = time.monotonic()
        rotation = world.rotate()
        assert time.monotonic() - started < REPORT_SECONDS
        assert f"[{code}]" in str(rotation.error)
        assert f"127.0.0.1:{port}" in str(rotation.error)
        assert rotation.runs[-1].invocation is not None
        assert rotation.runs[-1].invocation.records(), "the function itself has reported it"


def test_never_past_the_time_that_lambda_gives(world: World) -> None:
    """A timeout of 4 s: reported before it, and what was wrong, not that time is up."""
    world.function = world.aws.add_function("short", world.handler, timeout=4)
    with listener(lambda _: None) as port:
        world.put(host="127.0.0.1", port=port)
        world.aws.tries = 1
        rotation = world.rotate()
        assert "[target-silent]" in str(rotation.error)
        assert rotation.runs[-1].invocation is not None
        assert rotation.runs[-1].invocation.seconds < 4


def test_an_old_md5_user_becomes_scram(world: World) -> None:
    """A password stored as MD5 still logs in; from the rotation on it is a SCRAM verifier, whatever the database says."""
    stored = "md5" + hashlib.md5(b"canary-first-PASSWORD" + b"old_md5").hexdigest()  # noqa: S324  PostgreSQL's own
    world.server.run(f"ALTER ROLE old_md5 PASSWORD '{stored}'")
    world.server.run("ALTER DATABASE postgres SET password_encryption = md5")
    try:
        world.put(username="old_md5")
        assert world.rotate().succeeded
        (row,) = world.server.run("SELECT rolpassword LIKE 'SCRAM-SHA-256$%' FROM pg_authid WHERE rolname = 'old_md5'")
        assert row == (True,)
    finally:
        world.server.run("ALTER DATABASE postgres RESET password_encryption")


def test_tls_server_name_names_the_certificate(world: World) -> None:
    """Where `host` is another name of the server, such as a CNAME."""
    world.put(host="127.0.0.1", tls_server_name="localhost")
    assert world.rotate().succeeded
    assert world.value()["tls_server_name"] == "localhost"
