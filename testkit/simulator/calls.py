"""A request as boto signs and sends it: what is called, by whose credentials; and whom another account's secret is refused."""

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from moto.iam.models import get_account_id_from

ACCOUNT, REGION = "123456789012", "eu-west-1"


@dataclass(frozen=True)
class Call:
    """One request that came over the wire. parameters may hold secret values: keep it out of logs.

    account: whose credentials signed it. service: as it is called in the signature, such as "secretsmanager"
    """

    operation: str
    user_agent: str
    parameters: Mapping[str, Any] = field(repr=False)
    account: str = ACCOUNT
    service: str = "secretsmanager"


_SIGNATURE = re.compile(r"Credential=(\w+)/\d+/[\w-]+/([\w-]+)/")


def call_of(environ: Mapping[str, Any], body: bytes) -> Call:
    """A request as boto signs it, of a service that speaks JSON or the query protocol."""
    signed = _SIGNATURE.search(environ.get("HTTP_AUTHORIZATION", ""))
    key, service = signed.groups() if signed else ("", "")
    agent, account = environ.get("HTTP_USER_AGENT", ""), get_account_id_from(key)
    parameters: dict[str, Any] = {}
    if target := environ.get("HTTP_X_AMZ_TARGET"):
        with suppress(ValueError):
            parameters = json.loads(body)
        return Call(target.rpartition(".")[2], agent, parameters, account, service or target.partition(".")[0])
    parameters = {name: values[0] for name, values in parse_qs(body.decode(errors="replace")).items()}
    return Call(parameters.pop("Action", ""), agent, parameters, account, service)


def account_of(parameters: Mapping[str, Any]) -> str | None:
    """The account of the secret that is asked for by its ARN; None where it is asked for by name, in the caller's own."""
    parts = str(parameters.get("SecretId")).split(":")
    return parts[4] if len(parts) == 7 else None


def denied(call: Call, start_response: Callable[..., Any]) -> list[bytes]:
    """What another account's caller is answered, as no secret here has a policy that lets him in."""
    message = f"User in {call.account} is not authorized to perform: secretsmanager:{call.operation}"
    start_response("400 Bad Request", [("Content-Type", "application/x-amz-json-1.1")])
    return [json.dumps({"__type": "AccessDeniedException", "Message": message}).encode()]
