"""PyMongo's exceptions in our words: the one place that reads the server's error codes. Its texts are never read.

Codes: MongoDB's "Error Codes" (src/mongo/base/error_codes.yml); DocumentDB answers with the same ones.
"""

from collections.abc import Mapping

from pymongo.errors import ConfigurationError, OperationFailure, PyMongoError

from common.errors import (
    ChangeForbidden,
    ChangeRefused,
    LoginRejected,
    PolicyRefused,
    TargetError,
    TargetUnavailable,
)
from common.secret import Account
from rotators.documentdb.diagnosis import no_connection

REJECTED = 18  # AuthenticationFailed
_OTHER_METHOD = 334  # MechanismUnavailable
_FORBIDDEN = {13, 8000}  # Unauthorized; AtlasError
_NOT_PRIMARY = {10107, 13435, 10058, 11602, 13436}
_MADE_MEANWHILE = {51003, 1}  # by another delivery: MongoDB's code; 1, InternalError, is FerretDB's for it
_INTERRUPTED = _MADE_MEANWHILE | {6, 7, 50, 89, 91, 189, 202, 262, 9001, 11600, 112, 24, 46, 225}
_BAD_VALUE = 2

# What PyMongo raises beside its own errors, where an answer is none that a server of this kind gives.
ODD = (LookupError, ValueError, TypeError, AttributeError, AssertionError, ArithmeticError)


def login_error(error: PyMongoError, noted: list[Exception], account: Account, *, by_tls: bool) -> TargetError:
    """What a failed connect or login means. noted: what the driver's monitor has met with."""
    if isinstance(error, OperationFailure):
        return _refused(error.code, account)
    if isinstance(error, ConfigurationError):
        return TargetError(
            "target-unsupported",
            f"{account.host}:{account.port} speaks an older protocol than the driver does; no password was sent.",
            "The driver asks for MongoDB 3.6 or DocumentDB 3.6, and later.",
        )
    return no_connection([error, *noted], account, by_tls=by_tls)


def _refused(code: int | None, account: Account) -> TargetError:
    """The server has answered the login, or (no code) the driver does not believe its answer."""
    if code == REJECTED:
        return LoginRejected(
            "login-rejected",
            f"The server refuses the password of {account}.",
            "See which version of the secret was tried.",
        )
    if code in (None, _OTHER_METHOD):
        return unfinished(account)
    return TargetUnavailable(
        "target-refuses",
        f"The server turns {account} away, and does not say that its password is wrong (code {code}).",
        "MongoDB's list of error codes says what it means; the server's log has more.",
    )


def unfinished(account: Account) -> TargetError:
    """SCRAM cannot be done: not by the server, or not with this password."""
    return TargetError(
        "login-method",
        f"The server does not log {account} in by SCRAM as it is meant to be; no password was sent.",
        "A user of IAM (MONGODB-AWS), X.509 or LDAP has no password to rotate. Else: a password with control characters, "
        "or a server that does not know it, and so is not the one that it claims to be.",
    )


def _code(error: PyMongoError) -> int | None:
    """The server's code, where it has answered."""
    details = getattr(error, "details", None)  # of NotPrimaryError too, which is no OperationFailure
    return details.get("code") if isinstance(details, Mapping) else None


def command_error(error: PyMongoError, account: Account, *, sets_password: bool) -> TargetError:
    """What a failed command means. sets_password: whether a password was part of it."""
    code = _code(error)
    if code in _NOT_PRIMARY:
        return ChangeRefused(
            "target-read-only",
            f"{account.host}:{account.port} is read-only: a replica.",
            "Put the cluster's (the primary's) endpoint into the secret's 'host'.",
        )
    if code in _FORBIDDEN:
        return ChangeForbidden(
            "change-forbidden",
            f"The server does not let {account} do this (code {code}).",
            "Grant it changeOwnPassword, or name an admin's secret by 'masterarn'.",
        )
    if code == _BAD_VALUE and sets_password:
        return PolicyRefused(
            "password-refused",
            f"The server refuses the new password, as {account} sets it (code {code}).",
            'DocumentDB takes 8 to 100 printable ASCII characters without / " and @: adjust the tags '
            "rotation:password-length or rotation:password-profile.",
        )
    if code is None or code in _INTERRUPTED:
        return TargetUnavailable(
            "target-interrupted",
            f"The server broke off a command of {account} (code {code or 'none: connection lost'}).",
            "It is tried again. If it stays: look for failovers and restarts in the server's log at this time.",
        )
    return ChangeRefused(
        "change-refused",
        f"The server refuses a command of {account} (code {code}).",
        "MongoDB's list of error codes says what it means; the server's log has the command.",
    )
