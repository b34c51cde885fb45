"""The admin that a secret names: which one it may be (W1), and at which server it acts (W2).

A secret's value is written by people whom we do not trust, and it names the admin secret. So the deployment says which
admin secrets there are, the admin logs in where its *own* secret says, and the secret must be of that very server.
"""

import os
from collections.abc import Mapping
from fnmatch import fnmatchcase

from common import endpoints
from common.accounts import Api
from common.errors import MalformedSecret, NotRotatable
from common.guard import Description
from common.secret import Account, Secret
from common.store import Store

MANAGED = {"username", "password"}  # the fields of an admin secret that RDS or Redshift manages


def read_admin(store: Store, secret: Description, current: Secret) -> Secret:
    """The value of the admin secret that current names; W1. A managed one gets its server from AWS's API."""
    named = current.admin
    if named is None:
        raise MalformedSecret(
            "secret-field-missing",
            f"The field 'masterarn' of {current.name} is missing.",
            "Add the ARN of the admin's secret, or choose another strategy by the tag rotation:strategy.",
        )
    allowed = os.environ.get("ADMIN_SECRETS", "").replace(",", " ").split()
    if not allowed:
        raise NotRotatable(
            "admin-not-allowed",
            f"{current.name} names an admin secret, and this function has no ADMIN_SECRETS.",
            "Set ADMIN_SECRETS to the ARNs (or patterns) of the admin secrets that this function may use.",
        )
    arn, admin = store.read_other(named)
    if arn == secret.arn or arn.split(":")[4] != secret.account_id or not any(fnmatchcase(arn, one) for one in allowed):
        raise NotRotatable(
            "admin-not-allowed",
            f"{current.name} names the admin secret {arn}, which is not one that ADMIN_SECRETS allows for it.",
            "If it is right, add its ARN to ADMIN_SECRETS; else correct 'masterarn'. It is never the secret itself, "
            "nor one of another account than the secret's.",
        )
    # What has no engine is no database: there a provider's file may say where an admin's key goes.
    if set(admin) == MANAGED and "engine" in current:
        return endpoints.managed_server(store.api, admin, store.describe(arn))
    return admin


def require_same_server(api: Api, current: Secret, ours: Account, its: Account, tags: Mapping[str, str]) -> None:
    """W2: the engine and port of current's account (ours) are the admin's, and its host is the admin's under whatever name."""
    if (ours.server_kind, ours.port) == (its.server_kind, its.port):
        names = {its.host, tags.get("rotation:host", its.host).lower().removesuffix(".")}
        if ours.host in names or endpoints.are_one_server(api, its.host, ours.host):
            return
    raise NotRotatable(
        "admin-other-server",
        f"{current.name} is of {ours.host}:{ours.port}, its admin secret of {its.host}:{its.port} ({its.server_kind}).",
        "Nothing was sent. Correct 'host' or 'masterarn'. If both are names of one server, say so by the secret's tag "
        "rotation:host, or let the function's role list what RDS's or Redshift's API knows (template.yaml has the actions).",
    )
