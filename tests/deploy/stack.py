"""A stack in the emulator: deployed by `sam deploy`, and its functions called as Secrets Manager calls them."""

import base64
import json
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samcli.yamlhelper import yaml_parse

from testkit.servers.ministack import Ministack
from testkit.simulator.calls import ACCOUNT, REGION
from tests.packaged.conftest import ROOT, run, sam

STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")
ADMINS = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:admin/*"
TEMPLATE: Mapping[str, Any] = yaml_parse((ROOT / "template.yaml").read_text())
E_MAIL = "platform@example.com"


def parameters(cloud: Ministack, **others: str) -> dict[str, str]:
    """What a stack is given: every function and an e-mail for alarms, as far as the template asks for them; then these."""
    asked = {name: "true" for name in TEMPLATE["Parameters"] if name.startswith("Enable")}
    asked |= {name: E_MAIL for name in TEMPLATE["Parameters"] if name.lower().endswith("email")}
    said = {"Runtime": "python3.13", "Architecture": "x86_64", "AdminSecrets": ADMINS, "TlsCaFile": "common/ca.pem"}
    return {**asked, **said, "SecretsManagerEndpoint": cloud.endpoint, **others}


@dataclass(frozen=True)
class Stack:
    """A stack by its name. built: what `sam build` has made."""

    cloud: Ministack
    name: str
    built: Path

    def deploy(self, **others: str) -> str:
        """`sam deploy` as samconfig.toml has it, but asked nothing; what it prints. others: parameters."""
        given = (f"{name}={value}" for name, value in parameters(self.cloud, **others).items())
        files = ("--config-file", ROOT / "samconfig.toml", "--template-file", self.built / "template.yaml")
        words: tuple[str | Path, ...] = (
            *files,
            "--stack-name",
            self.name,
            "--no-confirm-changeset",
            "--parameter-overrides",
            *given,
        )
        return self._sam("deploy", *words)

    def delete(self) -> str:
        """`sam delete`, which takes what was uploaded away too."""
        return self._sam("delete", "--no-prompts", "--stack-name", self.name)

    def _sam(self, *words: str | Path) -> str:
        return run(sam(), *words, fails=False, **self.cloud.environment, SAM_CLI_POLL_DELAY="0.5")

    def outputs(self) -> dict[str, str]:
        """{name: value} of the stack's outputs."""
        (stack,) = self.cloud.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"]
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    def resources(self) -> dict[str, tuple[str, str]]:
        """{logical id: (type, physical id)} of what the stack has made."""
        found = self.cloud.client("cloudformation").list_stack_resources(StackName=self.name)["StackResourceSummaries"]
        return {one["LogicalResourceId"]: (one["ResourceType"], one["PhysicalResourceId"]) for one in found}

    def function(self, logical_id: str) -> dict[str, Any]:
        """The configuration of a function, by the name that the stack gave it."""
        name = self.resources()[logical_id][1]
        configuration: dict[str, Any] = self.cloud.client("lambda").get_function(FunctionName=name)["Configuration"]
        return configuration


@dataclass(frozen=True)
class Answer:
    """What Invoke answered. error: None where the function returned. log: what it printed."""

    error: str | None
    log: str


@dataclass(frozen=True)
class Rotating:
    """A secret, attached to a deployed function."""

    cloud: Ministack
    arn: str
    function_arn: str

    def stage(self) -> str:
        """AWSPENDING on a version without a value, as RotateSecret leaves it; its id."""
        token, client = str(uuid.uuid4()), self.cloud.client("secretsmanager")
        for version in [version for version, labels in self.labels().items() if "AWSPENDING" in labels]:
            # It leaves the label where it was, too; AWS moves it.
            client.update_secret_version_stage(
                SecretId=self.arn, VersionStage="AWSPENDING", RemoveFromVersionId=version
            )
        client.put_secret_value(SecretId=self.arn, ClientRequestToken=token, VersionStages=["AWSPENDING"])
        return token

    def call(self, step: str, token: str) -> Answer:
        """Call the function by Lambda's API for one step."""
        event = {"Step": step, "SecretId": self.arn, "ClientRequestToken": token}
        return invoke(self.cloud, self.function_arn, event)

    def rotate(self) -> tuple[str, str]:
        """The four steps, each of which succeeds; (the version, what was printed)."""
        token, log = self.stage(), ""
        for step in STEPS:
            answer = self.call(step, token)
            assert answer.error is None, answer
            (line,) = [json.loads(line) for line in answer.log.splitlines() if line.startswith('{"level"')]
            assert (line["step"], line["outcome"], line["version"]) == (step, "succeeded", token)
            log += answer.log
        return token, log

    def labels(self) -> dict[str, set[str]]:
        """{version: its labels}."""
        described = self.cloud.client("secretsmanager").describe_secret(SecretId=self.arn)
        return {version: set(labels) for version, labels in described["VersionIdsToStages"].items() if labels}

    def value(self, stage: str = "AWSCURRENT") -> dict[str, Any]:
        """The secret's value in the version that holds this label."""
        answer = self.cloud.client("secretsmanager").get_secret_value(SecretId=self.arn, VersionStage=stage)
        value: dict[str, Any] = json.loads(answer["SecretString"])
        return value


def attach(cloud: Ministack, name: str, value: Mapping[str, object], function_arn: str) -> Rotating:
    """A new secret that this function rotates."""
    client = cloud.client("secretsmanager")
    arn = client.create_secret(Name=name, SecretString=json.dumps(value))["ARN"]
    client.rotate_secret(SecretId=arn, RotationLambdaARN=function_arn)  # the emulator's calls nothing
    return Rotating(cloud, arn, function_arn)


def invoke(cloud: Ministack, function: str, event: Mapping[str, object]) -> Answer:
    """Call a function by Lambda's API, and wait for it."""
    answer = cloud.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event), LogType="Tail")
    said = json.loads(answer["Payload"].read() or "null")
    failed = answer.get("FunctionError") is not None
    return Answer(said["errorMessage"] if failed else None, base64.b64decode(answer["LogResult"]).decode())


def logged(cloud: Ministack, group: str) -> str:
    """Everything that a log group holds."""
    pages = cloud.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group)
    return "\n".join(event["message"] for page in pages for event in page["events"])


def everything(cloud: Ministack) -> set[str]:
    """The names of all that a stack could leave behind, of the kinds that the template has; not what was uploaded."""
    asked = cloud.client
    found = {function["FunctionName"] for function in asked("lambda").list_functions()["Functions"]}
    found |= {role["Arn"] for role in asked("iam").list_roles()["Roles"]}
    found |= {group["logGroupName"] for group in asked("logs").describe_log_groups()["logGroups"]}
    found |= {topic["TopicArn"] for topic in asked("sns").list_topics()["Topics"]}
    found |= {f"alarm {alarm['AlarmName']}" for alarm in asked("cloudwatch").describe_alarms()["MetricAlarms"]}
    found |= {f"dashboard {one['DashboardName']}" for one in asked("cloudwatch").list_dashboards()["DashboardEntries"]}
    found |= {f"rule {rule['Name']}" for rule in asked("events").list_rules()["Rules"]}
    found |= {f"schedule {one['Name']}" for one in asked("scheduler").list_schedules()["Schedules"]}
    found |= {rule["ConfigRuleName"] for rule in asked("config").describe_config_rules()["ConfigRules"]}
    found |= {alias["AliasName"] for alias in asked("kms").list_aliases()["Aliases"]}
    found |= {key["KeyId"] for key in asked("kms").list_keys()["Keys"] if _lives(asked("kms"), key["KeyId"])}
    return found


def _lives(kms: Any, key: str) -> bool:
    """Whether a key is not about to be deleted: AWS keeps it for a week at least."""
    state: str = kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"]
    return state != "PendingDeletion"


def uploaded(cloud: Ministack) -> set[str]:
    """The code and templates that `sam deploy` has uploaded. Stacks of one account share what is the same in them."""
    s3 = cloud.client("s3")
    buckets: Collection[str] = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    return {one["Key"] for name in buckets for one in s3.list_objects_v2(Bucket=name).get("Contents", [])}
