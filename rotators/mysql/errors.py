"""PyMySQL's exceptions in our words: the one place that reads the server's error numbers. Its texts are never read.

Numbers: MySQL's and MariaDB's "Server Error Message Reference", and the client's (2000 and up).
"""

import ssl
import struct
from collections.abc import Callable

import pymysql

from common import network, tls
from common.errors import (
    ChangeForbidden,
    ChangeRefused,
    LoginRejected,
    PolicyRefused,
    TargetError,
    TargetUnavailable,
)
from common.secret import Account

# What PyMySQL raises. Beside its own errors, where an answer is none that a server of this kind gives: it takes one apart unasked.
# RuntimeError: it was asked for a local file
RAISED = (
    pymysql.MySQLError, OSError, RuntimeError, ValueError, LookupError, TypeError, AttributeError, AssertionError, NameError,
    struct.error,
)  # fmt: skip


def method_refused(account: object) -> TargetError:
    """The server asks for a method by which it would learn the password, or that we do not have."""
    return TargetError(
        "login-method",
        f"The server wants {account} to log in by another method than caching_sha2_password, sha256_password or "
        "mysql_native_password; no password was sent.",
        "ALTER USER … IDENTIFIED WITH caching_sha2_password (MariaDB: mysql_native_password); a user of IAM or of an "
        "external directory has no password to rotate.",
    )


_CONNECT: dict[tuple[int, ...], Callable[[Account], TargetError]] = {
    (1045, 1698, 4150): lambda account: LoginRejected(
        "login-rejected", f"The server refuses the password of {account}.", "See which version of the secret was tried."
    ),
    (3118, 3955, 4151): lambda account: TargetError(
        "account-locked",
        f"The account {account} is locked on the server.",
        "ALTER USER … ACCOUNT UNLOCK; where FAILED_LOGIN_ATTEMPTS locked it, find out who has tried.",
    ),
    (1820, 1862): lambda account: TargetError(
        "password-expired",
        f"The password of {account} has expired: the server lets it do nothing but change it.",
        "As an admin: ALTER USER … PASSWORD EXPIRE NEVER (rotation takes its place), then rotate again.",
    ),
    (1129, 1130): lambda account: TargetError(
        "login-not-admitted",
        f"The server does not admit {account} from the function's address, or has blocked that address.",
        "Make the user for the function's address ('user'@'host'), or FLUSH HOSTS where it is blocked.",
    ),
    (3159,): tls.required,
    (2026,): tls.refused,
    (1251, 1524, 2059): method_refused,
    (1040, 1053, 1203, 1226, 1927): lambda account: TargetUnavailable(
        "target-busy",
        f"{account.host}:{account.port} takes no connection for {account.user!r} at the moment.",
        "The server is stopping or full, or the user has used up a limit: free connections, or raise the limit.",
    ),
    (2002, 2003): network.unreachable,
    (2006, 2013, 2055): network.closed,
}


def connect_error(error: Exception, account: Account) -> TargetError:
    """What a failed connect means."""
    cause = getattr(error, "original_exception", error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        mismatch = 62, 64  # X509_V_ERR_HOSTNAME_MISMATCH, …_IP_ADDRESS_MISMATCH
        return tls.wrong_name(account) if cause.verify_code in mismatch else tls.untrusted(account)
    if isinstance(cause, ssl.SSLError):
        return tls.failed(account)
    if isinstance(cause, OSError):
        return _by_number(2013 if isinstance(cause, ConnectionResetError | BrokenPipeError) else 2002, account)
    return _by_number(number_of(error), account)


def _by_number(number: int, account: Account) -> TargetError:
    for numbers, make in _CONNECT.items():
        if number in numbers:
            return make(account)
    # Nothing is known of the password: with two of them, to go on to the next credential would replace the right one.
    return TargetUnavailable(
        "target-refuses",
        f"The server turns {account} away, and does not say that its password is wrong (error {number}).",
        "MySQL's or MariaDB's error reference says what the number means; the server's log has more.",
    )


CANNOT_USER = 1396  # MariaDB: of what it means, only SHOW WARNINGS tells
VOID = (1054, 1146, 1305, 1049)  # a column, table, routine or database that is gone, on which a right is still held
NOT_PRIMARY = 3891  # REPLACE names a password that is not the primary one
CURRENT_REQUIRED = 3892  # PASSWORD REQUIRE CURRENT
RETAIN_FORBIDDEN = 1227
UNKNOWN_VARIABLE = 1193
OPTION_PREVENTS = 1290  # MariaDB: --strict-password-validation, as a hash cannot be judged; or --read-only
_POLICY = {1819, 3638, 1372, 1827}
_FORBIDDEN = {1044, 1045, 1142, 1143, 1227, 1370, 1410}
_READ_ONLY = {1290, 1792, 1836}
# 1141, 1147, 1403: another delivery has revoked it meanwhile.
_UNAVAILABLE = {1141, 1147, 1403, 1205, 1213, 1317, 1969, 3024, 1053, 1927, 2006, 2013, 2055}


def statement_error(number: int, account: Account) -> TargetError:
    """What a failed statement means; its text may hold the statement, so only its number is read."""
    if number in _POLICY:
        which = "password history (or reuse interval)" if number == 3638 else "password policy"  # noqa: PLR2004
        return PolicyRefused(
            "password-refused",
            f"The server's {which} refuses the new password, as {account} sets it (error {number}).",
            "Adjust the tag rotation:password-length or rotation:password-profile to the server's policy.",
        )
    if number in _READ_ONLY:
        return ChangeRefused(
            "target-read-only",
            f"{account.host}:{account.port} is read-only: a replica.",
            "Put the primary's (writer's) endpoint into the secret's 'host'.",
        )
    if number in _UNAVAILABLE:
        return TargetUnavailable(
            "target-interrupted",
            f"The server broke off a statement of {account} (error {number}).",
            "It is tried again. If it stays: look for locks and restarts in the server's log at this time.",
        )
    if number in _FORBIDDEN:
        return ChangeForbidden(
            "change-forbidden",
            f"The server does not let {account} do this (error {number}).",
            "Name an admin's secret by 'masterarn', or grant what is missing.",
        )
    if number == 1820:  # noqa: PLR2004  only now does the server say so, where the client could have handled it
        return _by_number(number, account)
    return ChangeRefused(
        "change-refused",
        f"The server refuses a statement of {account} (error {number}).",
        "MySQL's or MariaDB's error reference says what the number means; the server's log has the statement.",
    )


def number_of(error: Exception) -> int:
    """The error's number; 2013, "lost connection", where the driver gives none."""
    number = error.args[0] if error.args and isinstance(error, pymysql.MySQLError) else None
    return number if isinstance(number, int) and number else 2013
