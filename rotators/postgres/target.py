"""PostgreSQL as a target: who logs in where, and how a user's password is changed."""

from typing import Literal

from psycopg2 import sql

from common import clock
from common.errors import TargetError
from common.password import PasswordPolicy
from common.secret import Account, Secret
from common.target import Pair, Proven
from rotators.libpq.names import quoted
from rotators.postgres import clone, roles
from rotators.postgres.session import Session

ENGINES = {"postgres": "postgres", "aurora-postgresql": "postgres"}
LONGEST_NAME = 63  # bytes: NAMEDATALEN - 1; the server cuts what is longer, and it would be another name


class Postgres:
    """PostgreSQL, tested on 15 and 17."""

    name = "postgres"
    credential = ("password",)
    # psql and pg_dump before version 14 read 99 characters of a password at most.
    password_policy = PasswordPolicy(shortest=8, longest=99)

    username_unit: Literal["bytes"] = "bytes"

    def longest_username(self, _: Secret) -> int:
        """NAMEDATALEN, wherever it runs."""
        return LONGEST_NAME

    def account(self, secret: Secret) -> Account:
        """The account of the secret's fields engine, host, port (5432), username; checks password, dbname, ssl too."""
        account = secret.account(ENGINES, port=5432)
        for field in ("username", "dbname"):
            if len(secret.text_or(field, "").encode()) > LONGEST_NAME:
                raise secret.wrong(field, f"is longer than PostgreSQL's {LONGEST_NAME} bytes")
        return account

    admin_account = account

    def check(self, login: Secret) -> str:
        """Log in; the session makes sure that the server says it is that user."""
        with Session(login, self.account(login)) as session:
            return session.user

    def change_password(self, login: Secret, pending: Secret) -> None:
        """ALTER ROLE by the role's own name: CURRENT_USER would be another one in the session of an alias."""
        account = self.account(login)
        with Session(login, account) as session:
            verifier = session.verifier(pending.text("password"), account.user)
            clock.before_change()
            session.run(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(account.user), verifier))

    def reset_password(self, admin: Secret, pending: Secret, proven: str | None = None) -> None:  # noqa: ARG002  users have one account here
        """ALTER ROLE as the admin; W5: never the admin's own role, nor a superuser's."""
        user = pending.text("username")
        with Session(admin, self.account(admin)) as session:
            roles.require_resettable(session, user, admin.text("username"))
            verifier = session.verifier(pending.text("password"), user)
            clock.before_change()
            roles.run(
                session,
                sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(user), verifier),
                what=f"change the password of {user!r}",
                remedy=f"GRANT {quoted(user)} TO {quoted(admin.text('username'))} WITH ADMIN OPTION",
            )

    def alternate(self, admin: Secret, current: Secret, pending: Secret, pair: Pair, proven: Proven) -> None:
        """A2 and A3. The clone is a login alias: a member of the base, set to it (clone.py)."""
        with Session(admin, self.account(admin)) as session:
            verifier = session.verifier(pending.text("password"), pending.text("username"))
            turn = clone.Turn(session, pair, admin, current.text("username"), proven.other is not None)
            if pending.text("username") == pair.clone:
                turn.to_clone(verifier)
            else:
                turn.to_base(verifier)

    def check_alternate(self, login: Secret, pair: Pair) -> None:
        """Log in; a clone must be a member of its base."""
        with Session(login, self.account(login)) as session:
            if login.text("username") == pair.clone and not roles.is_member(session, pair.clone, pair.base):
                raise TargetError(
                    "clone-without-base",
                    f"{pair.clone!r} logs in, but is no member of {pair.base!r}, whose rights it should have.",
                    f"GRANT {quoted(pair.base)} TO {quoted(pair.clone)}, then rotate.",
                )
