"""A stack's life: deployed, looked at, changed by its parameters, deleted; by `sam deploy` and `sam delete`.

The emulator refuses nothing to whoever deploys, and makes what AWS would: so these tests say that the template is one whose
resources fit together, not that a role which may deploy has rights enough.
"""

import shlex
from pathlib import Path

import boto3
import pytest
from botocore import xform_name

from testkit.servers.ministack import Ministack
from tests.deploy.stack import ADMINS, TEMPLATE, Stack, everything, uploaded
from tests.packaged.conftest import FUNCTIONS


@pytest.mark.parametrize("logical_id", sorted(FUNCTIONS.values()))
def test_outputs_are_the_functions_and_their_roles(stack: Stack, logical_id: str) -> None:
    """What RotateSecret and the policies of customer keys take."""
    outputs, function = stack.outputs(), stack.function(logical_id)
    assert outputs[f"{logical_id}Arn"] == function["FunctionArn"]
    assert outputs[f"{logical_id.removesuffix('Rotator')}RoleArn"] == function["Role"]


@pytest.mark.parametrize("logical_id", sorted(FUNCTIONS.values()))
def test_the_function_is_what_the_template_says(stack: Stack, logical_id: str) -> None:
    """Parameters come through as environment variables; its log goes to the group that the stack has made."""
    function = stack.function(logical_id)
    variables = function["Environment"]["Variables"]
    assert variables["ADMIN_SECRETS"] == ADMINS
    assert variables["SECRETS_MANAGER_ENDPOINT"] == stack.cloud.endpoint
    assert variables["TLS_CA_FILE"] == "common/ca.pem"
    assert function["Timeout"] >= 60
    kind, group = stack.resources()[f"{logical_id.removesuffix('Rotator')}Logs"]
    assert (kind, function["LoggingConfig"]["LogGroup"]) == ("AWS::Logs::LogGroup", group)


@pytest.mark.parametrize("logical_id", sorted(FUNCTIONS.values()))
def test_secrets_manager_may_call_it_for_this_account_only(stack: Stack, logical_id: str) -> None:
    """The resource policy, with its condition."""
    answer = stack.cloud.client("lambda").get_policy(FunctionName=stack.function(logical_id)["FunctionName"])
    assert '"secretsmanager.amazonaws.com"' in answer["Policy"]
    assert '"AWS:SourceAccount": "123456789012"' in answer["Policy"]


def test_a_rotate_command_is_one_that_the_command_line_takes(stack: Stack) -> None:
    """Each names its own function, and RotateSecret has its options."""
    commands = [one for one in stack.outputs().values() if one.startswith("aws secretsmanager rotate-secret")]
    assert len(commands) == len([name for name in TEMPLATE["Outputs"] if name.endswith("RotateCommand")]) == 5
    shape = boto3.client("secretsmanager").meta.service_model.operation_model("RotateSecret").input_shape
    assert shape is not None
    known = {"--" + xform_name(name, "-") for name in shape.members} | {
        "--rotate-immediately",
        "--no-rotate-immediately",
        "--region",
    }
    assert len(commands) == len(FUNCTIONS)
    for command in commands:
        given = [word for word in shlex.split(command) if word.startswith("--")]
        assert set(given) <= known
    for logical_id in FUNCTIONS.values():
        assert [command for command in commands if stack.function(logical_id)["FunctionArn"] in command]


def test_deployed_changed_and_deleted(cloud: Ministack, built: Path) -> None:
    """Switched off, a function goes with its role and its log; deleted, the stack leaves nothing, the code neither.

    Another stack of the same account is left as it is, but for uploaded code that is the same as this one's: Lambda keeps its own
    """
    stack = Stack(cloud, "keyturn-second", built)
    before, uploaded_before = everything(cloud), uploaded(cloud)
    stack.deploy()
    everything_on = stack.resources()
    assert {FUNCTIONS[name] for name in FUNCTIONS} <= set(everything_on)
    switches = {"EnableMySql": "false"} if "EnableMySql" in TEMPLATE["Parameters"] else {}
    stack.deploy(PasswordLength="40", **switches)
    left = stack.resources()
    assert stack.function("PostgresRotator")["Environment"]["Variables"]["PASSWORD_LENGTH"] == "40"
    gone = {name for name in everything_on if name not in left}
    if switches:
        assert {"MySqlRotator", "MySqlRole", "MySqlLogs"} <= gone
        assert all(name.startswith("MySql") for name in gone)
        assert not [name for name in everything(cloud) - before if "keyturn-second-mysql" in name]
        assert not [name for name in stack.outputs() if name.startswith("MySql")]
    else:
        assert gone == set()
    stack.delete()
    assert everything(cloud) == before
    assert uploaded(cloud) <= uploaded_before
