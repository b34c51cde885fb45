"""The simulator against AWS's own words: each test names the sentence that it holds the simulator to.

The sentences are looked up in the API model that botocore ships, so that none is made up; those of the user guide and
of CloudTrail, which botocore does not ship, are marked as such.
"""

import functools
import html
import json
import re
import threading
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.loaders import Loader
from werkzeug.serving import make_server

from testkit.simulator import HttpFunction, Simulator

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


@functools.cache
def reference(operation: str) -> str:
    """What AWS's API reference says of an operation and its parameters, without markup."""
    model: dict[str, Any] = Loader().load_service_model("secretsmanager", "service-2")
    described = model["operations"][operation]
    members = model["shapes"][described["input"]["shape"]]["members"].values()
    output = model["shapes"][described["output"]["shape"]]["members"].values()
    texts = [described["documentation"], *(member.get("documentation", "") for member in [*members, *output])]
    return re.sub(r"\s+", " ", html.unescape(re.sub("<[^>]+>", "", " ".join(texts))))


def says(operation: str, sentence: str) -> None:
    """The API reference has this sentence."""
    assert sentence in reference(operation)


@pytest.fixture
def client(aws: Simulator) -> "SecretsManagerClient":
    """A client of the simulator, with a secret `app` whose AWSCURRENT is "one"."""
    client = aws.client()
    client.create_secret(Name="app", SecretString="one")
    return client


def token() -> str:
    """A new version id."""
    return str(uuid.uuid4())


def stages(client: "SecretsManagerClient") -> dict[str, set[str]]:
    """{value: labels} of the secret `app`, "" for a version without a value."""
    labels = client.describe_secret(SecretId="app")["VersionIdsToStages"]
    return {value_of(client, VersionId=version): set(names) for version, names in labels.items()}


def value_of(client: "SecretsManagerClient", **which: Any) -> str:
    """The value of a version, "" where it has none."""
    try:
        return client.get_secret_value(**{"SecretId": "app", **which})["SecretString"]
    except client.exceptions.ResourceNotFoundException:
        return ""


class Recorder:
    """A function that notes its events, and does what it is told at a step."""

    def __init__(self, aws: Simulator, **behaviour: Any) -> None:
        self.events: list[dict[str, str]] = []
        self.behaviour = behaviour
        self.arn = aws.add_function("recorder", self).arn
        self.client = aws.client()

    def __call__(self, event: dict[str, str], _context: object) -> None:
        self.events.append(event)
        if act := self.behaviour.get(event["Step"]):
            act(self.client, event)

    @property
    def steps(self) -> list[str]:
        """The steps it was called for."""
        return [event["Step"] for event in self.events]


def store(client: "SecretsManagerClient", event: dict[str, str]) -> None:
    """What createSecret does."""
    client.put_secret_value(
        SecretId=event["SecretId"],
        ClientRequestToken=event["ClientRequestToken"],
        SecretString="two",
        VersionStages=["AWSPENDING"],
        RotationToken=event["RotationToken"],
    )


def promote(client: "SecretsManagerClient", event: dict[str, str]) -> None:
    """What finishSecret does."""
    labels = client.describe_secret(SecretId=event["SecretId"])["VersionIdsToStages"]
    (current,) = [version for version, names in labels.items() if "AWSCURRENT" in names]
    client.update_secret_version_stage(
        SecretId=event["SecretId"],
        VersionStage="AWSCURRENT",
        MoveToVersionId=event["ClientRequestToken"],
        RemoveFromVersionId=current,
    )


def fail(_client: object, _event: object) -> None:
    """A step that fails."""
    raise RuntimeError("on purpose")


class TestVersions:
    """Values and labels."""

    def test_put_moves_current_and_previous(self, client: "SecretsManagerClient") -> None:
        says(
            "PutSecretValue",
            "If you don't include VersionStages, then Secrets Manager automatically moves the staging label AWSCURRENT "
            "to this version.",
        )
        says(
            "PutSecretValue",
            "If this operation moves the staging label AWSCURRENT from another version to this version, then Secrets "
            "Manager also automatically moves the staging label AWSPREVIOUS to the version that AWSCURRENT was removed "
            "from.",
        )
        client.put_secret_value(SecretId="app", SecretString="two")
        assert stages(client) == {"one": {"AWSPREVIOUS"}, "two": {"AWSCURRENT"}}
        client.put_secret_value(SecretId="app", SecretString="three")
        assert stages(client) == {"two": {"AWSPREVIOUS"}, "three": {"AWSCURRENT"}}

    def test_put_the_same_again_does_nothing(self, client: "SecretsManagerClient") -> None:
        says(
            "PutSecretValue",
            "If you call this operation with a ClientRequestToken that matches an existing version's VersionId, and you "
            "specify the same secret data, the operation succeeds but does nothing.",
        )
        version = token()
        for _ in range(2):
            client.put_secret_value(SecretId="app", SecretString="two", ClientRequestToken=version)
        client.put_secret_value(SecretId="app", SecretString="three")
        client.put_secret_value(SecretId="app", SecretString="two", ClientRequestToken=version)
        assert stages(client) == {"two": {"AWSPREVIOUS"}, "three": {"AWSCURRENT"}}

    @pytest.mark.parametrize("label", ["AWSPENDING", "AWSCURRENT"])
    def test_put_other_data_under_a_token_fails(self, client: "SecretsManagerClient", label: str) -> None:
        says(
            "PutSecretValue",
            "However, if the secret data is different, then the operation fails because you can't modify an existing "
            "version; you can only create new ones.",
        )
        version = token()
        client.put_secret_value(SecretId="app", SecretString="two", ClientRequestToken=version, VersionStages=[label])
        with pytest.raises(client.exceptions.ResourceExistsException):
            client.put_secret_value(
                SecretId="app", SecretString="other", ClientRequestToken=version, VersionStages=[label]
            )
        assert value_of(client, VersionId=version) == "two"

    def test_first_version_becomes_current(self, aws: Simulator) -> None:
        says(
            "PutSecretValue",
            "If this operation creates the first version for the secret, then Secrets Manager automatically attaches the "
            "staging label AWSCURRENT to it.",
        )
        client = aws.client()
        client.create_secret(Name="app")
        client.put_secret_value(SecretId="app", SecretString="one", VersionStages=["mine"])
        assert stages(client) == {"one": {"mine", "AWSCURRENT"}}

    def test_a_label_is_taken_from_the_other_version(self, client: "SecretsManagerClient") -> None:
        says(
            "PutSecretValue",
            "If you specify a staging label that's already associated with a different version of the same secret, then "
            "Secrets Manager removes the label from the other version and attaches it to this version.",
        )
        client.put_secret_value(SecretId="app", SecretString="two", VersionStages=["mine"])
        client.put_secret_value(SecretId="app", SecretString="three", VersionStages=["mine"])
        assert stages(client) == {"one": {"AWSCURRENT"}, "three": {"mine"}}

    def test_update_secret_with_a_known_token_fails(self, client: "SecretsManagerClient") -> None:
        says(
            "UpdateSecret",
            "If you call this operation with a ClientRequestToken that matches an existing version's VersionId, the "
            "operation results in an error.",
        )
        version = token()
        client.update_secret(SecretId="app", SecretString="two", ClientRequestToken=version)
        assert stages(client) == {"one": {"AWSPREVIOUS"}, "two": {"AWSCURRENT"}}
        with pytest.raises(client.exceptions.ResourceExistsException):
            client.update_secret(SecretId="app", SecretString="two", ClientRequestToken=version)

    def test_get_without_a_version_is_current(self, client: "SecretsManagerClient") -> None:
        says(
            "GetSecretValue",
            "If you don't specify either a VersionStage or VersionId, then Secrets Manager returns the AWSCURRENT version.",
        )
        client.put_secret_value(SecretId="app", SecretString="two", VersionStages=["AWSPENDING"])
        assert value_of(client) == "one"

    def test_get_with_both_must_agree(self, client: "SecretsManagerClient") -> None:
        says(
            "GetSecretValue",
            "If you include both this parameter and VersionStage, the two parameters must refer to the same secret version.",
        )
        current = client.get_secret_value(SecretId="app")["VersionId"]
        assert value_of(client, VersionId=current, VersionStage="AWSCURRENT") == "one"
        with pytest.raises(client.exceptions.InvalidRequestException):
            value_of(client, VersionId=current, VersionStage="AWSPENDING")

    def test_describe_shows_labelled_versions_only(self, client: "SecretsManagerClient") -> None:
        says("DescribeSecret", "A list of the versions of the secret that have staging labels attached.")
        first = client.get_secret_value(SecretId="app")["VersionId"]
        client.put_secret_value(SecretId="app", SecretString="two")
        client.put_secret_value(SecretId="app", SecretString="three")
        assert first not in client.describe_secret(SecretId="app")["VersionIdsToStages"]
        assert value_of(client, VersionId=first) == "one", "it is deprecated, not gone"

    def test_a_value_too_long_is_refused(self, client: "SecretsManagerClient") -> None:
        model: dict[str, Any] = Loader().load_service_model("secretsmanager", "service-2")
        assert model["shapes"]["SecretStringType"]["max"] == 65536
        client.put_secret_value(SecretId="app", SecretString="x" * 65536)
        with pytest.raises(ClientError, match="65536"):
            client.put_secret_value(SecretId="app", SecretString="x" * 65537)


class TestMovingLabels:
    """UpdateSecretVersionStage."""

    def test_current_takes_previous_with_it(self, client: "SecretsManagerClient") -> None:
        says(
            "UpdateSecretVersionStage",
            "Whenever you move AWSCURRENT, Secrets Manager automatically moves the label AWSPREVIOUS to the version that "
            "AWSCURRENT was removed from.",
        )
        one = client.get_secret_value(SecretId="app")["VersionId"]
        two = client.put_secret_value(SecretId="app", SecretString="two", VersionStages=["AWSPENDING"])["VersionId"]
        client.update_secret_version_stage(
            SecretId="app", VersionStage="AWSCURRENT", MoveToVersionId=two, RemoveFromVersionId=one
        )
        assert stages(client) == {"one": {"AWSPREVIOUS"}, "two": {"AWSCURRENT", "AWSPENDING"}}
        client.update_secret_version_stage(
            SecretId="app", VersionStage="AWSCURRENT", MoveToVersionId=one, RemoveFromVersionId=two
        )
        assert stages(client) == {"one": {"AWSCURRENT"}, "two": {"AWSPREVIOUS", "AWSPENDING"}}

    def test_the_holder_must_be_named(self, client: "SecretsManagerClient") -> None:
        says(
            "UpdateSecretVersionStage",
            "If the label is attached and you either do not specify this parameter, or the version ID does not match, "
            "then the operation fails.",
        )
        one = client.get_secret_value(SecretId="app")["VersionId"]
        two = client.put_secret_value(SecretId="app", SecretString="two", VersionStages=["AWSPENDING"])["VersionId"]
        for wrong in ({}, {"RemoveFromVersionId": two}):
            with pytest.raises(client.exceptions.InvalidParameterException):
                client.update_secret_version_stage(
                    SecretId="app", VersionStage="AWSCURRENT", MoveToVersionId=two, **wrong
                )
        assert stages(client) == {"one": {"AWSCURRENT"}, "two": {"AWSPENDING"}}
        client.update_secret_version_stage(
            SecretId="app", VersionStage="AWSCURRENT", MoveToVersionId=one, RemoveFromVersionId=one
        )
        assert stages(client)["one"] == {"AWSCURRENT"}

    def test_a_label_is_removed(self, client: "SecretsManagerClient") -> None:
        says("UpdateSecretVersionStage", "To remove a label from a version, then do not specify this parameter.")
        two = client.put_secret_value(SecretId="app", SecretString="two", VersionStages=["AWSPENDING"])["VersionId"]
        client.update_secret_version_stage(SecretId="app", VersionStage="AWSPENDING", RemoveFromVersionId=two)
        assert stages(client) == {"one": {"AWSCURRENT"}}

    def test_current_cannot_be_removed(self, client: "SecretsManagerClient") -> None:
        """The service's own message: "It can't be completely removed."."""
        one = client.get_secret_value(SecretId="app")["VersionId"]
        with pytest.raises(client.exceptions.InvalidParameterException, match="completely removed"):
            client.update_secret_version_stage(SecretId="app", VersionStage="AWSCURRENT", RemoveFromVersionId=one)
        assert stages(client) == {"one": {"AWSCURRENT"}}


class TestListing:
    """ListSecretVersionIds."""

    def test_deprecated_versions_on_demand(self, client: "SecretsManagerClient") -> None:
        """In pages, with dates that tell newest from oldest."""
        says("ListSecretVersionIds", "By default, versions without staging labels aren't included.")
        for number in range(4):
            client.put_secret_value(SecretId="app", SecretString=f"v{number}")
        assert len(client.list_secret_version_ids(SecretId="app")["Versions"]) == 2
        listed: list[Any] = []
        token: dict[str, Any] = {}
        while True:
            page = client.list_secret_version_ids(SecretId="app", IncludeDeprecated=True, MaxResults=2, **token)
            listed += page["Versions"]
            if "NextToken" not in page:
                break
            token = {"NextToken": page["NextToken"]}
        newest_first = sorted(listed, key=lambda one: one["CreatedDate"], reverse=True)
        values = [value_of(client, VersionId=one["VersionId"]) for one in newest_first]
        assert values == ["v3", "v2", "v1", "v0", "one"]
        assert ["VersionStages" in one for one in newest_first] == [True, True, False, False, False]


class TestRotation:
    """RotateSecret."""

    def test_the_four_steps(self, aws: Simulator, client: "SecretsManagerClient") -> None:
        """User guide, "Rotation by Lambda function": four steps, one call each, same token."""
        function = Recorder(aws, createSecret=store, finishSecret=promote)
        rotation = aws.rotate("app", RotationLambdaARN=function.arn)
        assert rotation.succeeded
        assert function.steps == ["createSecret", "setSecret", "testSecret", "finishSecret"]
        assert {event["ClientRequestToken"] for event in function.events} == {rotation.token}
        assert {event["SecretId"] for event in function.events} == {rotation.arn}
        assert all(36 <= len(event["RotationToken"]) <= 256 for event in function.events)
        assert stages(client) == {"one": {"AWSPREVIOUS"}, "two": {"AWSCURRENT", "AWSPENDING"}}
        assert [event.name for event in aws.events] == ["RotationStarted", "RotationSucceeded"]
        assert client.describe_secret(SecretId="app")["RotationEnabled"]

    @pytest.mark.usefixtures("client")
    def test_an_empty_version_is_staged_first(self, aws: Simulator) -> None:
        says(
            "DescribeSecret",
            "During rotation, Secrets Manager creates an AWSPENDING version ID before creating the new secret version. "
            "To check if a secret version exists, call GetSecretValue.",
        )
        seen: list[dict[str, set[str]]] = []

        def look(client: "SecretsManagerClient", event: dict[str, str]) -> None:
            seen.append(stages(client))
            store(client, event)

        function = Recorder(aws, createSecret=look, finishSecret=promote)
        aws.rotate("app", RotationLambdaARN=function.arn)
        assert seen == [{"one": {"AWSCURRENT"}, "": {"AWSPENDING"}}]

    def test_a_failing_step_stops_and_the_whole_is_retried(
        self, aws: Simulator, client: "SecretsManagerClient"
    ) -> None:
        says("DescribeSecret", "If rotation fails, Secrets Manager retries the entire rotation process multiple times.")
        says(
            "RotateSecret",
            "When rotation is unsuccessful, the AWSPENDING staging label might be attached to an empty secret version.",
        )
        function = Recorder(aws, createSecret=fail)
        rotation = aws.rotate("app", RotationLambdaARN=function.arn)
        assert not rotation.succeeded
        assert function.steps == ["createSecret"] * aws.tries
        assert {event["ClientRequestToken"] for event in function.events} == {rotation.token}
        assert [event.name for event in aws.events] == ["RotationStarted"] + ["RotationFailed"] * aws.tries
        assert "on purpose" in str(aws.events[-1].error)
        assert stages(client) == {"one": {"AWSCURRENT"}, "": {"AWSPENDING"}}

    def test_a_rotation_that_is_not_complete(self, aws: Simulator, client: "SecretsManagerClient") -> None:
        says(
            "RotateSecret",
            "If the AWSPENDING staging label is present but not attached to the same version as AWSCURRENT, then any "
            "later invocation of RotateSecret assumes that a previous rotation request is still in progress and returns "
            "an error.",
        )
        function = Recorder(aws, createSecret=fail)
        first = aws.rotate("app", RotationLambdaARN=function.arn)
        function.behaviour = {"createSecret": store, "finishSecret": promote}
        with pytest.raises(client.exceptions.InvalidRequestException) as refused:
            aws.rotate("app")
        # The service's own text; it does what it says.
        assert "A previous rotation isn't complete. That rotation will be reattempted." in str(refused.value)
        aws.wait()
        assert aws.rotations[-1].token == first.token
        assert stages(client) == {"one": {"AWSPREVIOUS"}, "two": {"AWSCURRENT", "AWSPENDING"}}
        assert aws.rotate("app").token != first.token

    def test_pending_left_elsewhere_is_no_success(self, aws: Simulator, client: "SecretsManagerClient") -> None:
        says(
            "RotateSecret",
            "When rotation is successful, the AWSPENDING staging label might be attached to the same version as the "
            "AWSCURRENT version, or it might not be attached to any version.",
        )
        function = Recorder(aws, createSecret=store)
        assert not aws.rotate("app", RotationLambdaARN=function.arn).succeeded
        assert aws.events[-1].name == "RotationFailed"
        assert stages(client) == {"one": {"AWSCURRENT"}, "two": {"AWSPENDING"}}

    def test_a_value_put_by_hand_takes_pending_away(self, aws: Simulator, client: "SecretsManagerClient") -> None:
        """Not in the API reference; seen in the field: a hand edit ends a rotation, and never blocks the next one."""
        function = Recorder(aws, createSecret=store, finishSecret=promote)
        aws.rotate("app", RotationLambdaARN=function.arn)
        client.put_secret_value(SecretId="app", SecretString="by hand")
        assert stages(client) == {"two": {"AWSPREVIOUS"}, "by hand": {"AWSCURRENT"}}

    @pytest.mark.parametrize("edit", ["PutSecretValue", "UpdateSecret"])
    def test_a_value_put_in_mid_rotation_abandons_it(
        self, aws: Simulator, client: "SecretsManagerClient", edit: str
    ) -> None:
        """CloudTrail's RotationAbandoned: AWSPENDING is taken off, no further step is called."""

        def edits(client: "SecretsManagerClient", _event: object) -> None:
            put = client.put_secret_value if edit == "PutSecretValue" else client.update_secret
            put(SecretId="app", SecretString="by hand")

        function = Recorder(aws, createSecret=store, setSecret=edits)
        assert not aws.rotate("app", RotationLambdaARN=function.arn).succeeded
        assert function.steps == ["createSecret", "setSecret"]
        assert [event.name for event in aws.events] == ["RotationStarted", "RotationAbandoned"]
        assert stages(client) == {"one": {"AWSPREVIOUS"}, "by hand": {"AWSCURRENT"}}

    def test_cancelling(self, aws: Simulator, client: "SecretsManagerClient") -> None:
        says(
            "CancelRotateSecret",
            "Turns off automatic rotation, and if a rotation is currently in progress, cancels the rotation. If you cancel "
            "a rotation in progress, it can leave the VersionStage labels in an unexpected state.",
        )
        function = Recorder(aws, createSecret=store, setSecret=lambda c, _: c.cancel_rotate_secret(SecretId="app"))
        aws.rotate("app", RotationLambdaARN=function.arn)
        assert function.steps == ["createSecret", "setSecret"]
        assert stages(client) == {"one": {"AWSCURRENT"}, "two": {"AWSPENDING"}}
        assert not client.describe_secret(SecretId="app")["RotationEnabled"]

    @pytest.mark.usefixtures("client")
    def test_a_function_that_takes_too_long_has_failed(self, aws: Simulator) -> None:
        """Lambda ends it at its timeout."""
        slow = aws.add_function("slow", lambda *_: time.sleep(0.2), timeout=0.1)
        assert "timed out" in str(aws.rotate("app", RotationLambdaARN=slow.arn).error)

    @pytest.mark.usefixtures("client")
    def test_stale_reads_on_demand(self, aws: Simulator) -> None:
        """Reads are eventually consistent: the first of each step are answered as of one step before."""
        seen: dict[str, list[Any]] = {"labels": [], "values": []}

        def look(client: "SecretsManagerClient", event: dict[str, str]) -> None:
            for _ in range(2):
                labels = client.describe_secret(SecretId="app")["VersionIdsToStages"]
                seen["labels"].append(event["ClientRequestToken"] in labels)
                seen["values"].append(value_of(client, VersionId=event["ClientRequestToken"]))

        aws.stale_reads = 1
        function = Recorder(aws, createSecret=store, setSecret=look, finishSecret=promote)
        aws.tries = 1
        aws.rotate("app", RotationLambdaARN=function.arn)
        assert seen == {"labels": [True, True], "values": ["", "two"]}

    def test_not_immediately_runs_the_test_alone(self, aws: Simulator, client: "SecretsManagerClient") -> None:
        says(
            "RotateSecret",
            "If you set RotateImmediately to false, Secrets Manager tests the rotation configuration by running the "
            "testSecret step of the Lambda rotation function. This test creates an AWSPENDING version of the secret and "
            "then removes it.",
        )
        seen: list[str] = []
        function = Recorder(aws, testSecret=lambda c, _: seen.append(value_of(c, VersionStage="AWSPENDING")))
        assert aws.rotate("app", RotationLambdaARN=function.arn, RotateImmediately=False).succeeded
        assert (function.steps, seen) == (["testSecret"], ["one"])
        assert stages(client) == {"one": {"AWSCURRENT"}}
        assert [event.name for event in aws.events] == ["TestRotationStarted", "TestRotationSucceeded"]
        function.behaviour = {"testSecret": fail}
        assert not aws.rotate("app", RotateImmediately=False).succeeded
        assert stages(client) == {"one": {"AWSCURRENT"}}
        assert aws.events[-1].name == "TestRotationFailed"

    def test_a_function_must_be_named_once(self, aws: Simulator, client: "SecretsManagerClient") -> None:
        says(
            "RotateSecret",
            "If you don't include the configuration parameters, the operation starts a rotation with the values already "
            "stored in the secret.",
        )
        with pytest.raises(client.exceptions.InvalidRequestException):
            aws.rotate("app")
        function = Recorder(aws, createSecret=store, finishSecret=promote)
        aws.rotate("app", RotationLambdaARN=function.arn)
        function.behaviour["createSecret"] = lambda c, e: c.put_secret_value(
            SecretId=e["SecretId"],
            ClientRequestToken=e["ClientRequestToken"],
            SecretString="three",
            VersionStages=["AWSPENDING"],
        )
        assert aws.rotate("app").succeeded

    def test_it_is_asynchronous(self, aws: Simulator, client: "SecretsManagerClient") -> None:
        says("RotateSecret", "Configures and starts the asynchronous process of rotating the secret.")
        waiting = threading.Event()
        function = Recorder(aws, createSecret=store, setSecret=lambda *_: waiting.wait(), finishSecret=promote)
        client.rotate_secret(SecretId="app", RotationLambdaARN=function.arn)
        assert value_of(client) == "one", "it answered before the function did"
        waiting.set()
        aws.wait()
        assert value_of(client) == "two"


def test_what_a_boto_client_sends_is_noted(aws: Simulator, client: "SecretsManagerClient") -> None:
    """Every call over the wire, with its parameters and the user agent, which tells the clients apart."""
    aws.client(config=Config(user_agent_extra="somebody")).get_secret_value(SecretId="app")
    assert aws.calls_by("somebody") == ["GetSecretValue"]
    assert aws.calls[-1].parameters == {"SecretId": "app"}
    assert "one" not in repr(aws.calls)
    assert client.describe_secret(SecretId="app")["Name"] == "app"


def test_other_services_are_motos(aws: Simulator) -> None:
    """The rest of AWS answers at the same endpoint."""
    sts = boto3.client("sts", endpoint_url=aws.endpoint, region_name="eu-west-1")
    assert sts.get_caller_identity()["Account"] == "123456789012"


EVENT: dict[str, str] = json.loads((Path(__file__).parents[2] / "events/postgres/create_secret.json").read_text())
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:x"


class TestSeed:
    """The secret that a sample event is about."""

    def test_it_is_in_mid_rotation(self, aws: Simulator) -> None:
        """Under the event's ARN; AWSPENDING on its token, and no value there yet."""
        aws.seed(EVENT, "one", FUNCTION)
        described = aws.client().describe_secret(SecretId=EVENT["SecretId"])
        assert (described["ARN"], described["Name"]) == (EVENT["SecretId"], "shop/postgres")
        assert (described["RotationEnabled"], described["RotationLambdaARN"]) == (True, FUNCTION)
        assert described["VersionIdsToStages"].pop(EVENT["ClientRequestToken"]) == ["AWSPENDING"]
        assert list(described["VersionIdsToStages"].values()) == [["AWSCURRENT"]]
        assert value_of(aws.client(), SecretId=EVENT["SecretId"], VersionId=EVENT["ClientRequestToken"]) == ""
        assert value_of(aws.client(), SecretId="shop/postgres") == "one"

    def test_for_a_test_pending_is_a_copy_of_current(self, aws: Simulator) -> None:
        """As RotateImmediately=false has it."""
        aws.seed({**EVENT, "Step": "testSecret"}, "one", FUNCTION)
        assert value_of(aws.client(), SecretId=EVENT["SecretId"], VersionId=EVENT["ClientRequestToken"]) == "one"

    def test_another_account_s_secret_is_for_a_role_of_that_account(self, aws: Simulator) -> None:
        """No secret here has a resource policy that lets others in; by its name we look in our own account."""
        elsewhere = {**EVENT, "SecretId": EVENT["SecretId"].replace("123456789012", "210987654321")}
        aws.seed(elsewhere, "one", FUNCTION)
        assert value_of(aws.client_in("210987654321"), SecretId=elsewhere["SecretId"]) == "one"
        assert [(call.service, call.operation) for call in aws.other_calls] == [("sts", "AssumeRole")]
        assert [call.account for call in aws.calls] == ["210987654321"]
        with pytest.raises(ClientError, match="AccessDenied"):
            aws.client().describe_secret(SecretId=elsewhere["SecretId"])
        with pytest.raises(ClientError, match="ResourceNotFound"):
            aws.client().describe_secret(SecretId="shop/postgres")


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (200, "null", None),
        (200, "", None),
        (200, '{"errorMessage": "no", "errorType": "Refused"}', "Refused: no"),
        (200, '{"errorMessage": "no"}', "Error: no"),
        (200, "Task timed out after 3.00 seconds", "Task timed out after 3.00 seconds"),
        (502, '{"errorType": "Runtime.ExitError", "errorMessage": "killed"}', "Runtime.ExitError: killed"),
        (502, "null", "Runtime.ExitError: the runtime ended while it answered"),
        (502, "nul", "Runtime.ExitError: the runtime ended while it answered"),
        (502, "", "Runtime.ExitError: the runtime ended while it answered"),
    ],
)
def test_what_a_function_behind_http_answers(status: int, body: str, error: str | None) -> None:
    """As the Invoke API and its emulator have it; whatever the runtime's death left of an answer is its death."""
    heard: list[bytes] = []

    def answer(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        heard.append(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        start_response(f"{status} x", [("Content-Type", "application/json")])
        return [body.encode()]

    server = make_server("127.0.0.1", 0, answer)
    threading.Thread(target=server.handle_request, daemon=True).start()
    assert HttpFunction(FUNCTION, f"http://127.0.0.1:{server.server_port}/").invoke(EVENT).error == error
    assert json.loads(heard[0]) == EVENT
    server.server_close()
