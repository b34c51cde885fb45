"""The PostgreSQL target by itself: names and passwords of every kind, sessions, locks, what the server's log shows."""

import os
import string
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg2 import sql

from common import clock
from common.errors import ChangeRefused, LoginRejected, TargetError, TargetUnavailable
from common.secret import Account, Secret
from rotators.libpq.errors import connect_error
from rotators.postgres.session import Session
from rotators.postgres.target import Postgres
from testkit.servers.postgres import PostgresServer

TARGET = Postgres()
UNICODE = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
PASSWORDS = st.text(st.sampled_from(string.printable) | UNICODE, min_size=1, max_size=99)
# CREATE ROLE reserves these names.
USERS = st.text(st.sampled_from(string.printable) | UNICODE, min_size=1, max_size=63).filter(
    lambda user: len(user.encode()) <= 63 and not user.startswith("pg_") and user not in {"public", "none", "postgres"}
)
FIRST = "first-password"
pytestmark = pytest.mark.usefixtures("trusted")


def login(server: PostgresServer, user: str, password: str, **fields: Any) -> Secret:
    """A secret's value for this user."""
    return Secret(server.secret(user, password, **fields), "a version of app")


@contextmanager
def role(server: PostgresServer, user: str, password: str = FIRST) -> Iterator[Secret]:
    """A role for the length of a block."""
    server.create_user(user, password)
    try:
        yield login(server, user, password)
    finally:
        server.run(sql.SQL("DROP ROLE {}").format(sql.Identifier(user)))


def assert_changes(server: PostgresServer, user: str, password: str) -> None:
    """The user gets this password, and it alone logs in, for us and for any other client."""
    with role(server, user) as current:
        pending = current.with_fields("pending", password=password)
        TARGET.change_password(current, pending)
        TARGET.check(pending)
        assert server.accepts(user, password)
        if password != FIRST:
            with pytest.raises(LoginRejected):
                TARGET.check(current)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(user=USERS, password=PASSWORDS)
def test_any_user_any_password(server: PostgresServer, user: str, password: str) -> None:
    """The whole printable range and Unicode, up to 63 bytes for the name, on the real server."""
    assert_changes(server, user, password)


@pytest.mark.parametrize(
    "user",
    ['with "quotes"', "with 'apostrophe'", "per%cent %s %(x)s", " ", "a b", "UPPER", "back\\slash", "ünïcødé", "日本",
     "x" * 63, "é" * 31 + "x", "app; DROP ROLE postgres", "line\nbreak", "=", "$1", "-", "user=postgres", "current_user"],
)  # fmt: skip
def test_names_of_every_kind(server: PostgresServer, user: str) -> None:
    """Quoted by the driver, never pasted into a statement."""
    assert_changes(server, user, "pass\"word'%s \\ ü")


@pytest.mark.parametrize(
    "password",
    ["'", '"', "\\", "%", "%s", " ", " leading", "trailing ", "\t\n", "p=q host=x", "postgresql://x", "é", "e\u0301",
     "\u00ad", "ﬁ", "\u200b", "\u1680x", "\U0001f511", "x" * 1000, "md5" + "0" * 32, "SCRAM-SHA-256$4096:salt$a:b"],
)  # fmt: skip
def test_passwords_of_every_kind(server: PostgresServer, password: str) -> None:
    """What SASLprep changes, what it forbids, what looks like a verifier or an option."""
    assert_changes(server, "app", password)


def test_the_servers_log_sees_a_verifier_only(server: PostgresServer) -> None:
    """At log_statement=all, and in the error of a statement that fails."""
    with role(server, "app") as current:
        mark = len(server.log.read_text())
        TARGET.change_password(current, current.with_fields("pending", password="canary-PASSWORD"))
        log = server.log.read_text()[mark:]
    assert 'statement: ALTER ROLE "app" PASSWORD \'SCRAM-SHA-256$4096:' in log
    assert "canary" not in log


def test_a_role_that_is_set_to_another_changes_its_own_password(server: PostgresServer) -> None:
    """In such a session CURRENT_USER is the other role: SET ROLE NONE, and the role's own name."""
    with role(server, "base", "base-password") as base, role(server, "alias") as alias:
        server.run("GRANT base TO alias; ALTER ROLE alias SET role = 'base'")
        TARGET.change_password(alias, alias.with_fields("pending", password="new-password"))
        TARGET.check(alias.with_fields("pending", password="new-password"))
        TARGET.check(base)


@pytest.mark.parametrize(
    "setting",
    ["default_transaction_read_only = on", "search_path = 'evil'", "statement_timeout = '1ms'", "client_encoding = 'LATIN1'",
     "datestyle = 'German'", "password_encryption = 'md5'", "default_transaction_isolation = 'serializable'"],
)  # fmt: skip
def test_settings_of_the_role_do_not_matter(server: PostgresServer, setting: str) -> None:
    """A role may have settings that would break a careless session."""
    with role(server, "app") as current:
        server.run(f"ALTER ROLE app SET {setting}")
        pending = current.with_fields("pending", password="ünïcode")
        TARGET.change_password(current, pending)
        assert server.accepts("app", "ünïcode")


def test_the_environment_of_libpq_does_not_matter(server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """PGSSLMODE, PGHOSTADDR and their like are for people, not for us."""
    environment = {
        "PGSSLMODE": "disable",
        "PGHOST": "x",
        "PGHOSTADDR": "127.0.0.9",
        "PGREQUIREAUTH": "none",
        "PGUSER": "postgres",
        "PGPASSWORD": "x",
        "PGDATABASE": "x",
        "PGCLIENTENCODING": "LATIN1",
        "PGSSLROOTCERT": "/nowhere",
    }
    with role(server, "app") as current, monkeypatch.context() as patched:
        for name, value in environment.items():
            patched.setenv(name, value)
        TARGET.check(current)
        for name in environment:
            patched.delenv(name)


@contextmanager
def locked(server: PostgresServer, user: str) -> Iterator[psycopg2.extensions.connection]:
    """Somebody changes this role in a transaction that stays open."""
    other = server.connect()
    other.autocommit = False
    try:
        with other.cursor() as cursor:
            cursor.execute(sql.SQL("ALTER ROLE {} CONNECTION LIMIT 7").format(sql.Identifier(user)))
        yield other
    finally:
        other.rollback()
        other.close()


def test_a_statement_given_up_on_never_runs_later(server: PostgresServer) -> None:
    """It waits on a lock past our time-out: the server has given up before us, so nothing is applied afterwards."""
    with role(server, "app") as current:
        pending = current.with_fields("pending", password="too-late")
        with locked(server, "app"), clock.until_timeout(5.0 + clock.MARGIN):
            started = time.monotonic()
            with pytest.raises(TargetUnavailable) as error:
                TARGET.change_password(current, pending)
            assert error.value.code == "target-interrupted"
            assert time.monotonic() - started < 5.0
        time.sleep(0.3)
        TARGET.check(current)
        assert not server.accepts("app", "too-late")


def test_changed_at_the_same_time_is_no_refusal(server: PostgresServer) -> None:
    """Two ALTER ROLEs at once: "tuple concurrently updated" (XX000) is to be tried again."""
    with role(server, "app") as current:
        with locked(server, "app") as other, ThreadPoolExecutor() as pool:
            change = pool.submit(TARGET.change_password, current, current.with_fields("pending", password="new"))
            while not server.run("SELECT 1 FROM pg_stat_activity WHERE usename = 'app' AND wait_event_type = 'Lock'"):
                time.sleep(0.02)
            other.commit()
            error = change.exception(timeout=5)
        assert isinstance(error, TargetUnavailable)
        assert "XX000" in str(error)
        TARGET.check(current)


def test_a_change_that_the_server_refuses(server: PostgresServer) -> None:
    """Another role's password: the SQLSTATE is told, the statement is not."""
    with role(server, "app") as current, Session(current, TARGET.account(current)) as session:
        with pytest.raises(ChangeRefused, match="42501") as error:
            session.run(sql.SQL("ALTER ROLE postgres PASSWORD 'canary-PASSWORD'"))
        assert error.value.code == "change-forbidden"
        assert "canary" not in str(error.value)


def test_what_a_session_begins_with(server: PostgresServer) -> None:
    """W3: an empty search path, the role that logged in, the server's own time-outs below ours."""
    with role(server, "base"), role(server, "app") as current:
        server.run("GRANT base TO app; ALTER ROLE app SET role = 'base'; ALTER ROLE app SET search_path = 'evil'")
        with Session(current, TARGET.account(current)) as session:
            names = "search_path", "statement_timeout", "lock_timeout", "default_transaction_read_only"
            for name, value in zip(names, ('""', "8s", "8s", "off"), strict=True):
                assert session.run(sql.SQL("SHOW " + name)) == [(value,)]
            assert session.run(sql.SQL("SELECT current_user")) == [("app",)]


def test_our_own_wait_ends_too(server: PostgresServer) -> None:
    """Where the server does not give up by itself."""
    with role(server, "app") as current, clock.until_timeout(4 + clock.MARGIN):
        with Session(current, TARGET.account(current)) as session:
            session.run(sql.SQL("SET statement_timeout = 0"))
            started = time.monotonic()
            with pytest.raises(TargetUnavailable) as error:
                session.run(sql.SQL("SELECT pg_catalog.pg_sleep(30)"))
        assert error.value.code == "target-silent"
        assert time.monotonic() - started < 5


@pytest.mark.parametrize("seconds", [0.3, 1.0, 2.5])
def test_too_little_time_to_begin(server: PostgresServer, seconds: float) -> None:
    """The server would act after we had given up, so nothing is begun."""
    with role(server, "app") as current:
        with (
            locked(server, "app"),
            clock.until_timeout(seconds + clock.MARGIN),
            pytest.raises(TargetUnavailable) as error,
        ):
            TARGET.change_password(current, current.with_fields("pending", password="too-late"))
        assert error.value.code == "out-of-time"
        time.sleep(0.3)
        TARGET.check(current)


def test_a_login_that_the_server_takes_for_another(server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pooler that logs in as somebody else: it does not count."""
    opening = sql.SQL(Session.opening.string.replace("SELECT session_user", "SELECT 'somebody'"))
    monkeypatch.setattr(Session, "opening", opening)
    with role(server, "app") as current:
        with pytest.raises(LoginRejected) as error:
            TARGET.check(current)
        assert error.value.code == "login-is-another-user"


def test_a_replica(server: PostgresServer) -> None:
    """What a standby answers to any change (25006)."""
    with role(server, "app") as current, Session(current, TARGET.account(current)) as session:
        session.run(sql.SQL("BEGIN READ ONLY"))
        with pytest.raises(ChangeRefused) as error:
            session.run(sql.SQL("ALTER ROLE app PASSWORD NULL"))
        assert error.value.code == "target-read-only"


def test_a_role_that_may_not_log_in(server: PostgresServer) -> None:
    """The password is right, the role has NOLOGIN."""
    with role(server, "app") as current:
        server.run("ALTER ROLE app NOLOGIN")
        with pytest.raises(LoginRejected) as error:
            TARGET.check(current)
        assert error.value.code == "login-forbidden"


PREFIX = 'connection to server at "db" (10.0.0.7), port 5432 failed: '


@pytest.mark.parametrize(
    ("text", "kind", "code"),
    [
        ("FATAL:  SASL authentication failed", LoginRejected, "login-rejected"),  # pgbouncer
        (
            "FATAL:  This RDS proxy has no credentials for the role app. Check the credentials.",
            LoginRejected,
            "login-rejected",
        ),
        ("FATAL:  Passwort-Authentifizierung für Benutzer »app« fehlgeschlagen", LoginRejected, "login-refused"),
        ('FATAL:  database "template0" is not currently accepting connections', TargetError, "database-forbidden"),
        ("FATAL:  connection requires a valid client certificate", TargetError, "login-not-admitted"),
        ('FATAL:  database "password authentication failed" does not exist', TargetError, "database-missing"),
        ("SSL error: certificate signature failure", TargetError, "tls-failed"),
        ("SSL error: tlsv1 alert protocol version", TargetError, "tls-failed"),
        ("server closed the connection unexpectedly", TargetUnavailable, "target-closed"),
        ('FATAL:  connection limit "500" exceeded for non-bootstrap users', TargetUnavailable, "target-busy"),
        (
            'FATAL:  no pg_hba.conf entry for host "::ffff:10.0.0.1", user "app", database "dev", SSL off',
            TargetError,
            "tls-required",
        ),
    ],
)
def test_texts_of_failed_connects(text: str, kind: type[Exception], code: str) -> None:
    """Of poolers and servers that no test can have; what a server answers in unknown words is a refusal, not a silence."""
    account = Account("postgres", "db", 5432, "app")
    error = connect_error(psycopg2.OperationalError(PREFIX + text), account)
    assert type(error) is kind
    assert error.code == code


def test_a_host_with_a_final_dot(server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fully qualified: the certificate's name has no dot."""
    monkeypatch.setattr("common.network.resolve", lambda *_: ["127.0.0.1"])
    with role(server, "app") as current:
        TARGET.check(current.with_fields("dotted", host="LOCALHOST."))


def test_a_failed_connect_leaves_nothing_open(server: PostgresServer) -> None:
    """Not even while its error is kept."""
    with role(server, "app") as current:
        before, errors = len(os.listdir("/proc/self/fd")), []  # noqa: PTH208
        for _ in range(3):
            with pytest.raises(LoginRejected) as error:
                TARGET.check(current.with_fields("x", password="wrong"))
            errors.append(error)
        assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_a_connection_that_the_server_ends(server: PostgresServer) -> None:
    """pg_terminate_backend, a fail-over: nothing was learned, try again."""
    with role(server, "app") as current, Session(current, TARGET.account(current)) as session:
        server.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'")
        with pytest.raises(TargetUnavailable) as error:
            session.run(sql.SQL("SELECT 1"))
        assert error.value.code == "target-interrupted"


def test_every_connection_is_closed(server: PostgresServer) -> None:
    """Also after a failure."""
    with role(server, "app") as current:
        TARGET.check(current)
        for fields in ({"password": "wrong"}, {"dbname": "missing"}):
            with pytest.raises(Exception, match=r"\[(login-rejected|database-missing)\]"):
                TARGET.check(current.with_fields("x", **fields))
        with pytest.raises(ZeroDivisionError), Session(current, TARGET.account(current)):
            _ = 1 / 0
        for _ in range(50):
            if server.run("SELECT count(*) FROM pg_stat_activity WHERE usename = 'app'") == [(0,)]:
                return
            time.sleep(0.02)
        pytest.fail("a connection is still open")


def test_the_first_address_that_answers(server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name with several addresses, the first of which is dead."""
    monkeypatch.setattr("common.network.resolve", lambda *_: ["127.0.0.9", "127.0.0.1"])
    with role(server, "app") as current:
        TARGET.check(current)


def test_one_login_only_is_tried(server: PostgresServer, monkeypatch: pytest.MonkeyPatch, trusted: Path) -> None:
    """A refused password is not tried again at the next address: lock-outs count."""
    assert trusted.exists()
    monkeypatch.setattr("common.network.resolve", lambda *_: ["127.0.0.1", "::1"])
    with role(server, "app") as current:
        mark = len(server.log.read_text())
        with pytest.raises(LoginRejected):
            TARGET.check(current.with_fields("x", password="wrong"))
        assert server.log.read_text()[mark:].count("FATAL:") == 1
