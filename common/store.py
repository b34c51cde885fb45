"""Secrets Manager: the only module that calls it, and the only place that translates its errors.

Every call names the version by its id, out of one DescribeSecret: labels are read only once a step, and a label that
moves meanwhile cannot mix two versions.
"""

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from common import clock
from common.accounts import Api, own_api
from common.bounded import bounded
from common.errors import MalformedSecret, NotRotatable, StoreError
from common.event import Event
from common.guard import Description
from common.secret import Secret, parse_secret

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_secretsmanager.type_defs import GetSecretValueResponseTypeDef, ListSecretVersionIdsRequestTypeDef

# Error code of the service: (our code, what to do).
_FIXES = {
    "AccessDeniedException": (
        "store-denied",
        (
            "Give the function's role this action on the secret, and kms:Decrypt and kms:GenerateDataKey on its key; "
            "look also for a deny in the secret's resource policy. A secret of another account is reached only by "
            "TRUSTED_ACCOUNTS and TRUSTED_ROLE."
        ),
    ),
    "DecryptionFailure": ("store-denied", "Give the function's role kms:Decrypt on the secret's key."),
    "EncryptionFailure": ("store-denied", "Give the function's role kms:GenerateDataKey on the secret's key."),
    "ResourceNotFoundException": ("store-not-found", "Check that the secret is in this account and region."),
}
_OTHER = (
    "store-refused",
    "See the service's error code; if it is a throttle or a limit, rotate fewer secrets at once.",
)


READ_SECONDS = 12.0  # an endpoint in three zones that drops packets would otherwise take boto 45 s
T = TypeVar("T")


class Store:
    """The secrets of one account, through one boto client. api: AWS's other services, with that account's credentials."""

    def __init__(self, client: "SecretsManagerClient", api: Api = own_api) -> None:
        self._client, self.api = client, api

    def describe(self, secret_id: str) -> Description:
        """The secret's stages, tags and whether it rotates."""
        with _translated("DescribeSecret", secret_id):
            answer = _read(lambda: self._client.describe_secret(SecretId=secret_id))
        return Description(
            arn=answer["ARN"],
            rotation_enabled=answer.get("RotationEnabled", False),
            stages={version: frozenset(labels) for version, labels in answer.get("VersionIdsToStages", {}).items()},
            tags={tag["Key"]: tag["Value"] for tag in answer.get("Tags", [])},
            primary_region=answer.get("PrimaryRegion"),
        )

    def read_version(self, secret_id: str, version: str, name: str) -> Secret:
        """The value of one version, by its id; `name` is what errors call it."""
        with _translated("GetSecretValue", secret_id):
            try:
                answer = _read(lambda: self._client.get_secret_value(SecretId=secret_id, VersionId=version))
            except self._client.exceptions.ResourceNotFoundException:
                raise NotRotatable(
                    "version-empty",
                    f"{name} (version {version}) has no value.",
                    "createSecret has not stored one: see its error; the next try starts with it.",
                ) from None
        return _parsed(answer, name)

    def read_other(self, secret_id: str) -> tuple[str, Secret]:
        """AWSCURRENT of another secret: (the ARN that the service answers, the value)."""
        with _translated("GetSecretValue", secret_id):
            answer = _read(lambda: self._client.get_secret_value(SecretId=secret_id))
        return answer["ARN"], _parsed(answer, f"AWSCURRENT of {answer['ARN']}")

    def unlabelled(self, secret: Description) -> list[str]:
        """The ids of the versions without a staging label, newest first."""
        found: list[tuple[dt.datetime, str]] = []
        request: ListSecretVersionIdsRequestTypeDef = {"SecretId": secret.arn, "IncludeDeprecated": True}
        while True:
            with _translated("ListSecretVersionIds", secret.arn):
                page = _read(lambda: self._client.list_secret_version_ids(**request))
            entries = page.get("Versions", [])
            found += [(one["CreatedDate"], one["VersionId"]) for one in entries if not one.get("VersionStages")]
            if not page.get("NextToken"):
                return [version for _, version in sorted(found, reverse=True)]
            request["NextToken"] = page["NextToken"]

    def stage(self, event: Event, pending: Secret) -> bool:
        """Put the value under the event's token as AWSPENDING. False where another one is there, which stays: G5 will judge it."""
        token = {"RotationToken": event.rotation_token} if event.rotation_token else {}
        with _translated("PutSecretValue", event.secret_id):
            try:
                self._client.put_secret_value(
                    SecretId=event.secret_id,
                    ClientRequestToken=event.token,
                    SecretString=pending.to_json(),
                    VersionStages=["AWSPENDING"],
                    **token,
                )
            except self._client.exceptions.ResourceExistsException:
                return False
        return True

    def unstage(self, secret: Description, token: str) -> None:
        """Take AWSPENDING off the token's version: this rotation is over, a new one may start."""
        with _translated("UpdateSecretVersionStage", secret.arn):
            self._client.update_secret_version_stage(
                SecretId=secret.arn, VersionStage="AWSPENDING", RemoveFromVersionId=token
            )

    def promote(self, secret: Description, token: str) -> None:
        """Move AWSCURRENT to the token's version; the service moves AWSPREVIOUS by itself."""
        current = secret.version("AWSCURRENT")
        moved_from = {"RemoveFromVersionId": current} if current else {}
        with _translated("UpdateSecretVersionStage", secret.arn):
            self._client.update_secret_version_stage(
                SecretId=secret.arn,
                VersionStage="AWSCURRENT",
                MoveToVersionId=token,
                **moved_from,
            )


def _read(call: Callable[[], T]) -> T:
    """A read, in bounded time. Writes come after a read that came through; boto's own time-outs end them."""
    return bounded(call, clock.at_most(READ_SECONDS))


def _parsed(answer: "GetSecretValueResponseTypeDef", name: str) -> Secret:
    if "SecretString" not in answer:
        raise MalformedSecret("secret-not-json", f"The value of {name} is binary.", "Store it as a JSON SecretString.")
    return parse_secret(answer["SecretString"], name, answer["ARN"], answer["CreatedDate"].timestamp())


@contextmanager
def _translated(action: str, secret_id: str) -> Iterator[None]:
    """boto's errors in our words: a ParamValidationError prints SecretString, and others what they were sent."""
    try:
        yield
    except ClientError as error:
        answered = error.response.get("Error", {}).get("Code", "Unknown")
        code, fix = _FIXES.get(answered, _OTHER)
        raise StoreError(code, f"Secrets Manager answered {answered} to {action} for {secret_id}.", fix) from None
    except ParamValidationError:
        raise StoreError(
            "store-refused",
            f"{action} for {secret_id} was not sent: the event's ids or the value are not what Secrets Manager takes.",
            "Invoke this function from Secrets Manager, or with a payload from events/.",
        ) from None
    except (BotoCoreError, TimeoutError) as error:
        raise StoreError(
            "store-unavailable",
            f"{action} for {secret_id} got no answer from Secrets Manager ({type(error).__name__}).",
            "In a VPC the function needs a route to Secrets Manager: an interface endpoint in its subnets that admits "
            "its security group, or a NAT gateway.",
        ) from None
