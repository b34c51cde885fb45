"""Single user: every recovery (S1b, S4, S5, S6), late deliveries, reads that lag."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from common import clock
from common.errors import ChangeForbidden, RotationError
from common.handler import rotation_handler
from common.secret import Secret
from common.strategy import SingleUser
from rotators.postgres.session import Session
from rotators.postgres.target import Postgres
from testkit.servers.postgres import PostgresServer, find_binaries, postgres_server
from testkit.simulator import Simulator
from tests.integration.world import World, drop, make_world_with_admin
from tests.needed import no_server


def lose_pending_after_set(world: World, how: str) -> None:
    """A rotation that changes the password on the server, and then loses AWSPENDING."""
    handler = world.handler

    def loses(event: dict[str, str], context: object) -> None:
        handler(event, context)
        if event["Step"] != "setSecret":
            return
        if how == "hand edit":
            world.put(note="edited in mid-rotation")
        elif how == "cancelled":
            world.client.cancel_rotate_secret(SecretId=world.arn)
        raise RuntimeError("dies after setSecret")

    kept, tries = world.function, world.aws.tries
    world.function, world.aws.tries = world.aws.add_function("losing", loses), 1
    assert not world.rotate().succeeded
    world.take_pending_off()
    world.function, world.aws.tries = kept, tries


@pytest.mark.parametrize("how", ["label removed", "hand edit", "cancelled"])
@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("between", ["nothing", "a hand edit"])
def test_s4_pending_lost_after_set(world: World, how: str, times: int, between: str) -> None:
    """The password that works is in a version without a label: the next rotation finds it, and nobody is locked out."""
    for number in range(times):
        if number and between == "a hand edit":
            world.put(note="between")
        lose_pending_after_set(world, how)
        assert not world.logs_in()
    if between == "a hand edit":
        world.put(note="after")
    rotation = world.rotated()
    assert rotation.case("setSecret") == "S4"
    assert world.logs_in()
    assert world.rotated().case("setSecret") == "S1"


def test_s4_a_version_older_than_current(world: World) -> None:
    """A hand edit may lie between. Versions without a value, and of other users, are passed over."""
    lose_pending_after_set(world, "label removed")
    for number in range(3):
        world.put(password=f"by-hand-{number}")
    world.put(password="by-hand-3", username="somebody_else")
    world.put(password="by-hand-4", username=world.user)
    assert world.rotated().case("setSecret") == "S4"


def test_s4_only_as_long_as_there_is_time(world: World) -> None:
    """With a short timeout the oldest are not tried, and the error says so."""
    for number in range(4):
        world.put(password=f"by-hand-{number}")
    world.function = world.aws.add_function("short", world.handler, timeout=9)
    assert "no time to try all versions" in world.refused("no-login-works")


def test_s4_that_may_not_list(world: World) -> None:
    """Without secretsmanager:ListSecretVersionIds the error names the permission."""
    world.server.set_password(world.user, "changed-by-hand")
    client = world.aws.client()
    client.meta.events.register("before-send.secrets-manager.ListSecretVersionIds", denied)  # type: ignore[arg-type]
    handler = rotation_handler(SingleUser(Postgres()), client=client)
    world.function = world.aws.add_function("may not list", handler)
    error = world.refused("no-login-works")
    assert "AccessDeniedException to ListSecretVersionIds" in error


def denied(**_: Any) -> AWSResponse:
    """Secrets Manager's answer to what the role may not do."""

    class Raw:
        def stream(self) -> Iterator[bytes]:
            yield b'{"__type": "AccessDeniedException", "message": "no"}'

    return AWSResponse("http://x", 400, HTTPHeaders(), Raw())


class MayNotChangeItself(Postgres):
    """A server like RDS with rds.restrict_password_commands: an ordinary user may not change its own password."""

    def change_password(self, login: Secret, pending: Secret) -> None:
        """Logs in, and is refused."""
        assert pending["password"]
        self.check(login)
        raise ChangeForbidden("change-forbidden", "The server does not let it.", "Ask an admin.")


def with_target(world: World, target: Postgres) -> None:
    """Let this target serve the world's secret, as a single user."""
    world.function = world.aws.add_function("other target", rotation_handler(SingleUser(target)))


def test_s1b_the_admin_changes_a_user_that_may_not(pair_17: World) -> None:
    """Current logs in, so whoever wrote the secret knows its password; the admin acts."""
    with_target(pair_17, MayNotChangeItself())
    rotation = pair_17.rotated()
    assert rotation.case("setSecret") == "S1b"
    assert len(pair_17.aws.calls_by("keyturn")) == 11
    assert pair_17.server_saw() == {"connections": 3, "logins": 3, "failed": 0}
    assert pair_17.logs_in()


def test_s1b_without_an_admin(world: World) -> None:
    """The error says what may be done."""
    with_target(world, MayNotChangeItself())
    world.refused("change-forbidden")


class TestS5:
    """The admin resets a user whom the tag names, and no other."""

    def test_where_the_tag_names_the_user(self, pair_17: World) -> None:
        """Nobody logs in any more: the platform team lets the admin reset it."""
        pair_17.tag(strategy="single-user", reconcile=pair_17.user)
        pair_17.server.set_password(pair_17.user, "changed-by-hand")
        rotation = pair_17.rotated()
        assert rotation.case("setSecret") == "S5"
        assert pair_17.logs_in()

    @pytest.mark.parametrize("tag", ["", "true", "*", "BASE", "someone_else"])
    def test_where_it_does_not(self, pair_17: World, tag: str) -> None:
        """Another name, or none."""
        pair_17.tag(strategy="single-user", reconcile=tag)
        pair_17.server.set_password(pair_17.user, "changed-by-hand")
        assert "rotation:reconcile" in pair_17.refused("no-login-works")
        assert pair_17.server.accepts(pair_17.user, "changed-by-hand")


@pytest.fixture(scope="module")
def strict() -> Iterator[PostgresServer]:
    """A server with passwordcheck, which refuses a password equal to the user's name, even as a verifier."""
    binaries = find_binaries()
    if binaries is None:
        no_server("no PostgreSQL")
    assert binaries is not None
    with postgres_server(binaries, shared_preload_libraries="passwordcheck") as running:
        yield running


@pytest.mark.parametrize("strategy", ["single-user", "alternating-users"])
def test_s6_a4_a_password_that_the_policy_refuses(
    strict: PostgresServer, aws: Simulator, monkeypatch: pytest.MonkeyPatch, strategy: str
) -> None:
    """AWSPENDING is taken off, so the next rotation may choose another password; nothing is blocked, nothing is lost."""
    monkeypatch.setenv("SECRETS_MANAGER_ENDPOINT", aws.endpoint)
    monkeypatch.setenv("TLS_CA_FILE", str(strict.ca_file))
    monkeypatch.setenv("ADMIN_SECRETS", "")
    world = make_world_with_admin(strict, aws, "Equal_1_name")
    world.tag(strategy=strategy)
    user = world.user + ("_clone" if strategy == "alternating-users" else "")
    real, world.aws.tries = world.handler, 3

    def equal_to_the_name(event: dict[str, str], context: object) -> None:
        if event["Step"] == "createSecret":
            world.client.put_secret_value(
                SecretId=world.arn,
                ClientRequestToken=event["ClientRequestToken"],
                SecretString=json.dumps({**world.value(), "username": user, "password": user}),
                VersionStages=["AWSPENDING"],
            )
        real(event, context)

    world.function = world.aws.add_function("equal", equal_to_the_name)
    rotation = world.rotate()
    assert [run.step for run in rotation.runs][:2] == ["createSecret", "setSecret"]
    assert rotation.runs[1].invocation is not None
    assert "[password-refused]" in str(rotation.runs[1].invocation.error)
    assert "rotation:password-length" in str(rotation.runs[1].invocation.error)
    assert world.labels() == [{"AWSCURRENT"}]
    assert world.logs_in()
    world.function = world.aws.add_function("real", real)
    assert world.rotated().case("setSecret") == ("S1" if strategy == "single-user" else "A3")
    assert world.logs_in()
    drop(world)


def hung(world: World, meanwhile: Callable[[], object], patch: pytest.MonkeyPatch) -> list[str]:
    """A setSecret that has logged in and hangs, while `meanwhile` happens; the errors of the hung delivery."""
    hanging, errors, verifier = threading.Event(), list[str](), Session.verifier

    def hangs_once(session: Session, password: str, user: str) -> Any:
        if threading.current_thread() is delivery:
            hanging.wait(30)
        return verifier(session, password, user)

    class Context:
        aws_request_id = "hung"
        function_name = "hung"

        def get_remaining_time_in_millis(self) -> int:
            return 60_000

    token = "e" * 32
    world.rotated()  # sets the function, so that rotation is enabled
    world.client.put_secret_value(
        SecretId=world.arn,
        ClientRequestToken=token,
        SecretString=json.dumps({**world.value(), "password": "of-the-hung-rotation"}),
        VersionStages=["AWSPENDING"],
    )

    def deliver() -> None:
        try:
            world.handler({"Step": "setSecret", "SecretId": world.arn, "ClientRequestToken": token}, Context())
        except RotationError as error:
            errors.append(error.code)

    delivery = threading.Thread(target=deliver)
    patch.setattr(Session, "verifier", hangs_once)
    delivery.start()
    time.sleep(clock.GUARD_AGAIN + 0.3)
    meanwhile()
    hanging.set()
    delivery.join(20)
    return errors


def test_a_delivery_that_hung_into_the_next_rotation_changes_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It guards again before it changes anything: its version is not pending any more."""

    def next_rotation() -> None:
        world.take_pending_off()
        world.rotated()

    assert hung(world, next_rotation, monkeypatch)[0] in {"version-not-pending", "version-unknown"}
    assert world.logs_in()
    assert not world.server.accepts(world.user, "of-the-hung-rotation")


def test_a_delivery_that_hung_while_another_finished(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same step was delivered twice; the other one is done, and AWSCURRENT is its version."""

    def other_delivery_finishes() -> None:
        with pytest.raises(world.client.exceptions.InvalidRequestException):
            world.rotate()  # the service tries the pending version again
        world.aws.wait()
        assert world.aws.rotations[-1].succeeded

    assert hung(world, other_delivery_finishes, monkeypatch) == ["too-late"]
    assert world.logs_in()


@pytest.mark.parametrize("step", ["createSecret", "setSecret", "testSecret", "finishSecret"])
def test_two_deliveries_of_a_step_at_once(pair: World, step: str) -> None:
    """Nothing is lost: at most one of them fails, and the rotation goes on. Alternating and single user alike."""
    for strategy in ("alternating-users", "single-user"):
        pair.tag(strategy=strategy)
        handler, errors = pair.handler, list[Exception]()

        def twice(
            event: dict[str, str], context: object, handler: Any = handler, errors: list[Exception] = errors
        ) -> None:
            def deliver() -> None:
                try:
                    handler(event, context)
                except RotationError as error:
                    errors.append(error)

            threads = [threading.Thread(target=deliver) for _ in range(2 if event["Step"] == step else 1)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            if len(errors) >= len(threads):
                raise errors.pop()

        kept = pair.function
        pair.function = pair.aws.add_function("twice", twice)
        pair.rotated()
        assert pair.logs_in()
        assert len(errors) <= 1, errors
        pair.function = kept


@pytest.mark.parametrize("stale", [1, 2, 3])
def test_reads_that_lag_behind(pair_17: World, stale: int) -> None:
    """Labels and values one step old, up to three times: looked at again within 2 s, and the rotation succeeds."""
    pair_17.rotated()
    pair_17.aws.stale_reads, pair_17.aws.tries = stale, 1
    for strategy in ("single-user", "alternating-users"):
        pair_17.tag(strategy=strategy)
        rotation = pair_17.rotated()
        assert all(run.invocation and run.invocation.seconds < 2 * 2 + 1 for run in rotation.runs)
    pair_17.aws.stale_reads = 0
    assert pair_17.logs_in()


def test_reads_that_lag_for_good_are_given_up(world: World) -> None:
    """Three more looks, within 2 s, then it fails as what it seems to be."""
    world.aws.stale_reads = 4
    world.aws.tries = 1
    rotation = world.rotate()
    assert "[version-unknown]" in str(rotation.error)
    assert world.aws.calls_by("keyturn") == ["DescribeSecret"] * 4
    assert rotation.runs[0].invocation is not None
    assert 1.5 < rotation.runs[0].invocation.seconds < 2.5
    world.aws.stale_reads = 0


def test_only_what_may_lag_is_looked_at_again(world: World, trusted: Path) -> None:
    """G1 is certain: one call."""
    assert trusted.exists()
    world.rotated()
    world.client.cancel_rotate_secret(SecretId=world.arn)
    world.aws.calls.clear()
    (token,) = [
        version
        for version, labels in world.client.describe_secret(SecretId=world.arn)["VersionIdsToStages"].items()
        if "AWSCURRENT" in labels
    ]
    invocation = world.function.invoke({"Step": "setSecret", "SecretId": world.arn, "ClientRequestToken": token})
    assert "[rotation-disabled]" in str(invocation.error)
    assert world.aws.calls_by("keyturn") == ["DescribeSecret"]
