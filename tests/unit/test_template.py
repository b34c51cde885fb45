"""What template.yaml promises about security: who may call the functions, and what they may do."""

import re
from typing import Any

import pytest
from samcli.yamlhelper import yaml_parse

from tests.unit.test_architecture import COMMON, ROOT

TEMPLATE: dict[str, Any] = yaml_parse((ROOT / "template.yaml").read_text())
RESOURCES: dict[str, Any] = TEMPLATE["Resources"]
ROTATORS = {name: one for name, one in RESOURCES.items() if one["Type"] == "AWS::Serverless::Function"}
ACCOUNT = "${AWS::Region}:${AWS::AccountId}"
# What endpoints.py asks of Redshift's two APIs.
REDSHIFT = {
    "redshift": ("DescribeClusters", "DescribeEndpointAccess"),
    "redshift-serverless": ("ListEndpointAccess", "ListNamespaces", "ListWorkgroups"),
}


def of(rotator: str, kind: str) -> dict[str, Any]:
    """The properties of a rotator's Role, Logs or Permission."""
    properties: dict[str, Any] = RESOURCES[rotator.removesuffix("Rotator") + kind]["Properties"]
    return properties


def folder(rotator: str) -> str:
    """Its folder in rotators/, from its handler."""
    found: str = ROTATORS[rotator]["Properties"]["Handler"].split(".")[1]
    return found


def suffix(rotator: str) -> str:
    """What its name in the account ends with."""
    return folder(rotator).replace("_", "-")


def statements(rotator: str) -> dict[str, list[dict[str, Any]]]:
    """{the policy's name: its statements}, those under a condition too; the condition stands before the name."""
    found = {}
    for policy in of(rotator, "Role")["Policies"]:
        condition, one, _ = policy.get("Fn::If", ["", policy, None])
        found[f"{condition} {one['PolicyName']}".strip()] = one["PolicyDocument"]["Statement"]
    return found


@pytest.mark.parametrize("rotator", ROTATORS)
class TestRotator:
    """Each function, with its role, log group and permission."""

    def test_its_name_is_explicit_and_its_handler_is_there(self, rotator: str) -> None:
        """The role can name it without a circle."""
        properties = ROTATORS[rotator]["Properties"]
        assert properties["FunctionName"] == {"Fn::Sub": f"${{AWS::StackName}}-{suffix(rotator)}"}
        assert properties["Handler"] == f"rotators.{folder(rotator)}.app.handler"
        assert (ROOT / "rotators" / folder(rotator) / "app.py").exists()
        assert properties["Role"] == {"Fn::GetAtt": [rotator.removesuffix("Rotator") + "Role", "Arn"]}
        assert ROTATORS[rotator]["Metadata"] == {"BuildMethod": "makefile"}
        assert re.search(f"^{rotator} := {folder(rotator)}\\b", (ROOT / "Makefile").read_text(), re.MULTILINE)

    def test_only_this_account_s_secrets_manager_may_call_it(self, rotator: str) -> None:
        """AWS:SourceAccount."""
        assert of(rotator, "Permission") == {
            "FunctionName": {"Ref": rotator},
            "Action": "lambda:InvokeFunction",
            "Principal": "secretsmanager.amazonaws.com",
            "SourceAccount": {"Ref": "AWS::AccountId"},
        }

    def test_its_role_touches_only_secrets_that_name_it(self, rotator: str) -> None:
        """Five actions, under the condition that the secret's rotation names this very function."""
        (statement,) = statements(rotator)["rotate-what-names-this-function"]
        assert statement["Effect"] == "Allow"
        assert statement["Action"] == [
            "secretsmanager:DescribeSecret",
            "secretsmanager:GetSecretValue",
            "secretsmanager:ListSecretVersionIds",
            "secretsmanager:PutSecretValue",
            "secretsmanager:UpdateSecretVersionStage",
        ]
        assert statement["Resource"] == {"Fn::Sub": f"arn:${{AWS::Partition}}:secretsmanager:{ACCOUNT}:secret:*"}
        arn = f"arn:${{AWS::Partition}}:lambda:{ACCOUNT}:function:${{AWS::StackName}}-{suffix(rotator)}"
        assert statement["Condition"] == {
            "StringEquals": {"secretsmanager:resource/AllowRotationLambdaArn": {"Fn::Sub": arn}}
        }

    def test_its_role_reads_the_admins_that_the_parameter_names(self, rotator: str) -> None:
        """And asks RDS or Redshift which hosts are theirs, but for API keys; nothing of it where there is none."""
        admins, *lists = statements(rotator)["HasAdmins use-admins"]
        assert admins == {
            "Effect": "Allow",
            "Action": ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"],
            "Resource": {"Ref": "AdminSecrets"},
        }
        assert len(lists) == (folder(rotator) != "api_key")
        if folder(rotator) == "redshift":
            assert lists[0]["Action"] == [f"redshift:{action}" for action in REDSHIFT["redshift"]] + [
                f"redshift-serverless:{action}" for action in REDSHIFT["redshift-serverless"]
            ]
            assert lists[0]["Resource"] == "*", "IAM knows no resource of the lists' entries"
        elif lists:
            assert lists[0]["Action"] == ["rds:DescribeDBClusters", "rds:DescribeDBInstances"]
            assert [one["Fn::Sub"].rpartition("}:")[2] for one in lists[0]["Resource"]] == ["cluster:*", "db:*"]

    def test_its_role_may_do_nothing_else(self, rotator: str) -> None:
        """But write its own log; and in a VPC its code may not do what Lambda does by the role."""
        logs = rotator.removesuffix("Rotator") + "Logs"
        assert set(statements(rotator)) == {
            "HasVpc no-network-interfaces", "log", "rotate-what-names-this-function", "HasAdmins use-admins",
        }  # fmt: skip
        assert statements(rotator)["log"] == [
            {
                "Effect": "Allow",
                "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
                "Resource": {"Fn::GetAtt": [logs, "Arn"]},
            }
        ]
        assert of(rotator, "Logs")["LogGroupName"] == {"Fn::Sub": f"/aws/lambda/${{AWS::StackName}}-{suffix(rotator)}"}
        assert ROTATORS[rotator]["Properties"]["LoggingConfig"] == {"LogGroup": {"Ref": logs}}
        (deny,) = statements(rotator)["HasVpc no-network-interfaces"]
        assert (deny["Effect"], deny["Resource"]) == ("Deny", "*")
        assert f"-{suffix(rotator)}" in deny["Condition"]["ArnEquals"]["lambda:SourceFunctionArn"]["Fn::Sub"]


def test_the_environment_is_what_the_code_reads() -> None:
    """Each variable of the template is read by common/, and each that common/ reads (but AWS's own) is in the template."""
    code = "".join(path.read_text() for path in COMMON)
    read = set(re.findall(r'"([A-Z]+(?:_[A-Z]+)+)"', code)) | {
        f"EXCLUDE_{name}" for name in ("NUMBERS", "PUNCTUATION", "UPPERCASE", "LOWERCASE")
    }
    assert set(TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]) == read


def test_every_variable_is_its_parameter() -> None:
    """ADMIN_SECRETS is AdminSecrets, joined; the others are the parameter of their name."""
    variables = dict(TEMPLATE["Globals"]["Function"]["Environment"]["Variables"])
    assert variables.pop("ADMIN_SECRETS") == {"Fn::Join": [",", {"Ref": "AdminSecrets"}]}
    for name, value in variables.items():
        assert value == {"Ref": "".join(word.capitalize() for word in name.split("_"))}


def test_a_provider_file_decides_how_its_keys_rotate() -> None:
    """The stack's RotationStrategy is for users of databases: the function of API keys does not see it."""
    own = {folder(name): one["Properties"].get("Environment") for name, one in ROTATORS.items()}
    assert own.pop("api_key") == {"Variables": {"ROTATION_STRATEGY": ""}}
    assert set(own.values()) == {None}


def test_every_parameter_is_used() -> None:
    """One that nothing reads would promise what it does not do."""
    body = (ROOT / "template.yaml").read_text().partition("\nConditions:")[2]
    assert [name for name in TEMPLATE["Parameters"] if not re.search(rf"!Ref {name}\b", body)] == []


def test_what_redshift_s_function_asks_is_what_its_role_may() -> None:
    """Each call of endpoints.py on Redshift's APIs, and no other."""
    code = (ROOT / "common" / "endpoints.py").read_text()
    for service, actions in REDSHIFT.items():
        asked = re.findall(rf'_call\(api, "{service}", "(\w+)"', code)
        assert {name.title().replace("_", "") for name in asked} == set(actions)


def test_the_functions_have_time_for_their_own_waits() -> None:
    """60 s: more than the longest of a step's waits together; Redshift's has a session in each database."""
    assert TEMPLATE["Globals"]["Function"]["Timeout"] == 60
    own = {folder(name): one["Properties"].get("Timeout") for name, one in ROTATORS.items()}
    assert own == {"postgres": None, "mysql": None, "redshift": 120, "documentdb": None, "api_key": None}


def test_each_function_s_arn_and_role_are_outputs() -> None:
    """For RotationLambdaARN and the policies of customer keys."""
    assert {name: one["Value"]["Fn::GetAtt"] for name, one in TEMPLATE["Outputs"].items()} == {
        f"{name.removesuffix('Rotator')}{kind}Arn": [f"{name.removesuffix('Rotator')}{kind}", "Arn"]
        for name in ROTATORS
        for kind in ("Rotator", "Role")
    }
