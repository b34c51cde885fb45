"""Redshift as a target: who logs in where, and how a user's password is changed."""

from contextlib import ExitStack
from typing import Literal

from psycopg2 import sql

from common import clock
from common.errors import PolicyRefused
from common.password import PasswordPolicy
from common.secret import Account, Secret
from common.target import Pair, Proven
from rotators.redshift import users
from rotators.redshift.clone import Turn
from rotators.redshift.session import Session, stored

ENGINES = {"redshift": "redshift"}
LONGEST_NAME = 127  # bytes: "Names and identifiers"


class Redshift:
    """Redshift, provisioned and Serverless; see its README for what could be tried, and on what."""

    name = "redshift"
    credential = ("password",)
    # "CREATE USER". It cannot judge a hash, so that a password of other characters would be taken, and break its rules.
    password_policy = PasswordPolicy(
        shortest=8, longest=64, forbidden="'\"\\/@ ", required=("uppercase", "lowercase", "numbers")
    )
    username_unit: Literal["bytes"] = "bytes"

    def longest_username(self, _: Secret) -> int:
        """Wherever it runs."""
        return LONGEST_NAME

    def account(self, secret: Secret) -> Account:
        """The account of the secret's fields engine, host, port (5439), username; checks password, dbname, ssl too."""
        account = secret.account(ENGINES, port=5439)
        for field in ("username", "dbname"):
            if len(secret.text_or(field, "").encode()) > LONGEST_NAME:
                raise secret.wrong(field, f"is longer than Redshift's {LONGEST_NAME} bytes")
        return account

    admin_account = account

    def check(self, login: Secret) -> str:
        """Log in; the session makes sure that the server says it is that user."""
        with Session(login, self.account(login)) as session:
            return session.user

    def change_password(self, login: Secret, pending: Secret) -> None:
        """ALTER USER by the user itself."""
        self._require_allowed(pending)
        account = self.account(login)
        with Session(login, account) as session:
            clock.before_change()
            session.run(_password(account.user, pending))

    def reset_password(self, admin: Secret, pending: Secret, proven: str | None = None) -> None:  # noqa: ARG002  users have one account here
        """ALTER USER as the admin; W5."""
        self._require_allowed(pending)
        user = pending.text("username")
        with Session(admin, self.account(admin)) as session:
            users.require_superuser(session)
            users.require_resettable(session, user)
            clock.before_change()
            with users.admins(session, f"change the password of {user!r}"):
                session.run(_password(user, pending))

    def alternate(self, admin: Secret, current: Secret, pending: Secret, pair: Pair, proven: Proven) -> None:
        """A2 and A3 (clone.py), with a session in each database of the cluster."""
        self._require_allowed(pending)
        with ExitStack() as stack:
            main = stack.enter_context(Session(admin, self.account(admin)))
            others = [
                stack.enter_context(main.elsewhere(admin.with_fields(f"{admin.name} in {database!r}", dbname=database)))
                for database in users.further_databases(main)
            ]
            turn = Turn((main, *others), pair, current.text("username"), proven.other is not None)
            turn.take(pending.text("username"), stored(pending.text("password"), pending.text("username")))

    def check_alternate(self, login: Secret, pair: Pair) -> None:  # noqa: ARG002  a user does not see the other one's rights
        """Log in as either; the rights were compared by the admin, before the password was set."""
        self.check(login)

    def _require_allowed(self, pending: Secret) -> None:
        """What Redshift would refuse of a password, were it not given a hash."""
        password = pending.text("password")
        if not self.password_policy.allows(password):
            raise PolicyRefused(
                "password-refused",
                f"Redshift's rules refuse the password of {pending.name}: 8 to 64 printable ASCII characters, with an "
                "upper-case letter, a lower-case letter and a digit, and none of ' \" \\ / @ or a blank.",
                "Adjust the tag rotation:password-length or rotation:password-profile, or the EXCLUDE_… variables.",
            )


def _password(user: str, pending: Secret) -> sql.Composed:
    password = stored(pending.text("password"), user)
    return sql.SQL("ALTER USER {} PASSWORD {}").format(sql.Identifier(user), password)
