"""A session of Redshift's, and the hash that it stores of a password."""

import hashlib

from psycopg2 import sql

from rotators.libpq import session


class Session(session.Session):
    """As rotators/libpq/session.py says."""

    # Names in quotes keep their case, whatever the cluster, its users or its databases set; every name here is qualified.
    # Redshift has no SET ROLE, and its statement_timeout counts the waiting for locks too.
    opening = sql.SQL(
        "SET enable_case_sensitive_identifier TO true; SET search_path TO pg_catalog; "
        "SET datestyle TO 'ISO'; SET statement_timeout TO {milliseconds}; SELECT session_user"
    )
    database_by_default = "dev"
    methods = "md5"


def stored(password: str, user: str) -> sql.Composable:
    """What Redshift keeps of a password ("CREATE USER"): made here, so that none of its log tables sees the password.

    Not a SHA-256 hash, which it takes as well: libpq, and so most clients, could not log in by it.
    """
    return sql.Literal("md5" + hashlib.md5((password + user).encode(), usedforsecurity=False).hexdigest())
