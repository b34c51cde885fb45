"""Secrets Manager in this process: what boto has made ready to send is answered from memory, and no socket is opened.

boto itself is real: it checks parameters, writes requests and reads answers. A step takes a few milliseconds, so that
chance may try thousands. The simulator (testkit/simulator) is the better model of the service: nothing here rotates.
"""

import io
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders

ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:{}-AbCdEf"
CURRENT, PREVIOUS, UNLABELLED, TOKEN = "c" * 32, "b" * 32, "a" * 32, "d" * 32
STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")
Answer = dict[str, Any]


class Refused(Exception):
    """What the service answers instead: an error's code."""


@dataclass
class Held:
    """One secret. values: {version: text}, of those that have one. stages: {version: its labels}."""

    values: dict[str, str]
    stages: dict[str, set[str]]
    tags: dict[str, str] = field(default_factory=dict)

    def holder(self, label: str) -> str:
        """The version that holds the label."""
        for version, labels in self.stages.items():
            if label in labels:
                return version
        raise Refused("ResourceNotFoundException")


class Memory:
    """The service.

    put: every value that PutSecretValue has brought, in order. refuses: {action: the code that it is refused by}; what the
    service says then quotes all that it was sent
    """

    def __init__(self) -> None:
        self.secrets: dict[str, Held] = {}
        self.put: list[str] = []
        self.refuses: dict[str, str] = {}

    def keep(self, name: str, current: str, **tags: str) -> str:
        """A secret with this value, and an empty version that is AWSPENDING; tags `rotation:…`, with _ for -. Its ARN."""
        named = {f"rotation:{tag.replace('_', '-')}": value for tag, value in tags.items()}
        arn = ARN.format(name)
        self.secrets[arn] = Held({CURRENT: current}, {CURRENT: {"AWSCURRENT"}, TOKEN: {"AWSPENDING"}}, named)
        return arn

    def value(self, arn: str, label: str = "AWSCURRENT") -> Answer:
        """The value of the version that holds the label."""
        held = self.secrets[arn]
        parsed: Answer = json.loads(held.values[held.holder(label)])
        return parsed

    def next_rotation(self, arn: str, token: str) -> None:
        """AWSPENDING on a new, empty version, as RotateSecret leaves it."""
        stages = self.secrets[arn].stages
        for labels in stages.values():
            labels.discard("AWSPENDING")
        stages[token] = {"AWSPENDING"}

    def answer(self, request: AWSPreparedRequest, **_: object) -> AWSResponse:
        """For boto's event before-send: what the service would answer."""
        target = _text(request.headers.get("X-Amz-Target", ""))
        action: Callable[[Answer], Answer] | None = getattr(self, f"_{target.partition('.')[2]}", None)
        if action is None:  # another service's
            denied = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>"
            return _response(request, 403, denied)
        if code := self.refuses.get(target.partition(".")[2]):
            return _response(request, 400, json.dumps({"__type": code, "message": _text(request.body)}))
        try:
            return _response(request, 200, json.dumps(action(json.loads(_text(request.body)))))
        except Refused as refused:
            return _response(request, 400, json.dumps({"__type": str(refused), "message": "as the test wants"}))

    def _held(self, asked: Answer) -> Held:
        if asked["SecretId"] not in self.secrets:
            raise Refused("ResourceNotFoundException")
        return self.secrets[asked["SecretId"]]

    # The operations, by AWS's names.

    def _DescribeSecret(self, asked: Answer) -> Answer:  # noqa: N802
        held = self._held(asked)
        return {
            "ARN": asked["SecretId"],
            "RotationEnabled": True,
            "VersionIdsToStages": {version: sorted(labels) for version, labels in held.stages.items() if labels},
            "Tags": [{"Key": name, "Value": value} for name, value in held.tags.items()],
        }

    def _GetSecretValue(self, asked: Answer) -> Answer:  # noqa: N802
        held = self._held(asked)
        version = asked.get("VersionId") or held.holder("AWSCURRENT")
        if version not in held.values:
            raise Refused("ResourceNotFoundException")
        text = held.values[version]
        return {"ARN": asked["SecretId"], "VersionId": version, "SecretString": text, "CreatedDate": time.time()}

    def _PutSecretValue(self, asked: Answer) -> Answer:  # noqa: N802
        held, version = self._held(asked), asked["ClientRequestToken"]
        self.put.append(asked["SecretString"])
        if held.values.setdefault(version, asked["SecretString"]) != asked["SecretString"]:
            raise Refused("ResourceExistsException")
        return {"ARN": asked["SecretId"], "VersionId": version}

    def _UpdateSecretVersionStage(self, asked: Answer) -> Answer:  # noqa: N802
        stages, label, to = self._held(asked).stages, asked["VersionStage"], asked.get("MoveToVersionId")
        if source := asked.get("RemoveFromVersionId"):
            stages[source].discard(label)
        if to:
            stages[to].add(label)
        if label == "AWSCURRENT" and source:
            for labels in stages.values():
                labels.discard("AWSPREVIOUS")
            stages[source].add("AWSPREVIOUS")
        return {}

    def _ListSecretVersionIds(self, asked: Answer) -> Answer:  # noqa: N802
        held = self._held(asked)
        entries = [
            {"VersionId": version, "VersionStages": sorted(held.stages.get(version, ())), "CreatedDate": time.time()}
            for version in held.values
        ]
        return {"Versions": entries}


class _Raw(io.BytesIO):
    """A body, as botocore reads it."""

    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        """All at once."""
        yield self.read()


def _text(sent: object) -> str:
    return sent.decode() if isinstance(sent, bytes) else str(sent)


def _response(request: AWSPreparedRequest, status: int, body: str) -> AWSResponse:
    headers = HTTPHeaders.from_dict({"x-amzn-RequestId": "memory"})
    return AWSResponse(request.url, status, headers, _Raw(body.encode()))
