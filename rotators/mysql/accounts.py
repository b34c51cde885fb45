"""A user's accounts, as the admin sees them: one for each host, with what each holds; and how they are all changed."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from common import clock
from common.errors import ChangeForbidden, ChangeRefused, TargetError
from rotators.mysql import passwords
from rotators.mysql.errors import UNKNOWN_VARIABLE, method_refused
from rotators.mysql.grants import POWERS, Right, beyond, parse_grants
from rotators.mysql.options import Options, parse_options
from rotators.mysql.session import Session

PLUGINS = ("caching_sha2_password", "sha256_password", "mysql_native_password")


@dataclass(frozen=True)
class Held:
    """One account of a user: the host that it is for, its rights, its options."""

    user: str
    host: str
    rights: frozenset[Right]
    options: Options


def read_accounts(session: Session, user: str) -> list[Held]:
    """Every account of this user, one a host."""
    roles = " AND is_role = 'N'" if session.is_mariadb else ""
    found = f"SELECT User, Host FROM mysql.user WHERE User = {session.text(user)}{roles} ORDER BY Host"  # noqa: S608
    with granted(session, "read what accounts there are", "GRANT SELECT ON mysql.* TO {admin}"):
        # Else a hash of any bytes stands in the middle of the text.
        session.attempt("SET SESSION print_identified_with_as_hex = 1", UNKNOWN_VARIABLE)
        return [_read(session, user, host) for name, host in session.run(found) if name == user]


def _read(session: Session, user: str, host: str) -> Held:
    name = named(session, user, host)
    _require_readable(session, name, user, host)
    rights = parse_grants(row for (row,) in session.run(f"SHOW GRANTS FOR {name}"))
    made = session.run(f"SHOW CREATE USER {name}")  # MariaDB has a second row where the password has expired
    return Held(user, host, rights, parse_options(made[0][0], mariadb=session.is_mariadb))


def _require_readable(session: Session, name: str, user: str, host: str) -> None:
    """MySQL prints what REQUIRE demands of a certificate as it is: a quote in it would end the text."""
    where = f"User = {session.text(user)} AND Host = {session.text(host)}"
    rows = session.run(f"SELECT x509_subject, x509_issuer, ssl_cipher FROM mysql.user WHERE {where}")  # noqa: S608
    demanded = [one if isinstance(one, bytes) else str(one).encode() for row in rows for one in row]
    if any(sign in one for one in demanded for sign in (b"'", b"\\")):
        raise TargetError(
            "user-unreadable",
            f"What {name} REQUIREs of a client's certificate holds a quote or a backslash, which SHOW CREATE USER does not escape.",
            f"ALTER USER {name} REQUIRE X509, or a subject and issuer without them; or rotate it without an admin.",
        )


def reset(session: Session, user: str, password: str, proven: str | None) -> None:
    """Set the password of all the user's accounts; W5.

    proven: the host of the account that somebody with its password has logged in as; None where the tag
    rotation:reconcile names the user (W6)
    """
    accounts = read_accounts(session, user)
    require_powerless(session, user, accounts)
    if not accounts:
        raise ChangeRefused("user-missing", f"There is no user {user!r}.", "Create it, or correct 'username'.")
    require_password_logins(accounts)
    if proven is not None:
        require_no_more_elsewhere(session, own_account(user, accounts, proven), accounts)
    # Last the one by which a retry finds out how far it came: MariaDB changes one after the other.
    names = [named(session, user, held.host) for held in sorted(accounts, key=lambda held: held.host == proven)]
    change_passwords(session, user, names, password)


def require_password_logins(accounts: list[Held]) -> None:
    """Each account logs in by a password that we can set, and may log in: another method would be lost, a lock opened."""
    for held in accounts:
        if held.options.plugin not in PLUGINS:
            raise method_refused(f"the account {held.user!r} for the host {held.host!r}")
        if held.options.locked:
            raise TargetError(
                "account-locked",
                f"The account {held.user!r} for the host {held.host!r} is locked on the server.",
                "ALTER USER … ACCOUNT UNLOCK, or drop it: a rotation does not open what somebody has locked.",
            )


def is_a_role(session: Session, user: str) -> bool:
    """MySQL keeps roles as accounts: whether one of this name is granted to anybody."""
    if session.is_mariadb:
        return False
    found = f"SELECT 1 FROM mysql.role_edges WHERE FROM_USER = {session.text(user)} LIMIT 1"  # noqa: S608
    return bool(session.run(found))


def own_account(user: str, accounts: list[Held], host: str) -> Held:
    """The account of this host, which has logged in."""
    for held in accounts:
        if held.host == host:
            return held
    raise ChangeRefused(
        "user-missing",
        f"{user!r} has logged in by an account for the host {host!r}, which is not there any more.",
        "Rotate again; if it stays, compare SELECT User, Host FROM mysql.user with what CURRENT_USER() says.",
    )


def change_passwords(session: Session, user: str, names: list[str], password: str, suffix: str = "") -> None:
    """One statement for all these accounts."""
    clock.before_change()
    with granted(session, f"change the password of {user!r}", "GRANT CREATE USER ON *.* TO {admin}"):
        passwords.set_all(session, names, password, suffix)


def require_powerless(session: Session, user: str, accounts: list[Held]) -> None:
    """W5: an admin changes neither itself nor a user with powers."""
    if user == session.user:
        raise ChangeRefused(
            "admin-is-the-user",
            f"The secret's user {user!r} is the admin itself.",
            "Rotate the admin by a secret of its own.",
        )
    for right in [right for held in accounts for right in held.rights]:
        if right.on == "*.*" and right.privilege in POWERS and not right.restricted:
            raise ChangeRefused(
                "user-is-superuser",
                f"{user!r} holds {right.privilege}: an admin does not change it for a secret.",
                "Rotate it by itself, with the strategy single-user and without an admin.",
            )


def require_no_more_elsewhere(session: Session, own: Held, accounts: list[Held]) -> None:
    """W5: no account for another host holds what the one lacks that somebody has logged in as."""
    for held in accounts:
        if more := beyond(held.rights, own.rights):
            commands = [right.less(named(session, held.user, held.host)) for right in more]
            raise ChangeRefused(
                "account-holds-more",
                f"{own.user!r} for the host {held.host!r} holds what it does not for {own.host!r}, where it has logged "
                "in: the secret's password would give more than it gave before. Nothing was changed.",
                f"Grant it for {own.host!r} too, or revoke it: {'; '.join(commands)};",
            )


def named(session: Session, user: str, host: str) -> str:
    """An account in a statement."""
    return f"{session.text(user)}@{session.text(host)}"


@contextmanager
def granted(session: Session, what: str, remedy: str) -> Iterator[None]:
    """Where the admin may not, the error says what, and the command that lets it."""
    try:
        yield
    except ChangeForbidden:
        raise ChangeRefused(
            "admin-lacks-right",
            f"The admin {session.user!r} may not {what}.",
            f"Let whoever may, run: {remedy.replace('{admin}', session.grantee)};",
        ) from None
