"""A user's accounts, as the admin sees them: one for each host, with what each holds; and how they are all changed."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from common import clock
from common.errors import ChangeForbidden, ChangeRefused
from rotators.mysql import passwords
from rotators.mysql.errors import UNKNOWN_VARIABLE
from rotators.mysql.grants import POWERS, Right, parse_grants
from rotators.mysql.options import Options, parse_options
from rotators.mysql.session import Session


@dataclass(frozen=True)
class Held:
    """One account of a user: the host that it is for, its rights, its options."""

    user: str
    host: str
    rights: frozenset[Right]
    options: Options


def read_accounts(session: Session, user: str) -> list[Held]:
    """Every account of this user, one a host."""
    found = f"SELECT Host FROM mysql.user WHERE User = {session.text(user)} AND Host <> '' ORDER BY Host"  # noqa: S608
    with granted(session, "read what accounts there are", "GRANT SELECT ON mysql.* TO {admin}"):
        # Else a hash of any bytes stands in the middle of the text.
        session.attempt("SET SESSION print_identified_with_as_hex = 1", UNKNOWN_VARIABLE)
        return [_read(session, user, host) for (host,) in session.run(found)]


def _read(session: Session, user: str, host: str) -> Held:
    name = named(session, user, host)
    rights = parse_grants(row for (row,) in session.run(f"SHOW GRANTS FOR {name}"))
    ((made,),) = session.run(f"SHOW CREATE USER {name}")
    return Held(user, host, rights, parse_options(made, mariadb=session.is_mariadb))


def reset(session: Session, user: str, password: str, proven: str | None) -> None:
    """Set the password of all the user's accounts; W5.

    proven: the host of the account that somebody with its password has logged in as; None where the tag
    rotation:reconcile names the user (W6)
    """
    accounts = read_accounts(session, user)
    require_powerless(session, user, accounts)
    if not accounts:
        raise ChangeRefused("user-missing", f"There is no user {user!r}.", "Create it, or correct 'username'.")
    for own in [held for held in accounts if held.host == proven]:
        _require_no_more_elsewhere(session, own, accounts)
    # Last the one by which a retry finds out how far it came: MariaDB changes one after the other.
    names = [named(session, user, held.host) for held in sorted(accounts, key=lambda held: held.host == proven)]
    change_passwords(session, user, names, password)


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


def _require_no_more_elsewhere(session: Session, own: Held, accounts: list[Held]) -> None:
    """W5: no account for another host holds what the one lacks that somebody has logged in as."""
    for held in accounts:
        if more := sorted(held.rights - own.rights):
            commands = [right.revoke(named(session, held.user, held.host)) for right in more]
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
