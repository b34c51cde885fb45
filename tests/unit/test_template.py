"""What template.yaml promises: who may call the functions, what they may do, what is made and what is not."""

import functools
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from samcli.lib.cfn_language_extensions.api import process_template
from samcli.lib.cfn_language_extensions.models import PseudoParameterValues
from samcli.yamlhelper import yaml_parse
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

from tests.deploy.policies import resolved_conditions
from tests.unit.test_architecture import COMMON, ROOT

SOURCE = (ROOT / "template.yaml").read_text()
TEMPLATE: dict[str, Any] = yaml_parse(SOURCE)
RESOURCES: dict[str, Any] = TEMPLATE["Resources"]
FOLDERS = {
    "Postgres": "postgres",
    "MySql": "mysql",
    "Redshift": "redshift",
    "DocumentDb": "documentdb",
    "ApiKey": "api_key",
}
ACCOUNT, REGION, THEIRS, OTHERS = "123456789012", "eu-west-1", "111122223333", "444455556666"
SECRETS = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:*"
ADMINS = [f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:admin-{one}" for one in "ab"]
KEYS = [f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{one}" for one in "ab"]
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/bound"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:ours"
EVERYTHING = {
    "AdminSecrets": ",".join(ADMINS),
    "KmsKeys": ",".join(KEYS),
    "PermissionsBoundary": BOUNDARY,
    "RolePath": "/platform/",
    "SubnetIds": "subnet-1,subnet-2",
    "SecurityGroupIds": "sg-0a,sg-0b",
    "EndpointVpc": "vpc-0a",
    "TrustedAccounts": f"{THEIRS},{OTHERS}",
    "TrustedRole": "platform/rotation",
    "AlarmEmail": "ops@example.com",
    "ConfigRules": "true",
}
# What endpoints.py asks of Redshift's two APIs.
REDSHIFT = {
    "redshift": ("DescribeClusters", "DescribeEndpointAccess"),
    "redshift-serverless": ("ListEndpointAccess", "ListNamespaces", "ListWorkgroups"),
}
ROTATION = [
    "secretsmanager:DescribeSecret",
    "secretsmanager:GetSecretValue",
    "secretsmanager:ListSecretVersionIds",
    "secretsmanager:PutSecretValue",
    "secretsmanager:UpdateSecretVersionStage",
]
Made = dict[str, dict[str, Any]]
PSEUDO = PseudoParameterValues(
    region=REGION, account_id=ACCOUNT, stack_name="keyturn", partition="aws", url_suffix="amazonaws.com"
)


def stack(section: str = "Resources", **parameters: str) -> Made:
    """What is made with these parameters, resolved; a reference to another resource stays what it is."""
    return _stack(section, tuple(sorted(parameters.items())))


@functools.cache
def _stack(section: str, parameters: tuple[tuple[str, str], ...]) -> Made:
    found = process_template(TEMPLATE, parameter_values=dict(parameters), pseudo_parameters=PSEUDO)[section]
    conditions = resolved_conditions(TEMPLATE, PSEUDO, dict(parameters))
    return {name: one for name, one in found.items() if conditions.get(one.get("Condition"), True)}


def deployed(**parameters: str) -> Made:
    """What CloudFormation makes of it: AWS::LanguageExtensions first, which leaves Globals as they are, then SAM."""
    found = process_template(TEMPLATE, parameter_values=parameters, pseudo_parameters=PSEUDO)
    found["Globals"]["Function"]["CodeUri"] = "s3://bucket/key"  # as sam deploy has uploaded it
    for one in found["Resources"].values():
        if one["Type"] == "AWS::Serverless::Function":
            one["Properties"]["CodeUri"] = "s3://bucket/key"
    made: Made = Translator({}, Parser()).translate(found, parameters)["Resources"]
    return made


def of_type(made: Made, *types: str) -> Made:
    """{logical id: properties} of the resources of these types."""
    return {name: one["Properties"] for name, one in made.items() if one["Type"] in types}


def documents(made: Made, name: str) -> dict[str, list[dict[str, Any]]]:
    """{policy: its statements} of a role: its own, the stack's that it names, and those that name it."""
    role = made[name]["Properties"]
    named = [one["Ref"] for one in role.get("ManagedPolicyArns", []) if isinstance(one, Mapping)]
    found = {one["PolicyName"]: one["PolicyDocument"] for one in role.get("Policies", [])}
    found |= {one: made[one]["Properties"]["PolicyDocument"] for one in named}
    for properties in of_type(made, "AWS::IAM::Policy").values():
        if {"Ref": name} in properties["Roles"]:
            found[properties["PolicyName"]] = properties["PolicyDocument"]
    return {policy: document["Statement"] for policy, document in found.items()}


def suffix(name: str) -> str:
    """What the function's name in the account ends with."""
    return FOLDERS[name].replace("_", "-")


def function_arn(name: str) -> str:
    """Of a rotation function of the stack called keyturn."""
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:keyturn-{suffix(name)}"


def nodes(value: Any) -> Iterator[Any]:
    """The value and everything in it."""
    yield value
    for one in value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else []:
        yield from nodes(one)


def statements(made: Made) -> Iterator[tuple[str, dict[str, Any]]]:
    """(the resource, a statement) of every policy of every kind."""
    for name, one in made.items():
        for node in nodes(one["Properties"]):
            if isinstance(node, Mapping) and "Effect" in node:
                yield name, dict(node)


@pytest.mark.parametrize("name", FOLDERS)
class TestRotator:
    """Each rotation function, with its role, log group and permissions."""

    def test_its_name_is_explicit_and_its_handler_is_there(self, name: str) -> None:
        """The role can name it without a circle."""
        made = stack()
        properties = made[f"{name}Rotator"]["Properties"]
        assert properties["FunctionName"] == f"keyturn-{suffix(name)}"
        assert properties["Handler"] == f"rotators.{FOLDERS[name]}.app.handler"
        assert (ROOT / "rotators" / FOLDERS[name] / "app.py").exists()
        assert properties["Role"] == {"Fn::GetAtt": [f"{name}Role", "Arn"]}
        assert made[f"{name}Rotator"]["Metadata"]["BuildMethod"] == "makefile"
        assert re.search(f"^{name}Rotator := {FOLDERS[name]}\\b", (ROOT / "Makefile").read_text(), re.MULTILINE)

    def test_only_secrets_manager_for_this_account_may_call_it(self, name: str) -> None:
        """AWS:SourceAccount; and for the accounts that are trusted, each by a permission of its own."""
        for parameters, accounts in (({}, [ACCOUNT]), (EVERYTHING, [ACCOUNT, THEIRS, OTHERS])):
            found = of_type(stack(**parameters), "AWS::Lambda::Permission").values()
            assert [one for one in found if one["FunctionName"] == {"Ref": f"{name}Rotator"}] == [
                {
                    "FunctionName": {"Ref": f"{name}Rotator"},
                    "Action": "lambda:InvokeFunction",
                    "Principal": "secretsmanager.amazonaws.com",
                    "SourceAccount": account,
                }
                for account in accounts
            ]

    def test_its_role_touches_only_secrets_that_name_it(self, name: str) -> None:
        """Five actions, under the condition that the secret's rotation names this very function."""
        assert documents(stack(), f"{name}Role")["rotate-what-names-this-function"] == [
            {
                "Effect": "Allow",
                "Action": ROTATION,
                "Resource": SECRETS,
                "Condition": {
                    "StringEquals": {"secretsmanager:resource/AllowRotationLambdaArn": function_arn(name)},
                },
            }
        ]

    def test_its_role_reads_the_admins_that_the_parameter_names(self, name: str) -> None:
        """And asks RDS or Redshift which hosts are theirs, but for API keys."""
        found = documents(stack(**EVERYTHING), f"{name}Role")
        assert found["ReadAdmins"] == [
            {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": ADMINS}
        ]
        asks = {policy for policy in found if policy.lower().startswith("ask")}
        assert asks == {"redshift": {"ask-redshift"}, "api_key": set()}.get(FOLDERS[name], {"AskRds"})
        for policy in asks:
            described, listed = found[policy]
            assert described == {"Effect": "Allow", "Action": "secretsmanager:DescribeSecret", "Resource": ADMINS}
            if policy == "AskRds":
                assert listed["Action"] == ["rds:DescribeDBClusters", "rds:DescribeDBInstances"]
                assert listed["Resource"] == [f"arn:aws:rds:{REGION}:{ACCOUNT}:{kind}:*" for kind in ("cluster", "db")]
            else:
                assert listed["Action"] == [f"{api}:{action}" for api in REDSHIFT for action in REDSHIFT[api]]

    def test_its_role_uses_keys_for_secrets_only(self, name: str) -> None:
        """By way of Secrets Manager, whatever else a key encrypts."""
        assert documents(stack(**EVERYTHING), f"{name}Role")["UseKeys"] == [
            {
                "Effect": "Allow",
                "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
                "Resource": KEYS,
                "Condition": {
                    "StringEquals": {"kms:ViaService": f"secretsmanager.{REGION}.amazonaws.com"},
                    "ArnLike": {"kms:EncryptionContext:SecretARN": SECRETS},
                },
            }
        ]

    def test_its_role_assumes_one_role_in_each_trusted_account(self, name: str) -> None:
        """By its whole name."""
        found = documents(stack(**EVERYTHING), f"{name}Role")
        for account in (THEIRS, OTHERS):
            assert found[f"assume-role-in-{account}"] == [
                {
                    "Effect": "Allow",
                    "Action": "sts:AssumeRole",
                    "Resource": f"arn:aws:iam::{account}:role/platform/rotation",
                }
            ]

    def test_its_role_may_do_nothing_else(self, name: str) -> None:
        """But write its own log; and in a VPC its code may not do what Lambda does by the role."""
        made = stack()
        assert set(documents(made, f"{name}Role")) == {"log", "rotate-what-names-this-function"}
        assert made[f"{name}Role"]["Properties"]["ManagedPolicyArns"] == []
        assert documents(made, f"{name}Role")["log"] == [
            {
                "Effect": "Allow",
                "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
                "Resource": {"Fn::GetAtt": [f"{name}Logs", "Arn"]},
            }
        ]
        made = stack(**EVERYTHING)
        ask = {"redshift": {"ask-redshift"}, "api_key": set()}.get(FOLDERS[name], {"AskRds"})
        assert set(documents(made, f"{name}Role")) == ask | {
            "log", "rotate-what-names-this-function", "ReadAdmins", "UseKeys", "NoNetworkInterfaces",
            f"assume-role-in-{THEIRS}", f"assume-role-in-{OTHERS}",
        }  # fmt: skip
        theirs = [one for one in made[f"{name}Role"]["Properties"]["ManagedPolicyArns"] if isinstance(one, str)]
        assert theirs == ["arn:aws:iam::aws:policy/service-role/AWSLambdaENIManagementAccess"]
        (deny,) = documents(made, f"{name}Role")["NoNetworkInterfaces"]
        assert (deny["Effect"], deny["Resource"]) == ("Deny", "*")
        assert all(action.startswith("ec2:") for action in deny["Action"])
        assert function_arn(name) in deny["Condition"]["ArnEquals"]["lambda:SourceFunctionArn"]

    def test_its_log_is_its_own_and_is_kept_as_said(self, name: str) -> None:
        """90 days unless the parameter says otherwise."""
        for parameters, days in (({}, "90"), ({"LogRetention": "365"}, "365")):
            made = stack(**parameters)
            assert made[f"{name}Logs"]["Properties"]["LogGroupName"] == f"/aws/lambda/keyturn-{suffix(name)}"
            assert str(made[f"{name}Logs"]["Properties"]["RetentionInDays"]) == days
            assert made[f"{name}Rotator"]["Properties"]["LoggingConfig"] == {"LogGroup": {"Ref": f"{name}Logs"}}

    def test_disabled_nothing_of_it_is_made(self, name: str) -> None:
        """No function, role, log group, permission, alarm or output; and nothing refers to it."""
        on, off = stack(**EVERYTHING), stack(**EVERYTHING, **{f"Enable{name}": "false"})
        gone = {one for one in on if one.startswith(name)}
        assert {f"{name}{kind}" for kind in ("Rotator", "Role", "Logs", "Permission", "ErrorsAlarm")} < gone
        assert set(off) == set(on) - gone
        outputs = stack("Outputs", **EVERYTHING, **{f"Enable{name}": "false"})
        assert not [one for one in outputs if one.startswith(name)]
        # SAM joins references as their text; so by text.
        assert not [one for one in gone if re.search(rf"\b{one}\b", str(off) + str(outputs))]

    def test_its_failures_and_its_slowness_are_told(self, name: str) -> None:
        """One error in five minutes, or 80 % of the time that it has; no rotation is no alarm."""
        made = stack(AlarmTopic=TOPIC)
        own = made[f"{name}Rotator"]["Properties"]
        errors, duration = (made[f"{name}{kind}Alarm"]["Properties"] for kind in ("Errors", "Duration"))
        timeout = own.get("Timeout", TEMPLATE["Globals"]["Function"]["Timeout"])
        assert (errors["MetricName"], errors["Statistic"], errors["Threshold"]) == ("Errors", "Sum", 1)
        assert (duration["MetricName"], duration["Statistic"]) == ("Duration", "Maximum")
        assert duration["Threshold"] == timeout * 1000 * 0.8
        for alarm in (errors, duration):
            assert alarm["Namespace"] == "AWS/Lambda"
            assert alarm["Dimensions"] == [{"Name": "FunctionName", "Value": {"Ref": f"{name}Rotator"}}]
            assert (alarm["Period"], alarm["EvaluationPeriods"]) == (300, 1)
            assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
            assert alarm["TreatMissingData"] == "notBreaching"

    def test_its_outputs_are_its_arn_its_role_and_a_command(self, name: str) -> None:
        """For RotationLambdaARN, the policies of customer keys, and for a terminal."""
        found = stack("Outputs")
        assert found[f"{name}RotatorArn"]["Value"] == {"Fn::GetAtt": [f"{name}Rotator", "Arn"]}
        assert found[f"{name}RoleArn"]["Value"] == {"Fn::GetAtt": [f"{name}Role", "Arn"]}
        command = TEMPLATE["Outputs"][f"{name}RotateCommand"]["Value"]["Fn::Sub"]
        assert command.split(" --")[0] == "aws secretsmanager rotate-secret"
        assert f"--rotation-lambda-arn ${{{name}Rotator.Arn}} " in command
        assert json.loads(command.rpartition("--rotation-rules ")[2].strip("'"))


class TestRoles:
    """Of all roles and policies alike."""

    def test_every_role_has_the_boundary_and_the_path(self) -> None:
        """A platform team may allow only such roles to be made; policies have the path, too."""
        made = stack(**EVERYTHING)
        roles = of_type(made, "AWS::IAM::Role")
        assert len(roles) == 6
        assert {one["PermissionsBoundary"] for one in roles.values()} == {BOUNDARY}
        both = roles | of_type(made, "AWS::IAM::ManagedPolicy")
        assert {one["Path"] for one in both.values()} == {"/platform/"}
        assert not [one for one in of_type(stack(), "AWS::IAM::Role").values() if "PermissionsBoundary" in one]

    def test_only_lambda_may_assume_them(self) -> None:
        """The six of this stack."""
        for role in of_type(stack(**EVERYTHING), "AWS::IAM::Role").values():
            (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
            assert statement == {
                "Effect": "Allow",
                "Principal": {"Service": "lambda.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }

    def test_a_star_is_only_where_iam_knows_no_other(self) -> None:
        """Each with its reason beside it; in a key's policy it is the key."""
        starred = {
            (name, tuple(one["Action"]) if isinstance(one["Action"], list) else one["Action"])
            for name, one in statements(stack(**EVERYTHING))
            if one.get("Resource") == "*" or one.get("Resource") == ["*"]
        }
        lists = [f"{api}:{action}" for api in REDSHIFT for action in REDSHIFT[api]]
        deny = next(one for name, one in statements(stack(**EVERYTHING)) if name == "NoNetworkInterfaces")
        assert starred == {
            ("NoNetworkInterfaces", tuple(deny["Action"])),
            ("RedshiftRole", tuple(lists)),
            ("OverdueWatchRole", "secretsmanager:ListSecrets"),
            ("AlarmsKey", "kms:*"),
            ("AlarmsKey", ("kms:Decrypt", "kms:GenerateDataKey")),
        }
        outside = SOURCE[: SOURCE.index("  AlarmsKey:")] + SOURCE[SOURCE.index("  AlarmsTopic:") :]
        assert re.findall(r'Resource: "\*"(?! # )', outside) == []

    def test_an_action_with_a_star_is_the_key_s_owner_s_only(self) -> None:
        """Every other is named."""
        found = {
            (name, action)
            for name, one in statements(stack(**EVERYTHING))
            for action in ([one["Action"]] if isinstance(one["Action"], str) else one["Action"])
            if "*" in action
        }
        assert found == {("AlarmsKey", "kms:*")}

    def test_nothing_refers_to_what_is_not_made(self) -> None:
        """With nothing, with all, and with each of its parameters alone."""
        alone = [{name: value} for name, value in EVERYTHING.items() if name != "EndpointVpc"]
        for parameters in ({}, EVERYTHING, *alone, {"AlarmTopic": TOPIC}, {"Dashboard": "false"}):
            made = stack(**parameters)
            for node in nodes([one["Properties"] for one in made.values()]):
                if isinstance(node, Mapping) and set(node) in ({"Ref"}, {"Fn::GetAtt"}):
                    target = node.get("Ref") or node["Fn::GetAtt"][0]
                    assert target in made or target.startswith("AWS::"), (parameters, target)


class TestEndpoints:
    """The way to Secrets Manager from a VPC that has none."""

    def test_none_unless_asked(self) -> None:
        """And STS's only where accounts are trusted."""
        vpc = {name: EVERYTHING[name] for name in ("SubnetIds", "SecurityGroupIds", "EndpointVpc")}
        for parameters, services in (
            ({}, []),
            ({**vpc, "EndpointVpc": ""}, []),
            (vpc, ["secretsmanager"]),
            ({**vpc, "TrustedAccounts": THEIRS}, ["secretsmanager", "sts"]),
        ):
            found = of_type(stack(**parameters), "AWS::EC2::VPCEndpoint").values()
            assert [one["ServiceName"] for one in found] == [f"com.amazonaws.{REGION}.{one}" for one in services]
            for one in found:
                assert (one["VpcEndpointType"], one["PrivateDnsEnabled"]) == ("Interface", False)
                assert (one["VpcId"], one["SubnetIds"]) == ("vpc-0a", ["subnet-1", "subnet-2"])
                assert one["SecurityGroupIds"] == [{"Ref": "EndpointGroup"}]

    def test_only_the_functions_groups_get_in_and_nobody_out(self) -> None:
        """HTTPS."""
        made = stack(**EVERYTHING)
        found = of_type(made, "AWS::EC2::SecurityGroupIngress").values()
        assert {one["SourceSecurityGroupId"] for one in found} == {"sg-0a", "sg-0b"}
        assert {(one["IpProtocol"], one["FromPort"], one["ToPort"]) for one in found} == {("tcp", 443, 443)}
        group = made["EndpointGroup"]["Properties"]
        assert "SecurityGroupIngress" not in group
        assert [one["CidrIp"] for one in group["SecurityGroupEgress"]] == ["127.0.0.1/32"]

    def test_neither_strangers_credentials_nor_strangers_secrets(self) -> None:
        """Whose principal and whose secret or role: this account's, and those that are trusted."""
        made = stack(**EVERYTHING)
        (secrets,) = made["EndpointToSecretsManager"]["Properties"]["PolicyDocument"]["Statement"]
        all_three = [ACCOUNT, THEIRS, OTHERS]
        assert secrets["Action"] == ROTATION
        assert secrets["Condition"] == {
            "StringEquals": {"aws:PrincipalAccount": all_three, "aws:ResourceAccount": all_three}
        }
        (sts,) = made["EndpointToSts"]["Properties"]["PolicyDocument"]["Statement"]
        assert (sts["Action"], sts["Resource"]) == ("sts:AssumeRole", "arn:aws:iam::*:role/platform/rotation")
        assert sts["Condition"]["StringEquals"] == {
            "aws:PrincipalAccount": ACCOUNT,
            "aws:ResourceAccount": [THEIRS, OTHERS],
        }
        alone = stack(**{**EVERYTHING, "TrustedAccounts": ""})["EndpointToSecretsManager"]["Properties"]
        assert alone["PolicyDocument"]["Statement"][0]["Condition"] == {
            "StringEquals": {"aws:PrincipalAccount": ACCOUNT, "aws:ResourceAccount": ACCOUNT}
        }


class TestAlarms:
    """Who is told, and of what."""

    def test_without_anybody_to_tell_nothing_is_made(self) -> None:
        """No topic, key, rule, alarm or watch."""
        made = stack()
        told = ("AWS::SNS::", "AWS::KMS::", "AWS::Events::", "AWS::CloudWatch::Alarm")
        assert not [one for one in made.values() if one["Type"].startswith(told)]
        assert not [name for name in made if name.startswith("Overdue")]
        assert "AlarmsTopicArn" not in stack("Outputs")

    def test_an_own_topic_wins(self) -> None:
        """Over the e-mail: no topic or key is made."""
        made = stack(AlarmTopic=TOPIC, AlarmEmail="ops@example.com")
        assert not of_type(made, "AWS::SNS::Topic", "AWS::SNS::TopicPolicy", "AWS::KMS::Key")
        alarms = of_type(made, "AWS::CloudWatch::Alarm")
        assert {str(one["AlarmActions"]) for one in alarms.values()} == {str([TOPIC])}
        assert made["RotationFailures"]["Properties"]["Targets"][0]["Arn"] == TOPIC
        assert stack("Outputs", AlarmTopic=TOPIC)["AlarmsTopicArn"]["Value"] == TOPIC

    def test_every_alarm_goes_to_the_topic(self) -> None:
        """Two of each function, and the dead man's; each says what no data means."""
        made = stack(AlarmEmail="ops@example.com")
        alarms = of_type(made, "AWS::CloudWatch::Alarm")
        assert len(alarms) == 2 * len(FOLDERS) + 1
        assert {str(one["AlarmActions"]) for one in alarms.values()} == {str([{"Ref": "AlarmsTopic"}])}
        assert {one["TreatMissingData"] for one in alarms.values()} == {"breaching", "notBreaching"}
        topic = made["AlarmsTopic"]["Properties"]
        assert topic["Subscription"] == [{"Protocol": "email", "Endpoint": "ops@example.com"}]

    def test_who_may_use_the_key(self) -> None:
        """Two services for this topic, CloudWatch only for this account; SNS's guide forbids that condition to EventBridge."""
        made = stack(AlarmEmail="ops@example.com")
        assert made["AlarmsTopic"]["Properties"]["KmsMasterKeyId"] == {"Fn::GetAtt": ["AlarmsKey", "Arn"]}
        name = made["AlarmsTopic"]["Properties"]["TopicName"]
        assert made["AlarmsKey"]["Properties"]["EnableKeyRotation"] is True
        owner, *services = made["AlarmsKey"]["Properties"]["KeyPolicy"]["Statement"]
        assert owner["Principal"] == {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
        topic = {"kms:EncryptionContext:aws:sns:topicArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:{name}"}
        assert {one["Principal"]["Service"]: one["Condition"] for one in services} == {
            "cloudwatch.amazonaws.com": {"StringEquals": {"aws:SourceAccount": ACCOUNT, **topic}},
            "events.amazonaws.com": {"StringEquals": topic},
        }
        assert all(one["Action"] == ["kms:Decrypt", "kms:GenerateDataKey"] for one in services)

    def test_who_may_publish(self) -> None:
        """The same two, nobody else; EventBridge's guide knows no condition there."""
        policy = stack(AlarmEmail="ops@example.com")["AlarmsTopicPolicy"]["Properties"]["PolicyDocument"]
        assert {one["Principal"]["Service"]: one.get("Condition") for one in policy["Statement"]} == {
            "cloudwatch.amazonaws.com": {"StringEquals": {"aws:SourceAccount": ACCOUNT}},
            "events.amazonaws.com": None,
        }
        assert {(one["Action"], str(one["Resource"])) for one in policy["Statement"]} == {
            ("sns:Publish", str({"Ref": "AlarmsTopic"}))
        }

    @pytest.mark.parametrize(
        ("event", "told"), [("rotation_failed", True), ("rotation_abandoned", True), ("rotation_succeeded", False)]
    )
    def test_rotations_that_did_not_end_well_are_told(self, event: str, *, told: bool) -> None:
        """The rule matches CloudTrail's events of the two kinds, and makes a sentence that names the secret."""
        happened = json.loads((ROOT / "events" / "cloudtrail" / f"{event}.json").read_text())
        rule = stack(AlarmEmail="ops@example.com")["RotationFailures"]["Properties"]
        assert matches(rule["EventPattern"], happened) is told
        assert not matches(rule["EventPattern"], {**happened, "source": "custom"})
        (target,) = rule["Targets"]
        sentence = transformed(target["InputTransformer"], happened)
        assert happened["detail"]["eventName"] in sentence
        assert happened["detail"]["additionalEventData"]["SecretId"] in sentence
        assert "docs/runbook.md" in sentence
        assert "<" not in sentence

    def test_the_dead_man_s_alarm(self) -> None:
        """A secret is overdue, or nobody has counted for two hours."""
        alarm = stack(AlarmTopic=TOPIC)["OverdueAlarm"]["Properties"]
        assert (alarm["Namespace"], alarm["MetricName"], alarm["Statistic"]) == ("Keyturn", "SecretsOverdue", "Maximum")
        assert alarm["Dimensions"] == [{"Name": "stack", "Value": "keyturn"}]
        assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("GreaterThanThreshold", 0)
        assert (alarm["Period"], alarm["EvaluationPeriods"]) == (3600, 2)
        assert alarm["TreatMissingData"] == "breaching"


class TestOverdueWatch:
    """The function that counts the secrets that are overdue."""

    def test_it_lists_secrets_and_does_nothing_else(self) -> None:
        """No value, no VPC, no variable of the rotation functions."""
        made = stack(**EVERYTHING)
        found = documents(made, "OverdueWatchRole")
        assert found.pop("log")[0]["Resource"] == {"Fn::GetAtt": ["OverdueWatchLogs", "Arn"]}
        assert found == {"list-secrets": [{"Effect": "Allow", "Action": "secretsmanager:ListSecrets", "Resource": "*"}]}
        assert "ManagedPolicyArns" not in made["OverdueWatchRole"]["Properties"]
        own = made["OverdueWatch"]["Properties"]
        assert set(own["Environment"]["Variables"]) == {"STACK", "GRACE_HOURS", "FUNCTIONS"}

    def test_globals_are_not_for_it(self) -> None:
        """As CloudFormation makes it: first AWS::LanguageExtensions, then SAM. No VPC, no reservation, no variable of others."""
        made = deployed(**EVERYTHING)
        own, other = made["OverdueWatch"]["Properties"], made["PostgresRotator"]["Properties"]
        assert {"VpcConfig", "ReservedConcurrentExecutions"} <= set(other)
        assert not {"VpcConfig", "ReservedConcurrentExecutions"} & set(own)
        assert set(own["Environment"]["Variables"]) == {"STACK", "GRACE_HOURS", "FUNCTIONS"}
        assert (own["Runtime"], own["Architectures"]) == ("python3.13", ["arm64"])

    def test_it_watches_the_functions_of_this_stack(self) -> None:
        """Those that are enabled."""
        comma, listed = RESOURCES["OverdueWatch"]["Properties"]["Environment"]["Variables"]["FUNCTIONS"]["Fn::Join"]
        assert comma == ","
        assert [one["Fn::If"] for one in listed] == [
            [f"Has{name}", {"Fn::GetAtt": [f"{name}Rotator", "Arn"]}, {"Ref": "AWS::NoValue"}] for name in FOLDERS
        ]

    def test_only_its_own_schedule_calls_it_once_an_hour(self) -> None:
        """By its ARN and account."""
        made = stack(AlarmTopic=TOPIC)
        schedule = made["OverdueWatchSchedule"]["Properties"]
        assert schedule["ScheduleExpression"] == "rate(1 hour)"
        assert schedule["Targets"] == [{"Id": "watch", "Arn": {"Fn::GetAtt": ["OverdueWatch", "Arn"]}}]
        assert made["OverdueWatchPermission"]["Properties"] == {
            "FunctionName": {"Ref": "OverdueWatch"},
            "Action": "lambda:InvokeFunction",
            "Principal": "events.amazonaws.com",
            "SourceArn": {"Fn::GetAtt": ["OverdueWatchSchedule", "Arn"]},
        }


class TestDashboard:
    """What is seen in CloudWatch."""

    def test_it_is_valid_json_and_names_only_what_is_emitted(self) -> None:
        """Metrics of Keyturn's that common/ or watch/ emit, with their dimensions; and Lambda's of our functions."""
        body = stack()["OperationsDashboard"]["Properties"]["DashboardBody"]
        widgets = json.loads(body.replace("${!", "${"))["widgets"]
        code = "".join(path.read_text() for path in [*COMMON, ROOT / "watch" / "app.py"])
        expressions = "".join(
            node["expression"] for node in nodes(widgets) if isinstance(node, dict) and "expression" in node
        )
        searched = re.findall(r"SEARCH\('\{Keyturn,([a-z,]+)\} MetricName=\"(\w+)\"', '\w+', 300\)", expressions)
        assert {metric: dimensions for dimensions, metric in searched} == {
            "StepSucceeded": "target,strategy,step",
            "StepFailed": "target,strategy,step,reason",
            "StepDuration": "target,strategy,step",
            "SingleUserGap": "target,strategy",
        }
        named = {metric for _, metric in searched} | set(re.findall(r"'Keyturn', '(\w+)'", str(widgets)))
        assert named == {"StepSucceeded", "StepFailed", "StepDuration", "SingleUserGap", "SecretsOverdue"}
        assert [metric for metric in named if f'"{metric}"' not in code] == []
        names = {f"keyturn-{suffix(name)}" for name in FOLDERS} | {"keyturn-overdue-watch"}
        for metric in ("Errors", "Duration"):
            (lines,) = [w["properties"]["metrics"] for w in widgets if f"'{metric}'" in str(w["properties"]["metrics"])]
            assert {line[-2] for line in lines} == names
        assert {widget["properties"]["region"] for widget in widgets} == {REGION}

    def test_no_widget_lies_on_another(self) -> None:
        """On CloudWatch's grid of 24 columns."""
        body = stack()["OperationsDashboard"]["Properties"]["DashboardBody"]
        cells = [
            (widget["x"] + column, widget["y"] + row)
            for widget in json.loads(body.replace("${!", "${"))["widgets"]
            for column in range(widget["width"])
            for row in range(widget["height"])
        ]
        assert len(set(cells)) == len(cells)
        assert max(column for column, _ in cells) < 24

    def test_it_and_the_rules_of_config_are_switches(self) -> None:
        """The one on, the others off."""
        rules = {"SECRETSMANAGER_ROTATION_ENABLED_CHECK", "SECRETSMANAGER_SCHEDULED_ROTATION_SUCCESS_CHECK"}
        assert "OperationsDashboard" not in stack(Dashboard="false")
        assert not of_type(stack(), "AWS::Config::ConfigRule")
        found = of_type(stack(ConfigRules="true"), "AWS::Config::ConfigRule").values()
        assert {one["Source"]["SourceIdentifier"] for one in found} == rules
        assert {one["Source"]["Owner"] for one in found} == {"AWS"}


class TestParameters:
    """What a deployment may say, and what is refused."""

    @pytest.mark.parametrize(
        ("parameter", "good", "bad"),
        [
            ("KmsKeys", KEYS[0], "alias/app"),
            ("PermissionsBoundary", BOUNDARY, "bound"),
            ("RolePath", "/platform/keys/", "platform"),
            ("EndpointVpc", "vpc-0a1b", "0a1b"),
            ("TrustedAccounts", THEIRS, "1111-2222-3333"),
            ("TrustedRole", "platform/rotation", "/rotation"),
            ("TrustedRole", "keyturn-rotation", "*"),
            ("AlarmEmail", "ops@example.com", "ops"),
            ("AlarmTopic", TOPIC, "ours"),
        ],
    )
    def test_nonsense_is_refused(self, parameter: str, good: str, bad: str) -> None:
        """By a pattern, which CloudFormation holds against the whole value (of each member, in a list), in our words."""
        said = TEMPLATE["Parameters"][parameter]
        for value in (good, said["Default"]):
            assert re.fullmatch(said["AllowedPattern"], value)
        assert not re.fullmatch(said["AllowedPattern"], bad)
        assert said["ConstraintDescription"]

    def test_what_goes_together_is_asked_for_together(self) -> None:
        """Subnets and security groups; an endpoint and both."""
        vpc = {"SubnetIds": "subnet-1", "SecurityGroupIds": "sg-1"}
        assert refusals() == refusals(**vpc) == refusals(**vpc, EndpointVpc="vpc-1") == []
        assert refusals(SubnetIds="subnet-1") == ["SubnetsNeedGroups"]
        assert refusals(SecurityGroupIds="sg-1") == ["GroupsNeedSubnets"]
        assert refusals(EndpointVpc="vpc-1") == ["EndpointNeedsSubnets"]

    def test_every_parameter_is_used(self) -> None:
        """One that nothing reads would promise what it does not do."""
        body = SOURCE.partition("\nConditions:")[2]
        used = set(re.findall(r"!Ref (\w+)", body)) | set(re.findall(r"\$\{(\w+)\}", body))
        assert set(TEMPLATE["Parameters"]) - used == set()

    def test_the_console_shows_each_in_a_group(self) -> None:
        """Once."""
        groups = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
        assert sorted(name for group in groups for name in group["Parameters"]) == sorted(TEMPLATE["Parameters"])


def test_the_environment_is_what_the_code_reads() -> None:
    """Each variable of the template is read by common/, and each that common/ reads (but AWS's own) is in the template."""
    code = "".join(path.read_text() for path in COMMON)
    read = set(re.findall(r'"([A-Z]+(?:_[A-Z]+)+)"', code)) | {
        f"EXCLUDE_{name}" for name in ("NUMBERS", "PUNCTUATION", "UPPERCASE", "LOWERCASE")
    }
    assert set(TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]) - {"AWS_ENDPOINT_URL_STS"} == read


def test_every_variable_is_its_parameter() -> None:
    """The lists are joined; the others are the parameter of their name."""
    variables = dict(TEMPLATE["Globals"]["Function"]["Environment"]["Variables"])
    assert variables.pop("ADMIN_SECRETS") == {"Fn::Join": [",", {"Ref": "AdminSecrets"}]}
    assert variables.pop("TRUSTED_ACCOUNTS") == {"Fn::Join": [",", {"Ref": "TrustedAccounts"}]}
    # An endpoint of the stack's own is named instead: it has no private DNS.
    for name, condition, endpoint, otherwise in (
        ("SECRETS_MANAGER_ENDPOINT", "HasEndpoint", "EndpointToSecretsManager", "SecretsManagerEndpoint"),
        ("AWS_ENDPOINT_URL_STS", "HasTrustedEndpoint", "EndpointToSts", "AWS::NoValue"),
    ):
        first = {"Fn::Select": [0, {"Fn::GetAtt": [endpoint, "DnsEntries"]}]}
        host = {"Host": {"Fn::Select": [1, {"Fn::Split": [":", first]}]}}
        given = {"Fn::Sub": ["https://${Host}", host]}
        assert variables.pop(name) == {"Fn::If": [condition, given, {"Ref": otherwise}]}
    for name, value in variables.items():
        assert value == {"Ref": "".join(word.capitalize() for word in name.split("_"))}


def test_a_provider_file_decides_how_its_keys_rotate() -> None:
    """The stack's RotationStrategy is for users of databases: the function of API keys does not see it."""
    own = {name: RESOURCES[f"{name}Rotator"]["Properties"].get("Environment") for name in FOLDERS}
    assert own.pop("ApiKey") == {"Variables": {"ROTATION_STRATEGY": ""}}
    assert set(own.values()) == {None}


def test_what_redshift_s_function_asks_is_what_its_role_may() -> None:
    """Each call of endpoints.py on Redshift's APIs, and no other."""
    code = (ROOT / "common" / "endpoints.py").read_text()
    for service, actions in REDSHIFT.items():
        asked = re.findall(rf'_call\(api, "{service}", "(\w+)"', code)
        assert {name.title().replace("_", "") for name in asked} == set(actions)


def test_the_functions_have_time_for_their_own_waits() -> None:
    """60 s: more than the longest of a step's waits together; Redshift's has a session in each database."""
    assert TEMPLATE["Globals"]["Function"]["Timeout"] == 60
    own = {name: RESOURCES[f"{name}Rotator"]["Properties"].get("Timeout") for name in FOLDERS}
    assert own == {"Postgres": None, "MySql": None, "Redshift": 120, "DocumentDb": None, "ApiKey": None}


def test_the_repository_s_metadata_is_this_project() -> None:
    """For the Serverless Application Repository: version and licence are pyproject's, the files are there."""
    said = TEMPLATE["Metadata"]["AWS::ServerlessRepo::Application"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert (said["Name"], said["SemanticVersion"]) == (project["name"], project["version"])
    assert said["SpdxLicenseId"] == project["license"]
    assert (ROOT / said["LicenseUrl"]).exists()
    assert (ROOT / said["ReadmeUrl"]).exists()
    # The patterns of its API reference, CreateApplication.
    assert re.fullmatch(r"[a-z0-9](([a-z0-9]|-(?!-))*[a-z0-9])?", said["Author"])
    assert len(said["Labels"]) <= 10
    assert all(re.fullmatch(r"[a-zA-Z0-9+\-_:/@]+", label) for label in said["Labels"])


def refusals(**parameters: str) -> list[str]:
    """The rules of the template that refuse these parameters."""

    def holds(node: Any) -> Any:
        if not isinstance(node, Mapping):
            return node
        ((function, said),) = node.items()
        if function == "Ref":
            parameter = TEMPLATE["Parameters"][said]
            value = parameters.get(said, parameter["Default"])
            return value.split(",") if parameter["Type"] == "CommaDelimitedList" else value
        first, *rest = (holds(one) for one in said)
        if function == "Fn::Not":
            return not first
        assert function in {"Fn::Equals", "Fn::EachMemberEquals"}
        return all(one == rest[0] for one in first) if function == "Fn::EachMemberEquals" else first == rest[0]

    return [
        name
        for name, rule in TEMPLATE["Rules"].items()
        if holds(rule["RuleCondition"]) and not all(holds(one["Assert"]) for one in rule["Assertions"])
    ]


def matches(pattern: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    """Whether EventBridge would: each field of the pattern is there, with one of the values."""
    return all(
        matches(wanted, event.get(name) or {}) if isinstance(wanted, Mapping) else event.get(name) in wanted
        for name, wanted in pattern.items()
    )


def transformed(transformer: Mapping[str, Any], event: Mapping[str, Any]) -> str:
    """The text that EventBridge makes of the event."""
    text = transformer["InputTemplate"]
    for name, path in transformer["InputPathsMap"].items():
        value: Any = event
        for field in path.removeprefix("$.").split("."):
            value = value[field]
        text = text.replace(f"<{name}>", value)
    made: str = json.loads(text)
    return made


def test_what_is_looped_over_says_its_type_first() -> None:
    """A body that begins with Condition is refused: "Condition layout is incorrect" (cfn-language-discussion, 147 and 156)."""
    loops = [one[2] for name, one in RESOURCES.items() if name.startswith("Fn::ForEach::")]
    assert len(loops) == len(FOLDERS) + 2
    for body in loops:
        (resource,) = body.values()
        assert next(iter(resource)) == "Type"
