"""MySQL and MariaDB as a target: who logs in where, and how a user's password is changed."""

from typing import Literal

from common import clock
from common.errors import ChangeForbidden, DualRefused, NotPrimary
from common.password import PasswordPolicy
from common.secret import Account, Secret
from common.target import Pair, Proven
from rotators.mysql import accounts, passwords
from rotators.mysql.clone import Turn
from rotators.mysql.errors import CURRENT_REQUIRED, NOT_PRIMARY, RETAIN_FORBIDDEN
from rotators.mysql.session import Session

ENGINES = {"mysql": "mysql", "aurora-mysql": "mysql", "mariadb": "mariadb"}
DUAL_PASSWORDS = (8, 0, 14)
LONGEST_NAMES = {"mysql": 32, "mariadb": 80}  # characters


class MySql:
    """MySQL 8.0 to 9 and MariaDB from 10.6 on, tested on MySQL 9 and MariaDB 10.11."""

    name = "mysql"
    credential = ("password",)
    # The client `mysql` reads 79 bytes of a password at its prompt.
    password_policy = PasswordPolicy(shortest=8, longest=79)

    def account(self, secret: Secret) -> Account:
        """The account of the secret's fields engine, host, port (3306), username; checks password and ssl too."""
        account = secret.account(ENGINES, port=3306)
        if account.user.endswith(" "):
            raise secret.wrong("username", "ends in a blank, which the server may ignore when it compares names")
        if len(account.user) > self.longest_username(secret):
            raise secret.wrong("username", f"is longer than {self.longest_username(secret)} characters")
        return account

    admin_account = account

    def check(self, login: Secret) -> str:
        """Log in; the session makes sure that the server says it is that user. The host that its account is for."""
        with Session(login, self.account(login)) as session:
            return session.host

    def change_password(self, login: Secret, pending: Secret) -> None:
        """Of the account that logs in; where there is an admin, he does it, for all the user's hosts (S1b).

        A user neither sees nor changes its accounts for other hosts. MariaDB lets nobody use ALTER USER on itself.
        """
        with Session(login, self.account(login)) as session:
            if login.admin is not None:
                raise ChangeForbidden(
                    "change-forbidden",
                    f"{session.user!r} may have accounts for other hosts than {session.host!r}, which it cannot change.",
                    "The admin changes all of them.",
                    proven=session.host,
                )
            clock.before_change()
            if session.is_mariadb:
                passwords.set_own(session, pending.text("password"))
                return
            new, old = (session.text(one.text("password")) for one in (pending, login))
            statement = f"ALTER USER USER() IDENTIFIED BY {new}"
            # Not at once with REPLACE: it wants the primary of two passwords, and who comes with the other may change it.
            if session.attempt(statement, CURRENT_REQUIRED):
                session.run(f"{statement} REPLACE {old}")

    def reset_password(self, admin: Secret, pending: Secret, proven: str | None = None) -> None:
        """Of all the user's accounts, in one statement; W5."""
        with Session(admin, self.account(admin)) as session:
            accounts.reset(session, pending.text("username"), pending.text("password"), proven)

    username_unit: Literal["characters"] = "characters"

    def longest_username(self, secret: Secret) -> int:
        """MySQL's or MariaDB's."""
        return LONGEST_NAMES[secret.engine(ENGINES)]

    def alternate(self, admin: Secret, current: Secret, pending: Secret, pair: Pair, proven: Proven) -> None:
        """A2 and A3 (clone.py)."""
        with Session(admin, self.account(admin)) as session:
            turn = Turn(session, pair, current.text("username"), pending.text("password"), proven)
            turn.take(pending.text("username"))

    def check_alternate(self, login: Secret, pair: Pair) -> None:  # noqa: ARG002  a user does not see the other one's rights
        """Log in as either; the rights were compared by the admin, before the password was set."""
        self.check(login)

    def retain_password(self, login: Secret, pending: Secret) -> None:
        """D1. REPLACE makes it happen only where the login's password is the primary one; else NotPrimary."""
        with Session(login, self.account(login)) as session:
            if session.is_mariadb or session.version_number < DUAL_PASSWORDS:
                # Asked first, as a server without them would log a statement that it does not understand as it is.
                raise _no_dual_passwords(session)
            new, old = (session.text(one.text("password")) for one in (pending, login))
            clock.before_change()
            statement = f"ALTER USER USER() IDENTIFIED BY {new} REPLACE {old} RETAIN CURRENT PASSWORD"
            number = session.attempt(statement, NOT_PRIMARY, RETAIN_FORBIDDEN)
            if number == NOT_PRIMARY:
                raise NotPrimary(
                    "password-secondary",
                    f"The password of {login.name} is the second one of {self.account(login)}, not the primary.",
                    "The server wants to be shown the primary one, which no version of the secret has. As an admin: ALTER USER "
                    "… PASSWORD REQUIRE CURRENT OPTIONAL, or set AWSCURRENT's password again; then rotate again.",
                )
            if number == RETAIN_FORBIDDEN:
                raise _retain_forbidden(session)

    def replace_primary(self, login: Secret, pending: Secret, primary: Secret | None) -> bool:
        """D2: without RETAIN, which keeps the second password, the login's. False where the server demands the primary."""
        with Session(login, self.account(login)) as session:
            clock.before_change()
            statement = f"ALTER USER USER() IDENTIFIED BY {session.text(pending.text('password'))}"
            if primary is None:
                return session.attempt(statement, CURRENT_REQUIRED) is None
            replaced = session.text(primary.text("password"))
            return session.attempt(f"{statement} REPLACE {replaced}", NOT_PRIMARY) is None


def _no_dual_passwords(session: Session) -> DualRefused:
    """D3: what to choose instead."""
    return DualRefused(
        "dual-passwords-unknown",
        f"The server (version {session.version}) has no dual passwords; MySQL has them from 8.0.14 on.",
        "Nothing was changed. Choose another strategy by the tag rotation:strategy.",
    )


def _retain_forbidden(session: Session) -> DualRefused:
    """D3: what to grant."""
    return DualRefused(
        "dual-passwords-forbidden",
        f"{session.user!r} may not keep two passwords.",
        f"Nothing was changed. As an admin: GRANT APPLICATION_PASSWORD_ADMIN ON *.* TO {session.grantee}; then rotate again.",
    )
