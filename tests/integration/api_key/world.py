"""A rotation at a service that issues keys, or takes ours, as a test sees it."""

import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from common.handler import handler_by_secret
from rotators.api_key.choice import by_provider
from rotators.api_key.provider import load_providers
from testkit.keyservice import Key, KeyService
from testkit.providers import write_provider
from testkit.simulator import Function, PythonFunction, Rotation, Simulator

_numbers = itertools.count()


@dataclass
class KeyWorld:
    """Secrets of accounts at one key service, attached to one function whose provider files are in a folder."""

    service: KeyService
    aws: Simulator
    folder: Path
    account: str = "app"
    provider: str = "keyservice"
    arn: str = ""
    function: Function = field(init=False)
    client_of_function: Any = None

    def deploy(self, **changes: Any) -> None:
        """Deploy the function, with a provider file for each of ours, changed like this."""
        for name in ("keyservice", "keyservice_admin"):
            write_provider(self.folder, name, self.service.port, **changes)
        self.redeploy()

    def redeploy(self) -> None:
        """Deploy the function with the provider files as they are."""
        strategies_for = by_provider(load_providers(self.folder))
        handler = handler_by_secret("api_key", strategies_for, client=self.client_of_function)
        self.function = self.aws.add_function(f"keyturn-api-key-{next(_numbers)}", handler)

    @property
    def handler(self) -> Callable[[Any, Any], object]:
        """The function's Python handler, where it runs in this process."""
        assert isinstance(self.function, PythonFunction)
        return self.function.handler

    @property
    def client(self) -> Any:
        """Secrets Manager's."""
        return self.aws.client()

    def create_secret(self, value: Mapping[str, object], provider: str | None = None) -> str:
        """Another secret, with the tag that names its provider; its ARN."""
        arn = str(self.client.create_secret(Name=f"key-{next(_numbers)}", SecretString=json.dumps(value))["ARN"])
        tag = {"Key": "rotation:provider", "Value": provider or self.provider}
        self.client.tag_resource(SecretId=arn, Tags=[tag])
        return arn

    def first_key(self, account: str, **fields: object) -> dict[str, object]:
        """An account, and the value of a secret for its first key, which was made by hand."""
        self.service.create_account(account)
        made = self.service.live(account)[0]
        return self.service.secret(made.key, key_id=made.id, **fields)

    def value(self, stage: str = "AWSCURRENT", arn: str = "") -> dict[str, Any]:
        """The secret's value in the version that holds this label."""
        answer = self.client.get_secret_value(SecretId=arn or self.arn, VersionStage=stage)
        value: dict[str, Any] = json.loads(answer["SecretString"])
        return value

    def stages(self) -> dict[str, list[str]]:
        """{version: its labels}."""
        stages: dict[str, list[str]] = self.client.describe_secret(SecretId=self.arn)["VersionIdsToStages"]
        return stages

    def version(self, stage: str) -> str:
        """The id of the version that holds this label."""
        return next(version for version, labels in self.stages().items() if stage in labels)

    def event(self, step: str, version: str) -> dict[str, str]:
        """A step's event, as the service sends it."""
        return {"Step": step, "SecretId": self.arn, "ClientRequestToken": version}

    def put(self, **fields: object) -> None:
        """Somebody edits the secret by hand."""
        self.client.put_secret_value(SecretId=self.arn, SecretString=json.dumps({**self.value(), **fields}))

    def rotate(self, arn: str = "") -> Rotation:
        """RotateSecret, and all that follows; what the service and Secrets Manager are asked is counted from here on."""
        self.aws.calls.clear()
        self.asked_before = len(self.service.requests)
        return self.aws.rotate(arn or self.arn, RotationLambdaARN=self.function.arn)

    def rotated(self, arn: str = "") -> Rotation:
        """A rotation that succeeds."""
        rotation = self.rotate(arn)
        assert rotation.succeeded, rotation.error
        return rotation

    def refused(self, code: str, arn: str = "") -> str:
        """A rotation that fails with this code; its error. Its AWSPENDING is taken off again."""
        self.aws.tries = 1
        rotation = self.rotate(arn)
        self.take_pending_off(arn)
        assert f"[{code}]" in str(rotation.error), rotation.error
        return str(rotation.error)

    def take_pending_off(self, arn: str = "") -> None:
        """What the runbook says to do with a rotation that is given up."""
        labels = self.client.describe_secret(SecretId=arn or self.arn)["VersionIdsToStages"]
        for version, names in labels.items():
            if "AWSPENDING" in names and "AWSCURRENT" not in names:
                self.client.update_secret_version_stage(
                    SecretId=arn or self.arn, VersionStage="AWSPENDING", RemoveFromVersionId=version
                )

    def asked(self) -> list[str]:
        """What the service was asked for since the rotation began."""
        return [str(request.operation) for request in self.service.requests[self.asked_before :]]

    def works(self, stage: str = "AWSCURRENT") -> bool:
        """Whether the key of this version works."""
        return self.service.accepts(self.account, self.value(stage)["key"])

    def live(self) -> set[str]:
        """The keys of the account that work."""
        return {key.key for key in self.service.live(self.account)}

    def held(self) -> set[str]:
        """The keys that the secret's staged versions hold."""
        values = [self.client.get_secret_value(SecretId=self.arn, VersionId=version) for version in self.stages()]
        return {json.loads(value["SecretString"])["key"] for value in values}

    def labelled(self) -> list[Key]:
        """The live keys that have a label."""
        return [key for key in self.service.live(self.account) if key.label]

    def dies(self, step: str, when: str, times: int = 1) -> None:
        """Let the function die so often, before or after this step has done its work."""
        handler, deaths = self.handler, list[str]()

        def dying(event: dict[str, str], context: Any) -> None:
            dies = event["Step"] == step and len(deaths) < times
            if not (dies and when == "before"):
                handler(event, context)
            if dies:
                deaths.append(step)
                raise RuntimeError("died")

        self.function = self.aws.add_function(f"dying-{next(_numbers)}", dying)
