"""The files of docs/examples/, which users copy: they parse, lint, name what is there, and deny what they should."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from samcli.yamlhelper import yaml_parse

from tests.unit.test_architecture import ROOT

EXAMPLES = ROOT / "docs" / "examples"
TEMPLATE: dict[str, Any] = yaml_parse((ROOT / "template.yaml").read_text())
POLICY: dict[str, Any] = json.loads((EXAMPLES / "organisation-policy.json").read_text())
# Names of Keyturn's own stack that the examples mention.
PARAMETERS = {"AdminSecrets", "SecurityGroupIds", "TrustedAccounts", "TrustedRole"}
OUTPUTS = {"PostgresRotatorArn", "PostgresRoleArn"}

FUNCTION = "arn:aws:lambda:eu-west-1:111122223333:function:keyturn-postgres"
OTHER = "arn:aws:lambda:eu-west-1:444455556666:function:keyturn-postgres"
PLATFORM = "arn:aws:iam::444455556666:role/platform-rotation"
DEVELOPER = "arn:aws:iam::444455556666:role/developer"
LAMBDA, BEFORE, TAGS = (
    "secretsmanager:RotationLambdaARN",
    "secretsmanager:resource/AllowRotationLambdaArn",
    "aws:TagKeys",
)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.name)
def test_cloudformation_has_nothing_to_say(path: Path) -> None:
    """cfn-lint, warnings too."""
    run = subprocess.run(
        [str(Path(sys.executable).with_name("cfn-lint")), str(path)], capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stdout + run.stderr) == (0, "")


def test_the_cdk_s_example_compiles() -> None:
    """As Python; the CDK itself is not among the tests' packages."""
    compile((EXAMPLES / "rds_postgres_cdk.py").read_text(), "rds_postgres_cdk.py", "exec")


def test_the_three_say_the_same() -> None:
    """Schedule, user, database and admin, whatever the language; and none rotates at once."""
    texts = [(EXAMPLES / name).read_text() for name in ("rds-postgres.yaml", "rds-postgres.tf", "rds_postgres_cdk.py")]
    for text in texts:
        for word in ("cron(0 3 ? * SUN *)", "2h", "masterarn", "shop", "db.t4g.micro", "AdminSecrets"):
            assert word in text
        assert re.search(r"""username"?\s*[:=]\s*"app""" + '"', text)
        assert re.search(r"(RotateImmediatelyOnUpdate: |rotate_immediately(_on_update)? *= ?)[Ff]alse", text)
        assert re.search(r"(ManageMasterUserPassword: |manage_master_user_password *= ?)[Tt]rue", text)


def test_names_of_our_stack_are_there() -> None:
    """Every parameter and output that an example mentions, and every name of ours is mentioned."""
    text = "".join(path.read_text() for path in EXAMPLES.iterdir() if path.is_file())
    assert all(name in text for name in PARAMETERS | OUTPUTS)
    assert set(TEMPLATE["Parameters"]) >= PARAMETERS
    assert set(TEMPLATE["Outputs"]) >= OUTPUTS
    role = TEMPLATE["Parameters"].get("TrustedRole", {"Default": "keyturn-rotation"})["Default"]
    assert yaml_parse((EXAMPLES / "secrets-account.yaml").read_text())["Parameters"]["RoleName"]["Default"] == role


def statements(resource: dict[str, Any]) -> list[dict[str, Any]]:
    """Every statement of a role's own policies, or of a policy; under whatever condition."""
    properties = resource["Properties"]
    policies = [one.get("Fn::If", ["", one])[1] for one in properties.get("Policies", ())]
    documents = [one["PolicyDocument"] for one in policies] or [properties["PolicyDocument"]]
    return [statement for document in documents for statement in document["Statement"]]


def test_the_role_of_another_account_may_what_the_functions_own_may() -> None:
    """The same actions as in template.yaml (KMS's by KmsKeys); and it is assumed by the functions' roles alone."""
    kinds = {"AWS::IAM::Role", "AWS::IAM::ManagedPolicy", "AWS::IAM::Policy"}
    resources = [one for one in TEMPLATE["Resources"].values() if isinstance(one, dict) and one["Type"] in kinds]
    own = {action for one in resources for each in statements(one) for action in as_list(each["Action"])}
    services = ("secretsmanager:", "rds:", "redshift:", "redshift-serverless:")
    account = yaml_parse((EXAMPLES / "secrets-account.yaml").read_text())["Resources"]["RotationRole"]
    rotate, admins, rds, redshift, keys = statements(account)
    theirs = {action for one in (rotate, admins, rds, redshift) for action in one["Action"]}
    # ListSecrets is the watch's, which sees its own account only.
    assert theirs == {action for action in own if action.startswith(services)} - {"secretsmanager:ListSecrets"}
    assert rotate["Condition"] == {"StringEquals": {BEFORE: {"Ref": "Functions"}}}
    assert admins["Resource"] == {"Ref": "AdminSecrets"}
    assert (keys["Action"], keys["Resource"]) == (["kms:Decrypt", "kms:GenerateDataKey"], {"Ref": "KmsKeys"})
    assert account["Properties"]["AssumeRolePolicyDocument"]["Statement"] == [
        {"Effect": "Allow", "Principal": {"AWS": {"Ref": "FunctionRoles"}}, "Action": "sts:AssumeRole"}
    ]


def arn_like(value: str, pattern: str) -> bool:
    """IAM's ArnLike: each of the six parts for itself."""
    pairs = list(zip(value.split(":", 5), pattern.split(":", 5), strict=False))
    return len(pairs) == 6 and all(fnmatchcase(one, like) for one, like in pairs)


def holds(operator: str, wanted: str | list[str], said: str | list[str] | None) -> bool:
    """Whether one condition holds, by IAM's words: a key that is absent fails all but the negated operators."""
    patterns = [wanted] if isinstance(wanted, str) else wanted
    values = [] if said is None else [said] if isinstance(said, str) else said
    if operator == "ArnNotLike":
        return not any(arn_like(value, like) for value in values for like in patterns)
    assert operator in {"ArnLike", "ForAnyValue:StringLike"}
    match = arn_like if operator == "ArnLike" else fnmatchcase
    return any(match(value, like) for value in values for like in patterns)


def denied(action: str, context: Mapping[str, str | list[str]], resource: str = "*") -> list[str]:
    """The statements that deny this."""
    found = []
    for one in POLICY["Statement"]:
        assert one["Effect"] == "Deny"
        actions, resources = ([v] if isinstance(v, str) else v for v in (one["Action"], one["Resource"]))
        if action in actions and any(fnmatchcase(resource, like) for like in resources):
            conditions = [
                (o, wanted, context.get(key)) for o, keys in one["Condition"].items() for key, wanted in keys.items()
            ]
            if all(holds(*condition) for condition in conditions):
                found.append(one["Sid"])
    return found


def by(principal: str, **context: str | list[str]) -> dict[str, str | list[str]]:
    """The context of a call by this principal."""
    names = {"function": LAMBDA, "before": BEFORE, "tags": TAGS}
    return {"aws:PrincipalArn": principal, **{names[key]: value for key, value in context.items()}}


@pytest.mark.parametrize(
    ("action", "context", "statement"),
    [
        ("secretsmanager:TagResource", {"tags": ["team", "rotation:host"]}, "RotationTagsAreThePlatforms"),
        ("secretsmanager:UntagResource", {"tags": ["rotation:provider"]}, "RotationTagsAreThePlatforms"),
        ("secretsmanager:CreateSecret", {"tags": ["rotation:reconcile"]}, "RotationTagsAreThePlatforms"),
        ("secretsmanager:RotateSecret", {"function": FUNCTION}, "OurFunctionsAreGivenByThePlatform"),
        ("secretsmanager:RotateSecret", {"function": f"{FUNCTION}:live"}, "OurFunctionsAreGivenByThePlatform"),
        ("secretsmanager:RotateSecret", {"before": FUNCTION}, "WhatOurFunctionsRotateStaysTheirs"),
        ("secretsmanager:RotateSecret", {"before": FUNCTION, "function": OTHER}, "WhatOurFunctionsRotateStaysTheirs"),
        ("secretsmanager:CancelRotateSecret", {"before": FUNCTION}, "WhatOurFunctionsRotateStaysTheirs"),
    ],
)  # fmt: skip
def test_the_policy_denies(action: str, context: dict[str, str | list[str]], statement: str) -> None:
    """Exactly by this statement, everybody but the platform's role."""
    assert denied(action, by(DEVELOPER, **context)) == [statement]
    assert denied(action, by(PLATFORM, **context)) == []
    assert denied(action, by(PLATFORM.replace("platform-rotation", "platform-rotation-2"), **context)) == [statement]


@pytest.mark.parametrize(
    ("action", "context"),
    [
        ("secretsmanager:CreateSecret", {}),  # no tags at all: ForAnyValue of nothing is false
        ("secretsmanager:TagResource", {"tags": ["team", "rotations"]}),
        ("secretsmanager:RotateSecret", {"function": OTHER}),  # a function of their own account, of our name
        ("secretsmanager:RotateSecret", {"before": OTHER}),
        ("secretsmanager:CancelRotateSecret", {"before": OTHER}),
        ("secretsmanager:PutSecretValue", {"before": FUNCTION}),  # who may write a value may go on writing it
        ("secretsmanager:GetSecretValue", {"before": FUNCTION}),
    ],
)  # fmt: skip
def test_the_policy_leaves_alone(action: str, context: dict[str, str | list[str]]) -> None:
    """What an application's team does every day."""
    assert denied(action, by(DEVELOPER, **context)) == []


@pytest.mark.parametrize("role", ["platform-rotation", "keyturn-rotation", "stacksets-exec-1a2b"])
def test_nobody_makes_himself_an_exception(role: str) -> None:
    """The exceptions are names of roles, in every account: only they themselves may make or change such a role."""
    arn = f"arn:aws:iam::444455556666:role/{role}"
    for action in ("iam:CreateRole", "iam:UpdateAssumeRolePolicy", "iam:PutRolePolicy", "iam:PassRole"):
        assert denied(action, by(DEVELOPER), arn) == ["NobodyElseBecomesThePlatform"]
        assert denied(action, by(PLATFORM), arn) == []
        assert denied(action, by(DEVELOPER), "arn:aws:iam::444455556666:role/shop") == []


def test_every_exception_is_protected() -> None:
    """Whatever role a statement lets through is a role that the last statement guards."""
    *_, guard = POLICY["Statement"]
    excepted = {
        one for each in POLICY["Statement"] for one in as_list(each["Condition"]["ArnNotLike"]["aws:PrincipalArn"])
    }
    assert excepted <= set(guard["Resource"])


def as_list(value: str | list[str]) -> list[str]:
    """One or several, as several."""
    return [value] if isinstance(value, str) else value


def test_the_policy_fits() -> None:
    """AWS Organizations' quota: 5,120 characters."""
    assert len((EXAMPLES / "organisation-policy.json").read_bytes()) < 5120
