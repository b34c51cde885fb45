"""PostgreSQL as a target: who logs in where, and how a user's password is changed."""

from psycopg2 import sql
from psycopg2.extensions import encrypt_password

from common.password import PasswordPolicy
from common.secret import Account, Secret
from rotators.postgres.session import Session

ENGINES = {"postgres": "postgres", "aurora-postgresql": "postgres"}
LONGEST_NAME = 63  # bytes: NAMEDATALEN - 1; the server cuts what is longer, and it would be another name


class Postgres:
    """PostgreSQL 12 and later."""

    name = "postgres"
    # psql and pg_dump before version 14 read 99 characters of a password at most.
    password_policy = PasswordPolicy(shortest=8, longest=99)

    def account(self, secret: Secret) -> Account:
        """The account of the secret's fields engine, host, port (5432), username; checks password, dbname, ssl too."""
        account = Account(
            server_kind=secret.engine(ENGINES),
            host=secret.host().lower().removesuffix("."),
            port=secret.port(default=5432),
            user=secret.text("username"),
        )
        _check_options(secret)
        return account

    def check(self, login: Secret) -> None:
        """Log in; the session makes sure that the server says it is that user."""
        with Session(login, self.account(login)):
            pass

    def change_password(self, login: Secret, pending: Secret) -> None:
        """ALTER ROLE by the role's own name, with a SCRAM verifier made here: no log of the server sees a password.

        By name, because CURRENT_USER would be the base's in the session of a role that is set to another one.
        Always SCRAM-SHA-256: a database's owner may have set password_encryption.
        """
        account = self.account(login)
        with Session(login, account) as session:
            verifier = encrypt_password(
                pending.text("password"), account.user, scope=session.connection, algorithm="scram-sha-256"
            )
            session.run(
                sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(account.user), sql.Literal(verifier))
            )


def _check_options(secret: Secret) -> None:
    """The fields that a login needs beside the account: password, dbname, ssl, tls_server_name."""
    secret.text("password")
    for field in ("username", "dbname"):
        if len(secret.text_or(field, "").encode()) > LONGEST_NAME:
            raise secret.wrong(field, f"is longer than PostgreSQL's {LONGEST_NAME} bytes")
    if secret.tls and secret.get("tls_server_name") is not None:
        secret.host("tls_server_name")
