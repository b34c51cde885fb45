"""moto's Secrets Manager with versions, stages and rotations taken over by ours.

moto parses requests, keeps metadata and answers; each operation on versions changes our Versions and then shows the
result to moto's own secret object, so that whatever of moto reads it (tags, lists, replicas) sees the same.
"""

import copy
import json
import time
import uuid
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from moto.secretsmanager import urls
from moto.secretsmanager.exceptions import (
    InvalidParameterException,
    InvalidRequestException,
    OperationNotPermittedOnReplica,
    ResourceExistsException,
    ResourceNotFoundException,
    SecretNotFoundException,
    SecretStageVersionMismatchException,
)
from moto.secretsmanager.models import FakeSecret, ReplicaSecret, SecretsManagerBackend, secretsmanager_backends
from moto.secretsmanager.responses import SecretsManagerResponse

from testkit.simulator.schedules import Schedule, parse_rules
from testkit.simulator.versions import CURRENT, PENDING, Value, Version, Versions, check_size


class RotationService(Protocol):
    """Who runs rotations: the simulator."""

    def now(self) -> float:
        """The time: seconds since the epoch."""
        ...

    def knows(self, function_arn: str) -> bool:
        """Whether there is such a function."""
        ...

    def abandoned(self, secret: FakeSecret) -> None:
        """A value that was put by hand takes AWSPENDING away from a rotation, be it running or failed."""
        ...

    def start(self, backend: "SimulatedBackend", secret: FakeSecret, token: str, *, test: bool) -> None:
        """Rotate, or test the rotation, in the background; nothing where this secret is being rotated already."""
        ...


@dataclass
class Plan:
    """A secret's schedule. due: when the next window opens. date: NextRotationDate, which waits for a success."""

    schedule: Schedule
    due: float
    date: float


class SimulatedBackend(SecretsManagerBackend):
    """Secrets Manager of one account and region."""

    service: ClassVar[RotationService]
    _url_module = urls  # moto looks for a subclass's in the subclass's own package

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self._versions: dict[str, Versions] = {}
        self._plans: dict[str, Plan] = {}

    def versions(self, secret: FakeSecret | ReplicaSecret) -> Versions:
        """Our model of a secret's versions; a replica shows its primary's."""
        if isinstance(secret, ReplicaSecret):
            primary = secretsmanager_backends[self.account_id][secret.source.region]
            assert isinstance(primary, SimulatedBackend)
            return primary.versions(secret.source)
        return self._versions.setdefault(secret.arn, Versions(secret.arn, self.service.now))

    def primary(self, secret_id: str) -> FakeSecret:
        """A secret that may be changed: it exists, is no replica and not being deleted."""
        secret = self.secret(secret_id)
        if isinstance(secret, ReplicaSecret):
            raise OperationNotPermittedOnReplica
        return secret

    def secret(self, secret_id: str) -> FakeSecret | ReplicaSecret:
        """A secret that exists and is not being deleted."""
        if secret_id not in self.secrets:
            raise SecretNotFoundException
        secret = self.secrets[secret_id]
        if secret.is_deleted():
            raise InvalidRequestException(
                "You can't perform this operation on the secret because it was marked for deletion."
            )
        return secret

    def show(self, secret: FakeSecret) -> None:
        """Let moto's secret show what our versions are."""
        versions = self.versions(secret)
        current = versions.holder(CURRENT)
        secret.versions = {version.id: _as_moto(version) for version in versions if version.stages}
        secret.set_default_version_id(current.id if current else None)
        secret.last_changed_date = int(self.service.now())

    # The operations, each with moto's signature.

    def create_secret(
        self, name: str, secret_string: str | None, secret_binary: str | None, *args: Any, **more: Any
    ) -> str:
        token = more.get("client_request_token")
        more["client_request_token"] = token = self._from_client_request_token(token)
        known = name in self.secrets
        check_size(Value(secret_string, secret_binary))
        answer = super().create_secret(name, secret_string, secret_binary, *args, **more)
        if not known and (secret_string or secret_binary):
            self.versions(self.primary(name)).put(token, Value(secret_string, secret_binary), [CURRENT])
        if not known:
            secret = self.primary(name)
            secret.created_date = int(self.service.now())
            self.show(secret)
        return answer

    def update_secret(
        self,
        secret_id: str,
        secret_string: str | None = None,
        secret_binary: str | None = None,
        client_request_token: str | None = None,
        kms_key_id: str | None = None,
        description: str | None = None,
    ) -> str:
        secret = self.primary(secret_id)
        secret.update(description or secret.description, secret.tags, kms_key_id)
        version_id = None
        if secret_string or secret_binary:
            version_id = self._from_client_request_token(client_request_token)
            if self.versions(secret).get(version_id):
                raise ResourceExistsException(f"A version {version_id} of secret {secret.arn} already exists.")
            self._note_change(secret, version_id, [CURRENT])
            self.versions(secret).put(version_id, Value(secret_string, secret_binary), [CURRENT])
        self.show(secret)
        return secret.to_short_dict(version_id=version_id, include_version_id=version_id is not None)

    def get_secret_value(self, secret_id: str, version_id: str, version_stage: str) -> dict[str, Any]:
        secret = self.secret(secret_id)
        versions = self.versions(secret)
        version = versions.get(version_id) if version_id else versions.holder(version_stage or CURRENT)
        if version_id and version and version_stage and version_stage not in version.stages:
            raise SecretStageVersionMismatchException
        value = versions.read_value(version) if version else None
        if version is None or value is None:
            which = f"VersionId: {version_id}" if version_id else f"staging label: {version_stage or CURRENT}"
            raise ResourceNotFoundException(f"Secrets Manager can't find the specified secret value for {which}")
        shown = _as_moto(version)
        answer = {"ARN": secret.arn, "Name": secret.name, "VersionId": version.id, "CreatedDate": version.created}
        answer |= {"VersionStages": shown["version_stages"]} if version.stages else {}
        names = {"secret_string": "SecretString", "secret_binary": "SecretBinary"}
        return answer | {names[name]: value for name, value in shown.items() if name in names}

    def put_secret_value(
        self,
        secret_id: str,
        secret_string: str,
        secret_binary: str,
        client_request_token: str,
        version_stages: list[str],
    ) -> str:
        secret = self.primary(secret_id)
        version_id = self._from_client_request_token(client_request_token)
        self._note_change(secret, version_id, version_stages)
        self.versions(secret).put(version_id, Value(secret_string, secret_binary), version_stages)
        self.show(secret)
        return secret.to_short_dict(include_version_stages=version_id in secret.versions, version_id=version_id)

    def described(self, secret_id: str) -> dict[str, Any]:
        """DescribeSecret's answer."""
        secret = self.describe_secret(secret_id)
        shown = copy.copy(secret)
        labels = self.versions(secret).read_labels()
        if isinstance(shown, FakeSecret):
            shown.versions = {version: {"version_stages": sorted(names)} for version, names in labels.items()}
        answer = shown.to_dict() | self.schedule_shown(secret)
        # Where rotation is off DescribeSecret answers null; ListSecrets where the secret has never been rotated.
        return answer | ({} if answer.get("RotationEnabled") else {"LastRotatedDate": None})

    def list_secrets(self, *args: Any, **more: Any) -> tuple[list[dict[str, Any]], str | None]:
        entries, next_token = super().list_secrets(*args, **more)
        return [entry | self.schedule_shown(self.secrets[entry["ARN"]]) for entry in entries], next_token

    def delete_secret(self, *args: Any, **more: Any) -> tuple[str, str, float]:
        arn, name, date = super().delete_secret(*args, **more)
        date += self.service.now() - time.time()
        secret = self.secrets.get(arn)
        if isinstance(secret, FakeSecret):
            secret.delete(date)
        return arn, name, date

    def _note_change(self, secret: FakeSecret, version_id: str, stages: list[str]) -> None:
        """A new AWSCURRENT by hand abandons a rotation that has not ended well, and may be as good as one itself."""
        versions = self.versions(secret)
        pending, plan = versions.holder(PENDING), self.plan(secret)
        if CURRENT in stages and pending and pending.id != version_id and CURRENT not in pending.stages:
            self.service.abandoned(secret)
        if CURRENT in stages and plan and plan.schedule.counts_changes and not versions.get(version_id):
            self.reschedule(secret)

    def update_secret_version_stage(
        self, secret_id: str, version_stage: str, remove_from_version_id: str, move_to_version_id: str
    ) -> tuple[str, str]:
        secret = self.primary(secret_id)
        self.versions(secret).move(version_stage, remove_from_version_id, move_to_version_id)
        self.show(secret)
        return secret.arn, secret.name

    def rotate_secret(
        self,
        secret_id: str,
        client_request_token: str | None = None,
        rotation_lambda_arn: str | None = None,
        rotation_rules: dict[str, Any] | None = None,
        rotate_immediately: bool = True,  # noqa: FBT001, FBT002  moto's signature
    ) -> str:
        secret = self.primary(secret_id)
        function_arn = rotation_lambda_arn or secret.rotation_lambda_arn
        if not function_arn:
            raise InvalidRequestException("No Lambda rotation function ARN is associated with this secret.")
        if not self.service.knows(function_arn):
            raise ResourceNotFoundException(f"Lambda does not find the function {function_arn}.")
        schedule = self._schedule(secret, rotation_rules)
        token = self._from_client_request_token(client_request_token)
        versions = self.versions(secret)
        pending, current = versions.holder(PENDING), versions.holder(CURRENT)
        if pending is not None and pending is not current:
            if pending.id == token:
                return secret.to_short_dict(version_id=token)
            if secret.rotation_lambda_arn:
                self.service.start(self, secret, pending.id, test=False)
            raise InvalidRequestException("A previous rotation isn't complete. That rotation will be reattempted.")
        if versions.get(token):
            raise InvalidRequestException(f"You can't use ClientRequestToken {token}: it is a version's already.")
        self.enable(secret, function_arn, schedule)
        versions.stage_pending(token, None if rotate_immediately or current is None else current.value)
        self.show(secret)
        answer = secret.to_short_dict(version_id=token)
        self.service.start(self, secret, token, test=not rotate_immediately)
        return answer

    # Schedules.

    def enable(self, secret: FakeSecret, function_arn: str, schedule: Schedule) -> None:
        """Turn automatic rotation on. A schedule that it has already keeps its dates, in the past or not."""
        plan = self.plan(secret)
        secret.rotation_requested = secret.rotation_enabled = True
        secret.rotation_lambda_arn = function_arn
        if plan is None or plan.schedule is not schedule:
            due = schedule.next_start(self.service.now())
            self._plans[secret.arn] = Plan(schedule, due, schedule.last_second(due))

    def plan(self, secret: FakeSecret) -> Plan | None:
        """The secret's schedule and dates; None where rotation is off."""
        return self._plans.get(secret.arn) if secret.rotation_enabled else None

    def reschedule(self, secret: FakeSecret) -> None:
        """The secret has been rotated: from here on the next date counts."""
        plan = self._plans[secret.arn]
        plan.due = plan.schedule.next_start(self.service.now())
        plan.date = plan.schedule.last_second(plan.due)

    def due(self) -> list[tuple[float, FakeSecret]]:
        """When which secret's next window opens."""
        secrets = [secret for secret in self.secrets.values() if isinstance(secret, FakeSecret)]
        plans = [(self.plan(secret), secret) for secret in secrets if not secret.is_deleted()]
        return [(plan.due, secret) for plan, secret in plans if plan is not None]

    def rotate_on_schedule(self, secret: FakeSecret) -> None:
        """Its window has opened: rotate it, or what has failed once more; at the next window again."""
        plan, versions = self._plans[secret.arn], self.versions(secret)
        plan.due = plan.schedule.next_start(self.service.now())
        pending = versions.holder(PENDING)
        if pending is None or pending is versions.holder(CURRENT):
            pending = versions.stage_pending(str(uuid.uuid4()))
            self.show(secret)
        self.service.start(self, secret, pending.id, test=False)

    def _schedule(self, secret: FakeSecret, rules: dict[str, Any] | None) -> Schedule:
        """What the rules say; without any, what is set already."""
        known = self._plans.get(secret.arn)
        if known and not rules and secret.rotation_enabled:
            return known.schedule
        given = rules or (known.schedule.rules if known else {"AutomaticallyAfterDays": 1})
        try:
            return parse_rules(given, self.service.now())
        except ValueError as refused:
            raise InvalidParameterException(str(refused)) from None

    def schedule_shown(self, secret: FakeSecret | ReplicaSecret) -> dict[str, Any]:
        """The fields of DescribeSecret and ListSecrets that a schedule has; a replica shows its primary's."""
        if isinstance(secret, ReplicaSecret):
            primary = secretsmanager_backends[self.account_id][secret.source.region]
            assert isinstance(primary, SimulatedBackend)
            return primary.schedule_shown(secret.source)
        known, plan = self._plans.get(secret.arn), self.plan(secret)
        rules = {"RotationRules": known.schedule.shown(secret.last_rotation_date)} if known else {}
        return {**rules, "NextRotationDate": plan.date if plan else None}


def describe_secret(response: SecretsManagerResponse) -> str:
    """DescribeSecret, in place of moto's, which knows no schedules."""
    backend = response.backend
    assert isinstance(backend, SimulatedBackend)
    return json.dumps(backend.described(response._get_param("SecretId")))  # noqa: SLF001  moto's way to read a parameter


def list_secret_version_ids(response: SecretsManagerResponse) -> str:
    """ListSecretVersionIds, in place of moto's, which knows neither pages nor IncludeDeprecated nor dates."""
    backend = response.backend
    assert isinstance(backend, SimulatedBackend)
    secret = backend.secret(response._get_param("SecretId"))  # noqa: SLF001  moto's way to read a parameter
    deprecated = response._get_bool_param("IncludeDeprecated", if_none=False)  # noqa: SLF001
    size = response._get_int_param("MaxResults") or 100  # noqa: SLF001
    start = int(response._get_param("NextToken") or 0)  # noqa: SLF001
    listed = [version for version in backend.versions(secret) if version.stages or deprecated]
    entries = [
        {
            "VersionId": version.id,
            "CreatedDate": version.created,
            **({"VersionStages": sorted(version.stages)} if version.stages else {}),
        }
        for version in listed[start : start + size]
    ]
    answer = {"ARN": secret.arn, "Name": secret.name, "Versions": entries}
    return json.dumps(answer | ({"NextToken": str(start + size)} if len(listed) > start + size else {}))


def _as_moto(version: Version) -> dict[str, Any]:
    """The version as moto's dictionary."""
    value = version.value or Value()
    fields = {
        "version_id": version.id,
        "version_stages": sorted(version.stages),
        "createdate": version.created,
        "secret_string": value.string,
        "secret_binary": value.binary,
    }
    return {name: field for name, field in fields.items() if field is not None}
