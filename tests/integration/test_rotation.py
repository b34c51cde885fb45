"""Single user on real PostgreSQL: the cases S1 to S3, the budgets, and that nothing leaks."""

import io
import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from testkit.servers.postgres import PostgresServer
from testkit.simulator import Rotation, Simulator
from tests.integration.world import World, dies_once, make_world


def test_happy_path_within_its_budget(world: World) -> None:
    """10 calls of Secrets Manager, 2 logins, none failed: counted at the wire, by both servers."""
    rotation = world.rotate()
    assert rotation.succeeded, rotation.error
    assert rotation.case("setSecret") == "S1"
    assert world.server_saw() == {"connections": 2, "logins": 2, "failed": 0}
    create, set_, test, finish = (
        ["DescribeSecret", "GetSecretValue", "PutSecretValue"],
        ["DescribeSecret", "GetSecretValue", "GetSecretValue"],
        ["DescribeSecret", "GetSecretValue"],
        ["DescribeSecret", "UpdateSecretVersionStage"],
    )
    assert world.aws.calls_by("keyturn") == create + set_ + test + finish
    assert len(world.aws.calls_by("keyturn")) == 10


def test_what_a_rotation_leaves(world: World) -> None:
    """AWSCURRENT logs in, AWSPREVIOUS does not; every other field is as it was; AWSPENDING is on AWSCURRENT's version."""
    world.put(note={"nested": [1, None]}, dbInstanceIdentifier="db-1")
    before = world.value()
    assert world.rotate().succeeded
    after = world.value()
    assert after["password"] != before["password"]
    assert after == {**before, "password": after["password"]}
    assert (world.logs_in(), world.logs_in("AWSPREVIOUS")) == (True, False)
    assert world.labels() == [{"AWSCURRENT", "AWSPENDING"}, {"AWSPREVIOUS"}]


def test_rotation_after_rotation(world: World) -> None:
    """Each starts where the last one ended."""
    passwords = [world.value()["password"]]
    for _ in range(3):
        assert world.rotate().succeeded
        passwords.append(world.value()["password"])
    assert len(set(passwords)) == 4
    assert [world.server.accepts(world.user, password) for password in passwords] == [False, False, False, True]


def test_on_postgresql_15(server_15: PostgresServer, aws: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The version that Debian ships."""
    monkeypatch.setenv("SECRETS_MANAGER_ENDPOINT", aws.endpoint)
    monkeypatch.setenv("TLS_CA_FILE", str(server_15.ca_file))
    world = make_world(server_15, aws, "app", "first")
    for _ in range(2):
        assert world.rotate().succeeded
        assert world.server_saw() == {"connections": 2, "logins": 2, "failed": 0}
    assert world.logs_in()


@pytest.mark.parametrize("step", ["createSecret", "setSecret", "testSecret", "finishSecret"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_step_that_dies_is_done_again(world: World, step: str, when: str) -> None:
    """Before it does anything, or when all is done and only the answer is lost; the service tries again."""
    deaths = dies_once(world, step, when)
    rotation = world.rotate()
    assert rotation.succeeded, rotation.error
    assert deaths == [step]
    assert world.logs_in()
    # S2 where setSecret had been done; G3 where finishSecret had.
    past_set = (step, when) in {
        ("setSecret", "after"),
        ("testSecret", "before"),
        ("testSecret", "after"),
        ("finishSecret", "before"),
    }
    finished = (step, when) == ("finishSecret", "after")
    assert rotation.case("setSecret") == ("G3" if finished else "S2" if past_set else "S1")
    assert world.rotate().case("setSecret") == "S1"


def test_s3_previous_logs_in(world: World) -> None:
    """Somebody wrote a password into the secret that the server never heard of; the one before still works."""
    world.put(password="never-set-on-the-server")
    rotation = world.rotate()
    assert rotation.succeeded, rotation.error
    assert rotation.case("setSecret") == "S3"
    # S1 and S2 failed, S3 logged in, and testSecret.
    assert world.server_saw() == {"connections": 4, "logins": 2, "failed": 2}
    assert world.logs_in()


@pytest.mark.parametrize("field", [{"host": "127.0.0.1"}, {"username": "other"}, {"engine": "mysql"}])
def test_s3_only_for_the_same_account(world: World, field: dict[str, str]) -> None:
    """AWSPREVIOUS of another host, user or engine is not tried: its password belongs elsewhere."""
    good = world.value()
    world.put(**field)
    world.put(**{**good, "password": "never-set-on-the-server"})
    rotation = world.rotate()
    # S1 and S2 fail, AWSPREVIOUS is left out, the version before it (S4) logs in, and testSecret.
    assert rotation.case("setSecret") == "S4"
    assert world.server_saw() == {"connections": 4, "logins": 2, "failed": 2}


def test_nobody_logs_in(world: World) -> None:
    """No case applies: nothing is changed, the error says what was tried and what to do."""
    world.put(password="wrong-one")
    world.server.run(f"ALTER ROLE {world.user} PASSWORD 'changed-by-hand'")
    rotation = world.rotate()
    assert not rotation.succeeded
    for part in (
        "AWSCURRENT, AWSPENDING, AWSPREVIOUS.",
        world.user,
        "localhost",
        "by hand",
        "second secret",
        "abandoned",
    ):
        assert part in str(rotation.error)
    assert world.server.accepts(world.user, "changed-by-hand")
    world.put(password="changed-by-hand")
    assert world.rotate().succeeded


def test_rotate_immediately_false(world: World) -> None:
    """testSecret alone, on a copy of AWSCURRENT: it says whether the secret works, and changes nothing."""
    assert world.rotate(RotateImmediately=False).succeeded
    assert world.server_saw() == {"connections": 1, "logins": 1, "failed": 0}
    world.put(password="wrong")
    assert "[login-rejected]" in str(world.rotate(RotateImmediately=False).error)


@pytest.mark.parametrize(
    "fields", [{"username": "postgres"}, {"host": "127.0.0.1"}, {"dbname": "template1"}, {"ssl": False}, {"x": "y"}]
)
def test_g5_a_pending_value_that_somebody_staged(world: World, fields: dict[str, object]) -> None:
    """For another user, at another host, without TLS: refused before any connection."""
    assert world.rotate().succeeded
    staged = "f" * 32
    world.client.put_secret_value(
        SecretId=world.arn,
        SecretString=json.dumps({**world.value(), "password": "chosen-by-somebody", **fields}),
        VersionStages=["AWSPENDING"],
        ClientRequestToken=staged,
    )
    # The service calls the function for the version that it finds pending.
    with pytest.raises(world.client.exceptions.InvalidRequestException):
        world.rotate()
    world.aws.wait()
    rotation = world.aws.rotations[-1]
    assert rotation.token == staged
    assert "[pending-differs]" in str(rotation.error)
    assert world.server_saw() == {"connections": 0, "logins": 0, "failed": 0}
    assert world.logs_in()


def test_nothing_leaks(world: World) -> None:
    """No password that any version ever had: not in our log, errors, metrics, boto's log, nor PostgreSQL's at `all`."""
    mark, boto_log = len(world.server.log.read_text()), io.StringIO()
    root, listener = logging.getLogger(), logging.StreamHandler(boto_log)
    level = root.level
    root.addHandler(listener)
    root.setLevel(logging.DEBUG)
    try:
        rotations = [world.rotate(), *(_failed(world, **edit) for edit in LEAKY_EDITS)]
    finally:
        root.removeHandler(listener)
        root.setLevel(level)
    texts = [boto_log.getvalue(), world.server.log.read_text()[mark:], *(str(event) for event in world.aws.events)]
    texts += [text for rotation in rotations for text in (rotation.log, str(rotation.error))]
    assert any("ALTER ROLE" in text for text in texts), "the server did log every statement"
    assert sum("error_code" in text for text in texts) >= len(LEAKY_EDITS), "we did log the failures"
    passwords = _every_password(world)
    assert len(passwords) >= 4
    for password in passwords:
        for shape in (password, json.dumps(password)[1:-1]):
            assert not [text for text in texts if shape in text]


# Values that make each kind of failure, with a canary where a careless error would quote it.
LEAKY_EDITS: tuple[dict[str, Any], ...] = (
    {"password": 'canary-"quoted"-PASSWORD'},
    {"ssl": "canary-ssl-PASSWORD", "password": "canary-with-ssl"},
    {"host": "canary,host/PASSWORD", "password": "canary-with-host"},
    {"host": "nowhere.invalid", "password": "canary-with-nowhere"},
    {"dbname": "missing", "password": "canary-with-dbname"},
    {"port": "canary-port-PASSWORD"},
    {"password": ["canary-list-PASSWORD"]},
)


def _failed(world: World, **edit: Any) -> Rotation:
    """A rotation with this edit of the secret, while no version of it has the server's password."""
    good = world.value()
    world.server.set_password(world.user, "canary-on-the-server")
    world.put(**edit)
    rotation = world.rotate()
    assert not rotation.succeeded
    world.server.set_password(world.user, good["password"])
    world.put(**{**dict.fromkeys(edit, None), **good})
    return rotation


def _every_password(world: World) -> set[str]:
    """All that was ever put into the secret, by us or by the function, that no log may show."""
    values = [
        json.loads(call.parameters["SecretString"])
        for call in [*world.all_calls, *world.aws.calls]
        if "SecretString" in call.parameters
    ]
    found = {text for value in values for text in map(str, value.values()) if "canary" in text}
    return found | {value["password"] for value in values if isinstance(value["password"], str)}


def test_the_function_as_lambda_imports_it(world: World, trusted: Path) -> None:
    """`rotators.postgres.app.handler`, in a process of its own, from its environment alone."""
    script = """
import json, sys
from rotators.postgres.app import handler
class Context:
    aws_request_id = "r"
    function_name = "f"
    def get_remaining_time_in_millis(self): return 30000
handler(json.load(sys.stdin), Context())
assert not {"moto", "testkit", "rich", "flask"} & set(sys.modules), "what does not ship"
"""

    def in_a_process(event: dict[str, Any], _context: object) -> None:
        environment = {
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "x",
            "SECRETS_MANAGER_ENDPOINT": world.aws.endpoint,
            "TLS_CA_FILE": str(trusted),
        }
        done = subprocess.run(
            [sys.executable, "-c", script],
            input=json.dumps(event),
            env=environment,
            text=True,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    world.function = world.aws.add_function("process", in_a_process)
    rotation = world.rotate()
    assert rotation.succeeded, rotation.error
    assert world.logs_in()
