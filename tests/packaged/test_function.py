"""The artifact rotates: alone, under Lambda's own emulator, called by the simulator as by the service."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from testkit.crash.proxy import Killer, Moment, http_requests, proxy, tls_records
from testkit.emulator import EmulatedFunction
from testkit.servers.postgres import PostgresServer
from testkit.simulator import HttpFunction, Simulator
from tests.integration.world import FIRST, World, drop, make_world, make_world_with_admin
from tests.packaged.conftest import ROOT, Start

ADMINS = "arn:aws:secretsmanager:*:*:secret:admin/*"
ARN = "arn:aws:lambda:eu-west-1:123456789012:function:x"


@pytest.fixture
def single(server: PostgresServer, aws: Simulator, trusted: Path) -> Iterator[World]:
    """A user that rotates itself."""
    assert trusted.exists()
    world = make_world(server, aws, "packaged", FIRST)
    yield world
    drop(world)


@pytest.fixture
def alternating(
    server: PostgresServer, aws: Simulator, trusted: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    """A user with an admin."""
    assert trusted.exists()
    monkeypatch.setenv("ADMIN_SECRETS", "")
    world = make_world_with_admin(server, aws)
    yield world
    drop(world)


def test_it_rotates_a_single_user(single: World, start: Start) -> None:
    """Twice, and every step in one warm runtime."""
    single.function = start()
    for _ in range(2):
        rotation = single.rotated()
        assert rotation.case("setSecret") == "S1"
        assert single.logs_in()
    assert not single.server.accepts(single.user, FIRST)
    assert "".join(one.log for one in single.aws.rotations).count("INIT START") == 1


def test_it_rotates_alternating_users(alternating: World, start: Start) -> None:
    """Out to the clone and back, with the base's rights; the user before still logs in."""
    alternating.function = start(ADMIN_SECRETS=ADMINS)
    alternating.run("CREATE TABLE public.packaged (i int); GRANT SELECT ON public.packaged TO {app}")
    try:
        for turn in ("_clone", ""):
            assert alternating.rotated().case("setSecret") == "A3"
            assert alternating.value()["username"] == alternating.user + turn
            assert alternating.run("SELECT count(*) FROM public.packaged", "AWSCURRENT") == [(0,)]
            assert alternating.logs_in("AWSPREVIOUS")
    finally:
        alternating.run("DROP TABLE public.packaged")


def test_a_failure_is_seen_by_the_service(single: World, start: Start) -> None:
    """The error's type, code and fix, at each of the service's tries; the old password is still AWSCURRENT's."""
    single.function = start()
    single.server.set_password(single.user, "changed-by-hand-and-forgotten")
    rotation = single.rotate()
    assert not rotation.succeeded
    assert [run.step for run in rotation.runs] == ["createSecret", "setSecret"] * single.aws.tries
    assert str(rotation.error).startswith("LoginRejected: The server refuses 'packaged'")
    assert str(rotation.error).endswith("[no-login-works]")
    assert single.value()["password"] == FIRST


def test_a_timeout_is_seen_by_the_service_and_retried(single: World, start: Start) -> None:
    """Lambda ends a function that hangs; the service's next try does the work."""
    function = single.function = start(timeout=6)
    single.rotated()
    frozen: list[object] = []

    def freeze_once() -> None:
        if not frozen:
            frozen.append(function.emulator.freeze())

    single.aws.pause = freeze_once
    rotation = single.rotated()
    assert rotation.runs[0].invocation is not None
    assert rotation.runs[0].invocation.error == "Task timed out after 6.00 seconds"
    assert [run.attempt for run in rotation.runs] == [1, 2, 2, 2, 2]
    assert single.logs_in()


@pytest.mark.parametrize(
    "death",
    [
        ("before", "Secrets Manager: PutSecretValue", "S1"),
        ("after", "Secrets Manager: PutSecretValue", "S1"),
        ("before", "server: Data", "S1"),
        ("after", "server: Data", "S2"),
        ("before", "Secrets Manager: Update", "S2"),
        ("after", "Secrets Manager: Update", "G3"),
    ],
    ids=" ".join,
)
def test_a_killed_runtime_is_seen_by_the_service_and_retried(
    server: PostgresServer, aws: Simulator, trusted: Path, start: Start, death: tuple[Moment, str, str]
) -> None:
    """Killed where a value is stored, the password is changed, the label moves: the retry finds out."""
    assert trusted.exists()
    when, message, case = death
    killer = Killer()
    endpoint = ("127.0.0.1", int(aws.endpoint.rpartition(":")[2]))
    with (
        proxy("server", ("localhost", server.port), tls_records, killer) as port,
        proxy("Secrets Manager", endpoint, http_requests, killer) as secrets_manager,
    ):
        function = start(SECRETS_MANAGER_ENDPOINT=f"http://127.0.0.1:{secrets_manager}")
        world = make_world(server, aws, "packaged", FIRST, port=port)
        try:
            world.function = function
            world.rotated()
            killer.arm(0)
            world.rotated()
            at = _message_to_die_at(killer.seen, message)
            killer.freeze = function.emulator.freeze
            killer.arm(at, when)
            rotation = world.rotated()
            assert killer.fired
            errors = [run.invocation.error for run in rotation.runs if run.invocation and run.invocation.error]
            assert [error.partition(":")[0] for error in errors] == ["Runtime.ExitError"], errors
            assert world.logs_in()
            assert rotation.case("setSecret") == case
        finally:
            drop(world)


def _message_to_die_at(seen: list[str], message: str) -> int:
    """The number of the message, of all that a rotation sends; of the server's, the one that changes the password."""
    if message != "server: Data":
        return next(number for number, what in enumerate(seen, 1) if what.startswith(message))
    # setSecret's records come before testSecret's Describe, the third of four; the last two say goodbye, the server and TLS.
    describes = [number for number, what in enumerate(seen, 1) if what.endswith("DescribeSecret")]
    return [number for number, what in enumerate(seen, 1) if what == message and number < describes[2]][-3]


def test_two_callers_at_once_do_not_break_the_emulator(single: World, start: Start) -> None:
    """The emulator panics at parallel requests; ours come one at a time, as from a function with one environment."""
    function = start()
    event = {"Step": "createSecret", "SecretId": single.arn, "ClientRequestToken": "0" * 32}
    errors: list[str | None] = []
    threads = [threading.Thread(target=lambda: errors.append(function.invoke(event).error)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [str(error).rpartition(" ")[2] for error in errors] == ["[rotation-disabled]"] * 4


def test_a_function_that_does_not_answer_is_a_failed_step(aws: Simulator) -> None:
    """A port where nobody listens: the service sees an error, and no exception comes out of the simulator."""
    assert aws.endpoint
    invocation = HttpFunction(ARN, "http://127.0.0.1:1/2015-03-31/functions/function/invocations").invoke({})
    assert str(invocation.error).startswith("Runtime.Unknown: no answer")


class TestEvents:
    """events/postgres/: what `sam local invoke` sends is what the service sends."""

    def seeded(self, name: str, server: PostgresServer, aws: Simulator, function: EmulatedFunction) -> dict[str, str]:
        """The event of a file, and the secret that it is about, of a new user."""
        event: dict[str, str] = json.loads((ROOT / "events" / "postgres" / f"{name}.json").read_text())
        server.create_user("events", FIRST)
        aws.seed(event, json.dumps(server.secret("events", FIRST)), function.arn)
        return event

    @pytest.fixture(autouse=True)
    def _dropped(self, server: PostgresServer) -> Iterator[None]:
        yield
        server.run("DROP ROLE IF EXISTS events")

    def test_the_four_steps_rotate(self, server: PostgresServer, aws: Simulator, start: Start) -> None:
        """In order, for one secret and one version."""
        function = start()
        first = self.seeded("create_secret", server, aws, function)
        for name in ("create_secret", "set_secret", "test_secret", "finish_secret"):
            event = json.loads((ROOT / "events" / "postgres" / f"{name}.json").read_text())
            assert event["Step"] == name.replace("_s", "S")
            assert (event["SecretId"], event["ClientRequestToken"]) == (first["SecretId"], first["ClientRequestToken"])
            assert function.invoke(event).error is None
        answer = aws.client().get_secret_value(SecretId=first["SecretId"])
        assert answer["VersionId"] == first["ClientRequestToken"]
        assert answer["ARN"] == first["SecretId"]
        assert server.accepts("events", json.loads(answer["SecretString"])["password"])

    def test_a_test_alone_changes_nothing(self, server: PostgresServer, aws: Simulator, start: Start) -> None:
        """RotateImmediately=false: testSecret on a copy of AWSCURRENT."""
        function = start()
        event = self.seeded("test_only", server, aws, function)
        aws.calls.clear()
        assert function.invoke(event).error is None
        assert aws.calls_by("keyturn") == ["DescribeSecret", "GetSecretValue"]
        assert server.accepts("events", FIRST)

    def test_a_secret_of_another_account_gets_the_rotation_token(
        self, server: PostgresServer, aws: Simulator, start: Start
    ) -> None:
        """In the role of that account; PutSecretValue carries it, as without it the service refuses such a role."""
        account = json.loads((ROOT / "events" / "postgres" / "cross_account.json").read_text())["SecretId"].split(":")[
            4
        ]
        function = start(AWS_ENDPOINT_URL_STS=aws.endpoint, TRUSTED_ACCOUNTS=account, TRUSTED_ROLE="keyturn-rotation")
        event = self.seeded("cross_account", server, aws, function)
        assert account != function.arn.split(":")[4]
        assert function.invoke(event).error is None
        (put,) = [call for call in aws.calls if call.operation == "PutSecretValue"]
        assert put.parameters["RotationToken"] == event["RotationToken"]
        assert put.parameters["ClientRequestToken"] == event["ClientRequestToken"]
