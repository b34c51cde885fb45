"""A session of PostgreSQL's: what it begins with, and verifiers of passwords."""

from psycopg2 import sql
from psycopg2.extensions import encrypt_password

from rotators.libpq import session


class Session(session.Session):
    """As rotators/libpq/session.py says."""

    # An empty search path (a database's owner may shadow any name), the role that logged in (it may be set to another),
    # a session that may write, the time-outs.
    opening = sql.SQL(
        "SET search_path = ''; SET ROLE NONE; SET default_transaction_read_only = off; "
        "SET datestyle = ISO; SET statement_timeout = {milliseconds}; SET lock_timeout = {milliseconds}; "
        "SELECT session_user"
    )
    database_by_default = "postgres"
    methods = "scram-sha-256,md5"

    @property
    def version(self) -> int:
        """The server's version: 170004, 150018."""
        return self.connection.server_version

    def verifier(self, password: str, user: str) -> sql.Composable:
        """A SCRAM verifier, made here: no log of the server sees the password.

        Always SCRAM-SHA-256: a database's owner may have set password_encryption.
        """
        return sql.Literal(encrypt_password(password, user, scope=self.connection, algorithm="scram-sha-256"))
