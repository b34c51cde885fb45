"""The deployed functions rotate real passwords, called as Secrets Manager calls them.

The emulator's RotateSecret calls nothing, so the tests stage AWSPENDING and call the steps (testkit/servers/ministack.py has
all that it does unlike AWS). TLS is verified, by the servers' roots in common/ca.pem.
"""

import json
import secrets
from collections.abc import Iterator

import pytest

from tests.deploy.databases import Database, OnMySql, OnPostgres, Value, dropped_afterwards
from tests.deploy.stack import Rotating, Stack, attach, invoke, logged
from tests.packaged.conftest import FUNCTIONS


@pytest.fixture(params=["postgres", "mysql"])
def target(request: pytest.FixtureRequest) -> str:
    """Each function whose server is here, by its folder."""
    return str(request.param)


@pytest.fixture
def database(target: str, request: pytest.FixtureRequest) -> Iterator[Database]:
    """The target's server, with nobody of ours on it."""
    on = OnPostgres(request.getfixturevalue("server")) if target == "postgres" else None
    with dropped_afterwards(on or OnMySql(request.getfixturevalue("mysql"))) as database:
        yield database


def attached(stack: Stack, target: str, value: Value) -> Rotating:
    """A new secret for the stack's function of this target."""
    function = stack.outputs()[f"{FUNCTIONS[target]}Arn"]
    return attach(stack.cloud, f"shop/{secrets.token_hex(4)}", value, function)


def test_single_user(stack: Stack, target: str, database: Database) -> None:
    """Twice: AWSCURRENT moves to the new version and logs in with its rights, and the password before is refused."""
    secret = attached(stack, target, database.values()[1])
    for _ in range(2):
        before = secret.value()
        token, log = secret.rotate()
        assert '"strategy": "single-user"' in log
        assert secret.labels()[token] == {"AWSCURRENT", "AWSPENDING"}
        assert database.reads(secret.value())
        assert secret.value("AWSPREVIOUS") == before
        assert not database.reads(before)


def attached_with_admin(stack: Stack, target: str, database: Database, folder: str) -> Rotating:
    """The secret of a new user, which names that of a new admin, whose name begins with this folder."""
    admin, user = database.values()
    client = stack.cloud.client("secretsmanager")
    name = f"{folder}/{secrets.token_hex(4)}"
    admin_arn = client.create_secret(Name=name, SecretString=json.dumps(admin))["ARN"]
    return attached(stack, target, {**user, "masterarn": admin_arn})


def test_alternating_users(stack: Stack, target: str, database: Database) -> None:
    """To the clone and back, by the admin that AdminSecrets allows: the new one logs in with its rights, the old one still."""
    secret = attached_with_admin(stack, target, database, "admin")
    user = secret.value()
    for expected in (f"{user['username']}_clone", user["username"]):
        before = secret.value()
        token, log = secret.rotate()
        assert '"strategy": "alternating-users"' in log
        assert secret.labels()[token] == {"AWSCURRENT", "AWSPENDING"}
        assert secret.value()["username"] == expected
        assert database.reads(secret.value())
        assert database.reads(before)


def test_an_admin_that_the_stack_does_not_name_is_refused(stack: Stack, database: Database, target: str) -> None:
    """AdminSecrets is what makes ADMIN_SECRETS (W1); nothing is changed."""
    secret = attached_with_admin(stack, target, database, "others")
    token = secret.stage()
    assert secret.call("createSecret", token).error is None
    assert "[admin-not-allowed]" in str(secret.call("setSecret", token).error)
    assert database.reads(secret.value())


def test_a_failing_step_is_a_function_error(stack: Stack, target: str, database: Database) -> None:
    """With our code and what to do; AWSCURRENT stays, and no password is in the log, whatever went wrong."""
    wrong = {**database.values()[1], "password": "canary-wrong-PASSWORD"}
    secret = attached(stack, target, wrong)
    token = secret.stage()
    assert secret.call("createSecret", token).error is None
    answer = secret.call("setSecret", token)
    assert "[no-login-works]" in str(answer.error)
    assert '"outcome": "failed"' in answer.log
    assert secret.labels()[token] == {"AWSPENDING"}
    assert secret.value() == wrong


@pytest.mark.parametrize("rotator", sorted(FUNCTIONS))
def test_every_function_starts(stack: Stack, rotator: str) -> None:
    """Its handler is found and its driver loads: an event of a version that is not there is told so, not a failed import."""
    secret = attached(stack, rotator, {"password": "canary-unread-PASSWORD"})
    assert "[version-unknown]" in str(secret.call("createSecret", "3f0e9d52-2d0c-4f0f-9d5e-0123456789ab").error)


def test_an_event_that_is_none_is_refused(stack: Stack) -> None:
    """What `aws lambda invoke` without a payload sends."""
    answer = invoke(stack.cloud, stack.outputs()["PostgresRotatorArn"], {})
    assert "[event-malformed]" in str(answer.error)


def test_logs_go_to_the_stacks_own_groups_and_hold_no_password(stack: Stack, target: str, database: Database) -> None:
    """The groups that the template makes, with its retention."""
    secret = attached(stack, target, database.values()[1])
    secret.rotate()
    group = stack.resources()[f"{FUNCTIONS[target].removesuffix('Rotator')}Logs"][1]
    text = logged(stack.cloud, group)
    assert '"step": "finishSecret"' in text
    for value in (secret.value(), secret.value("AWSPREVIOUS")):
        assert str(value["password"]) not in text
    assert "canary" not in text
