"""Whose credentials a step acts with: the function's own, or a role's in the account that the secret is of.

The account in the event's ARN, which Secrets Manager wrote, chooses; which accounts there are and what the role is
called is said at deployment. Nothing in a secret or its tags has a say.
"""

import os
from collections.abc import Callable
from typing import Any, TypeAlias

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from common import clock, redaction
from common.bounded import bounded
from common.errors import BadSetting, StoreError

# The name of one of AWS's services → boto's client of it, with the right credentials.
Api: TypeAlias = Callable[[str], Any]

ASSUME_SECONDS = 12.0
SHORTEST_SESSION = 900  # seconds, the least that STS gives; a step takes 120 at most


def own_api(service: str) -> Any:
    """A client with the function's own credentials."""
    return _client(boto3.client, service)


def api_for(secret_id: str, function_name: str) -> Api | None:
    """Clients for the account of this secret (an ARN); None where the function acts with its own credentials.

    Those of TRUSTED_ACCOUNTS are acted for in the role TRUSTED_ROLE of that account. A secret of any other is left to
    the function's own role, which template.yaml limits to its own account.

    function_name: what the account's CloudTrail calls the session
    """
    partition, account = _partition_and_account(secret_id)
    if account not in os.environ.get("TRUSTED_ACCOUNTS", "").replace(",", " ").split():
        return None
    role = os.environ.get("TRUSTED_ROLE", "")
    if not role:
        raise BadSetting(
            "setting-invalid",
            "The environment variable TRUSTED_ROLE is not the name of a role.",
            "Name the role that this function assumes in each of TRUSTED_ACCOUNTS.",
        )
    session = _assumed(f"arn:{partition}:iam::{account}:role/{role}", function_name)
    return lambda service: _client(session.client, service)


def _partition_and_account(arn: str) -> tuple[str, str]:
    fields = arn.split(":", 5)
    return (fields[1], fields[4]) if len(fields) == 6 else ("", "")  # noqa: PLR2004  arn:partition:service:region:account:rest


def _assumed(role: str, function_name: str) -> boto3.Session:
    sts = own_api("sts")
    try:
        answer = bounded(
            lambda: sts.assume_role(RoleArn=role, RoleSessionName=function_name[:64], DurationSeconds=SHORTEST_SESSION),
            clock.at_most(ASSUME_SECONDS),
        )
    except ClientError as error:
        raise StoreError(
            "account-denied",
            f"STS answered {error.response.get('Error', {}).get('Code', 'Unknown')} to AssumeRole for {role}.",
            "In that account there must be this role, which trusts the function's role (docs/examples/secrets-account.yaml "
            "makes it); here the function's role must be allowed to assume it (TrustedAccounts, TrustedRole).",
        ) from None
    except (BotoCoreError, TimeoutError) as error:
        raise StoreError(
            "store-unavailable",
            f"AssumeRole for {role} got no answer from STS ({type(error).__name__}).",
            "In a VPC the function needs a route to STS: an interface endpoint in its subnets that admits its security "
            "group, or a NAT gateway.",
        ) from None
    given = answer["Credentials"]
    redaction.learn([given["SecretAccessKey"], given["SessionToken"]])
    return boto3.Session(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])


def _client(make: Callable[..., Any], service: str) -> Any:
    """boto's client: its standard retries, 5 s to connect and to answer, AWS's own environment names."""
    own_endpoint = os.environ.get("SECRETS_MANAGER_ENDPOINT") if service == "secretsmanager" else None
    config = Config(
        connect_timeout=5,
        read_timeout=5,
        retries={"mode": "standard", "total_max_attempts": 3},
        user_agent_extra="keyturn",
    )
    try:
        return make(service, endpoint_url=own_endpoint or None, config=config)
    except ValueError:
        if not own_endpoint:
            raise
        raise BadSetting(
            "setting-invalid",
            "The environment variable SECRETS_MANAGER_ENDPOINT is not a URL.",
            "Correct or remove it.",
        ) from None
