"""What a service's answers mean, in our words: the one place that reads their statuses, and http.client's exceptions."""

import ssl

from common import network, tls
from common.errors import (
    ChangeRefused,
    LimitReached,
    LoginRejected,
    PolicyRefused,
    TargetError,
    TargetUnavailable,
)
from common.secret import Account

_UNAVAILABLE = {408, 425, 429, *range(500, 600)}
_DEFAULTS = {"rejected": (401,), "gone": (404,)}
_REDIRECTS = range(300, 400)
_FORBIDDEN = 403


class Gone(Exception):
    """There is no such key any more."""


def status_error(  # noqa: PLR0911  one for each meaning
    status: int, operation: str, says: dict[str, tuple[int, ...]], account: Account
) -> Exception | None:
    """What a status means, by the provider's lists first; None where it is done.

    says: {what it means: statuses}, of "rejected", "gone", "limit", "policy", "unavailable"
    """
    where = f"{account.host}:{account.port} answers {status} to {operation}"
    lists = {**_DEFAULTS, **says}
    if status in lists.get("limit", ()):
        return limit_reached(account)
    if operation == "revoke" and status in lists["gone"]:
        return Gone()
    if status in lists["rejected"]:
        return rejected(account)
    if status in lists.get("policy", ()):
        return PolicyRefused(
            "password-refused",
            f"{where}: its policy refuses the new value.",
            "Adjust the tags rotation:password-length and rotation:password-profile, or the provider file's `value`.",
        )
    if status in _UNAVAILABLE or status in lists.get("unavailable", ()):
        return TargetUnavailable(
            "service-unavailable",
            f"{where}.",
            "It is tried again. 429 is a limit on requests: rotate fewer secrets of one account at once.",
        )
    if status in _REDIRECTS:
        return TargetError(
            "service-redirects",
            f"{where}: it names another URL, which is not followed, as a key would go there.",
            "Correct the path in the provider file, or the host in the secret.",
        )
    if status == _FORBIDDEN:
        # Never ChangeForbidden, which would let an admin act for an account that nobody has proven (W7).
        return ChangeRefused(
            "service-forbids",
            f"{where}: the key is known, and may not do this.",
            "Give the key (the admin's, where the provider file has one) the right to do what the provider file says.",
        )
    if status >= 400:  # noqa: PLR2004  HTTP's client errors
        return ChangeRefused(
            "service-refuses",
            f"{where}.",
            "See the service's log and its documentation of this status; then correct the provider file or the secret.",
        )
    if status < 200:  # noqa: PLR2004  an answer that only announces another: http.client reads no further
        return not_json(operation, account)
    return None


def rejected(account: Account) -> LoginRejected:
    """Not this key."""
    return LoginRejected(
        "login-rejected",
        f"The service refuses the key of {account}.",
        "If it is AWSCURRENT's: issue a key by hand and store it by PutSecretValue, then rotate again (docs/runbook.md).",
    )


def limit_reached(account: Account) -> LimitReached:
    """No key more."""
    return LimitReached(
        "key-limit",
        f"The account of {account} has as many keys as {account.host} allows, and none of them may be revoked.",
        "Revoke one that nobody uses at the service, then rotate again; an earlier rotation's own is swept by the next one.",
    )


def not_json(operation: str, account: Account) -> TargetError:
    """Something else answered, or the provider file expects another answer."""
    return TargetError(
        "answer-unreadable",
        f"{account.host}:{account.port} answers {operation} with something that is not what the provider file reads.",
        "Look for a proxy or a maintenance page in between; compare the answer with the provider file's JMESPath.",
    )


def too_large(operation: str, account: Account) -> TargetError:
    """No list of keys is so long."""
    return TargetError(
        "answer-too-large",
        f"{account.host}:{account.port} answers {operation} with more than 1 MB.",
        "Look for a proxy in between; have the provider file ask for less.",
    )


def transport_error(error: BaseException, account: Account) -> TargetError:
    """What a failed request means, by the kind of its exception, never by its text."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return tls.wrong_name(account) if tls.is_wrong_name(error) else tls.untrusted(account)
    if isinstance(error, ssl.SSLError):
        return tls.failed(account)
    if isinstance(error, TimeoutError):
        return network.silent(account)
    if isinstance(error, ConnectionRefusedError):
        return network.unreachable(account)
    return TargetUnavailable(
        "answer-lost",
        f"{account.host}:{account.port} ended the connection without an answer: whether it did what was asked is not known.",
        "It is tried again; a key that was issued and never stored is revoked by the next finishSecret.",
    )
