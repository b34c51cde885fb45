"""The store: what it sends, and Secrets Manager's errors in our words."""

import datetime as dt
import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ParamValidationError
from botocore.stub import Stubber

from common.errors import MalformedSecret, NotRotatable, StoreError
from common.event import Event
from common.guard import Description
from common.secret import Secret
from common.store import Store
from testkit.simulator import Simulator

ARN, ONE, TWO = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:app-AbCdEf", "1" * 32, "2" * 32
CANARY = "canary-PASSWORD-31"
APP = Description(ARN, True, {ONE: frozenset({"AWSCURRENT"}), TWO: frozenset({"AWSPENDING"})}, {})  # noqa: FBT003


@pytest.fixture
def stub() -> Iterator[tuple[Store, Stubber]]:
    """A store whose client answers what it is told."""
    client = boto3.client("secretsmanager")
    with Stubber(client) as stubber:
        yield Store(client), stubber
        stubber.assert_no_pending_responses()


@pytest.mark.parametrize(
    ("answered", "code"),
    [
        ("AccessDeniedException", "store-denied"),
        ("DecryptionFailure", "store-denied"),
        ("ResourceNotFoundException", "store-not-found"),
        ("ThrottlingException", "store-refused"),
        ("InternalServiceError", "store-refused"),
    ],
)
def test_a_refusal_says_which_call_and_what_to_do(stub: tuple[Store, Stubber], answered: str, code: str) -> None:
    """The action, the secret, the service's code, the fix; never its message, which may quote a value."""
    store, stubber = stub
    stubber.add_client_error("describe_secret", answered, CANARY)
    with pytest.raises(StoreError) as error:
        store.describe(ARN)
    assert error.value.code == code
    assert {word in str(error.value) for word in ("DescribeSecret", ARN, answered)} == {True}
    assert CANARY not in str(error.value)


def test_parameters_that_boto_refuses_do_not_leak() -> None:
    """A ParamValidationError prints SecretString; ours names the call."""
    client = boto3.client("secretsmanager")
    with pytest.raises(ParamValidationError, match=CANARY):
        client.put_secret_value(SecretId=ARN, SecretString=[CANARY])  # type: ignore[arg-type]
    with pytest.raises(StoreError, match="PutSecretValue") as error:
        Store(client).stage(Event("createSecret", ARN, "too-short", None), Secret({"password": CANARY}, "p"))
    assert CANARY not in str(error.value)
    assert error.value.code == "store-refused"


def test_no_answer() -> None:
    """No route to Secrets Manager: the commonest mistake in a VPC is named."""
    nowhere = boto3.client(
        "secretsmanager", endpoint_url="http://127.0.0.1:1", config=Config(retries={"total_max_attempts": 1})
    )
    with pytest.raises(StoreError, match="interface endpoint") as error:
        Store(nowhere).describe(ARN)
    assert error.value.code == "store-unavailable"


def test_an_endpoint_that_drops_packets(monkeypatch: pytest.MonkeyPatch) -> None:
    """boto would try each of its addresses three times, 5 s each: given up in time, and named."""
    monkeypatch.setattr("common.store.READ_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = boto3.client("secretsmanager", endpoint_url=f"http://127.0.0.1:{silent.getsockname()[1]}")
        started = time.monotonic()
        with pytest.raises(StoreError, match="interface endpoint") as error:
            Store(client).describe(ARN)
        assert time.monotonic() - started < 2
    assert error.value.code == "store-unavailable"


def test_current_is_read_by_the_id_that_was_described(stub: tuple[Store, Stubber]) -> None:
    """A label may be read stale; an id may not."""
    store, stubber = stub
    stored = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)
    answer = {"ARN": ARN, "SecretString": '{"a": "b"}', "CreatedDate": stored}
    stubber.add_response("get_secret_value", answer, {"SecretId": ARN, "VersionId": ONE})
    value = store.read_version(ARN, APP.require_version("AWSCURRENT"), "AWSCURRENT")
    assert dict(value) == {"a": "b"}
    assert value.stored_at == stored.timestamp()


def test_a_binary_value(stub: tuple[Store, Stubber]) -> None:
    """Is no JSON."""
    store, stubber = stub
    stubber.add_response("get_secret_value", {"SecretBinary": b"x"})
    with pytest.raises(MalformedSecret, match="binary"):
        store.read_version(ARN, APP.require_version("AWSCURRENT"), "AWSCURRENT")


def test_a_version_without_a_value(stub: tuple[Store, Stubber]) -> None:
    """AWSPENDING is there before createSecret, without a value."""
    store, stubber = stub
    stubber.add_client_error("get_secret_value", "ResourceNotFoundException")
    with pytest.raises(NotRotatable) as error:
        store.read_version(ARN, APP.require_version("AWSPENDING"), "AWSPENDING")
    assert error.value.code == "version-empty"


def test_a_label_that_no_version_holds() -> None:
    """No call is made."""
    with pytest.raises(NotRotatable) as error:
        APP.require_version("AWSPREVIOUS")
    assert error.value.code == "version-missing"


@pytest.mark.parametrize("token", ["t" * 36, None])
def test_the_rotation_token_is_passed_on(stub: tuple[Store, Stubber], token: str | None) -> None:
    """Where the event has one: the service demands it of a role in another account."""
    store, stubber = stub
    sent: dict[str, Any] = {
        "SecretId": ARN,
        "ClientRequestToken": TWO,
        "SecretString": '{"password":"x"}',
        "VersionStages": ["AWSPENDING"],
    }
    stubber.add_response("put_secret_value", {}, sent | ({"RotationToken": token} if token else {}))
    store.stage(Event("createSecret", ARN, TWO, token), Secret({"password": "x"}, "p"))


def test_a_value_that_is_staged_already_stays(aws: Simulator) -> None:
    """ResourceExistsException: an earlier createSecret stored one, and nobody may lose it."""
    client = aws.client()
    client.create_secret(Name="app", SecretString="{}")
    event = Event("createSecret", "app", TWO, None)
    for password in ("first", "second"):
        Store(client).stage(event, Secret({"password": password}, "p"))
    assert json.loads(client.get_secret_value(SecretId="app", VersionId=TWO)["SecretString"]) == {"password": "first"}
