"""DocumentDB and MongoDB as a target: who logs in where, and how a user's password is changed."""

from typing import Literal

from common import clock
from common.password import PasswordPolicy
from common.secret import Account, Secret
from common.target import Pair, Proven
from rotators.documentdb import users
from rotators.documentdb.clone import Turn
from rotators.documentdb.session import USERS, Session

ENGINES = {"mongo": "mongo", "documentdb": "mongo", "docdb": "mongo"}  # docdb is what RDS's API says of a cluster
LONGEST_NAME = 63  # characters: DocumentDB's; MongoDB has no limit that matters
LONGEST_DATABASE = 63  # bytes


class DocumentDb:
    """Amazon DocumentDB, MongoDB. A user is a name with its authentication database, as in `app@admin`."""

    name = "documentdb"
    credential = ("password",)
    password_policy = PasswordPolicy(shortest=8, longest=100, forbidden='/"@')
    username_unit: Literal["characters"] = "characters"

    def longest_username(self, _: Secret) -> int:
        """DocumentDB's."""
        return LONGEST_NAME

    def account(self, secret: Secret) -> Account:
        """The account of the secret's fields engine, host, port (27017), username, dbname (admin); checks all that a login needs."""
        account = secret.account(ENGINES, port=27017)
        if account.host.endswith(".sock"):
            raise secret.wrong("host", "is not one host name or address: the driver would take it for a file")
        if secret.tls and secret.get("tls_server_name") is not None:
            raise secret.wrong(
                "tls_server_name", "cannot be used here: the driver verifies the name that it connects to"
            )
        database = secret.text_or("dbname", USERS)
        if any(sign in database for sign in '/\\. "$*<>:|?@') or len(database.encode()) > LONGEST_DATABASE:
            raise secret.wrong("dbname", "is not the name of a database")
        return Account(account.server_kind, account.host, account.port, f"{account.user}@{database}")

    admin_account = account

    def check(self, login: Secret) -> str:
        """Log in; the session makes sure that the server says it is that user."""
        with Session(login, self.account(login)) as session:
            return f"{session.name}@{session.database}"

    def change_password(self, login: Secret, pending: Secret) -> None:
        """updateUser by the user itself, for the mechanisms that it has."""
        with Session(login, self.account(login)) as session:
            itself = users.read_itself(session)
            password = pending.text("password")
            clock.before_change()
            session.run(
                session.database,
                {"updateUser": session.name, **(itself.with_password(password) if itself else {"pwd": password})},
            )

    def reset_password(self, admin: Secret, pending: Secret, proven: str | None = None) -> None:  # noqa: ARG002  users have one account here
        """updateUser as the admin; W5."""
        name, database = pending.text("username"), pending.text_or("dbname", USERS)
        with Session(admin, self.account(admin)) as session:
            user = users.require_resettable(session, users.read_user(session, name, database), name)
            clock.before_change()
            with users.admins(
                session, f"change the password of {name!r}", "changePassword (userAdmin on that database)"
            ):
                session.run(user.database, {"updateUser": user.name, **user.with_password(pending.text("password"))})

    def alternate(self, admin: Secret, current: Secret, pending: Secret, pair: Pair, proven: Proven) -> None:
        """A2 and A3 (clone.py)."""
        with Session(admin, self.account(admin)) as session:
            database = current.text_or("dbname", USERS)
            turn = Turn(
                session, pair, database, current.text("username"), pending.text("password"), proven.other is not None
            )
            turn.take(pending.text("username"))

    def check_alternate(self, login: Secret, pair: Pair) -> None:  # noqa: ARG002  a user does not see the other one's roles
        """Log in as either; the roles were compared by the admin, before the password was set."""
        self.check(login)
