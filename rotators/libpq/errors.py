"""psycopg2's exceptions in our words: the one place that reads libpq's and the server's texts.

A failed connect has no SQLSTATE (libpq keeps it to itself), so its text is all there is. It is matched, never quoted.
Texts: PostgreSQL's src/backend/libpq/auth.c, utils/init/postinit.c; libpq's fe-connect.c, fe-secure-openssl.c.
"""

import re
from collections.abc import Callable

import psycopg2

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

_RULES: tuple[tuple[tuple[str, ...], Callable[[Account], TargetError]], ...] = (
    (
        ("password authentication failed", "SASL authentication failed", "no credentials for the role"),
        lambda account: LoginRejected(
            "login-rejected",
            f"The server refuses the password of {account}.",
            "See which version of the secret was tried.",
        ),
    ),
    (
        ("is not permitted to log in",),
        lambda account: LoginRejected(
            "login-forbidden", f"The role {account} may not log in.", "ALTER ROLE … LOGIN, or correct 'username'."
        ),
    ),
    (
        ("root certificate file", "root certificates"),
        tls.ca_unreadable,
    ),
    (
        ("server does not support SSL",),
        tls.refused,
    ),
    (
        ("does not match host name",),
        tls.wrong_name,
    ),
    (
        ("certificate verify failed", "unable to get local issuer"),
        tls.untrusted,
    ),
    (
        ("no encryption", "SSL off"),  # PostgreSQL from 14 on; before, and Redshift
        tls.required,
    ),
    (
        ("no pg_hba.conf entry", "pg_hba.conf rejects", "requires a valid client certificate"),
        lambda account: TargetError(
            "login-not-admitted",
            f"The server's pg_hba.conf does not admit {account} from the function's address.",
            "PostgreSQL: add an entry for this user, database and address, by scram-sha-256 over TLS.",
        ),
    ),
    (
        ("authentication method", "server did not complete authentication", "incorrect server signature"),
        lambda account: TargetError(
            "login-method",
            f"The server wants {account} to log in by another method than SCRAM or MD5; no password was sent.",
            "PostgreSQL: let pg_hba.conf ask for scram-sha-256; a member of rds_iam has no password to rotate. Redshift: set the "
            "user's password once as an md5 hash, as its page says; a user of IAM has none.",
        ),
    ),
    (
        ("does not exist",),  # database "…" does not exist; a role that does not is "authentication failed"
        lambda account: TargetError(
            "database-missing",
            f"{account} logs in, but the secret's database does not exist there.",
            "Correct 'dbname'; without it, it is postgres on PostgreSQL, dev on Redshift.",
        ),
    ),
    (
        ("permission denied for database", "not currently accepting connections"),
        lambda account: TargetError(
            "database-forbidden",
            f"{account} may not connect to the secret's database.",
            "GRANT CONNECT ON DATABASE … to the user, or correct 'dbname'.",
        ),
    ),
    (
        ("too many", "remaining connection slots", "connection limit", "the database system is"),
        lambda account: TargetUnavailable(
            "target-busy",
            f"{account.host}:{account.port} takes no connection for {account.user!r} at the moment.",
            "The server is starting, stopping or full: free connections, or raise the limit of the server or role.",
        ),
    ),
    (
        ("Connection refused", "No route to host", "is unreachable"),
        network.unreachable,
    ),
)


def connect_error(error: psycopg2.Error, account: Account) -> TargetError:
    """What a failed connect means."""
    text = _without_names(str(error))
    for texts, make in _RULES:
        if any(part in text for part in texts):
            return make(account)
    if "FATAL:" in str(error):
        # The server has answered, in words that we do not know (another language, a pooler). To go on to the next
        # credential is safe, as only a login that succeeds acts; to stop here would lock out what S2 to S4 recover.
        return LoginRejected(
            "login-refused",
            f"The server refuses {account}, in words that are not PostgreSQL's English ones.",
            "See the server's (or the pooler's) log at this time. If the password is right, what it says is the cause.",
        )
    return tls.failed(account) if "SSL error" in text else network.closed(account)


def _without_names(text: str) -> str:
    """The text without the names that the server quotes: a database may be called "password authentication failed"."""
    client, fatal, server = text.partition("FATAL:")
    return re.sub('".*"', "", server, flags=re.DOTALL) if fatal else client


# SQLSTATE: PostgreSQL's manual, appendix A.
_UNAVAILABLE = ("08", "40", "53", "57", "58")  # connection, resources, operator intervention, system
_POLICY = "22023"  # invalid_parameter_value: what passwordcheck raises
_FORBIDDEN = "42501"  # insufficient_privilege
_LOCKED = "55P03"
_DEPENDED_ON = "2BP01"  # dependent_objects_still_exist
_READ_ONLY = "25006"


# Two deliveries at once: "tuple concurrently updated", a role that the other one has just made.
_MEANWHILE = {
    _LOCKED: "waited for a lock",
    "XX000": "changed meanwhile",
    "42710": "made meanwhile",
    "23505": "made meanwhile",
}


def statement_error(error: psycopg2.Error, account: Account) -> TargetError:
    """What a failed statement means; its text may hold the statement, so only its SQLSTATE is read."""
    state = error.pgcode
    if state == _READ_ONLY:
        return ChangeRefused(
            "target-read-only",
            f"{account.host}:{account.port} is read-only: a replica.",
            "Put the primary's (writer's) endpoint into the secret's 'host'.",
        )
    if state == _POLICY:
        return PolicyRefused(
            "password-refused",
            f"The server's password policy refuses the new password of {account}.",
            "Adjust the tag rotation:password-length or rotation:password-profile to the server's policy.",
        )
    if state is None or state.startswith(_UNAVAILABLE) or state in _MEANWHILE:
        return TargetUnavailable(
            "target-interrupted",
            f"The server broke off a statement of {account} (SQLSTATE {state or 'none'}: {_meaning(state)}).",
            "It is tried again. If it stays: look for locks and restarts in the server's log at this time.",
        )
    if state == _FORBIDDEN:
        return ChangeForbidden(
            "change-forbidden",
            f"The server does not let {account} do this (SQLSTATE {state}).",
            "PostgreSQL on RDS: with rds.restrict_password_commands a role needs membership in rds_password to change its password. Or name "
            "an admin's secret by 'masterarn'.",
        )
    if state == _DEPENDED_ON:
        return ChangeRefused(
            "grants-depend",
            f"What is to be taken has been granted on by its holder, so {account} cannot take it.",
            "REVOKE first what the holder has granted to others (SHOW GRANTS, or the views of privileges, name them), then rotate.",
        )
    return ChangeRefused(
        "change-refused",
        f"The server refuses a statement of {account} (SQLSTATE {state}).",
        "PostgreSQL's manual, appendix A, says what the SQLSTATE means (Redshift's are the same); the server's log has the statement.",
    )


def _meaning(state: str | None) -> str:
    if state is None:
        return "connection lost"
    return "timed out" if state == "57014" else _MEANWHILE.get(state, "unavailable")
