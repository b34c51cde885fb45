"""Roles as PostgreSQL's catalogs show them to an admin who is no superuser, and what an admin may do to them.

Every name is qualified, and the search path is empty (W3): the owner of a database may have made a `pg_roles` of his own.
"""

from dataclasses import dataclass

from psycopg2 import sql

from common.errors import ChangeForbidden, ChangeRefused
from rotators.postgres.session import Session

# (database, setting): its value as the server stores it; database None means in all of them.
RoleSettings = dict[tuple[str | None, str], str]
# Attributes that never go from a base to its clone: an alias uses the base's by being set to it.
POWERS = ("createrole", "createdb", "bypassrls")


@dataclass(frozen=True)
class Role:
    """A role. connection_limit: -1 means none. valid_until: ISO, "infinity" where there is no end."""

    oid: int
    name: str
    superuser: bool
    createrole: bool
    createdb: bool
    bypassrls: bool
    replication: bool
    connection_limit: int
    valid_until: str
    expired: bool
    settings: RoleSettings


def read_role(session: Session, name: str) -> Role | None:
    """The role of this name and its settings; None where there is none."""
    found = session.run(
        sql.SQL(
            "SELECT oid, rolname, rolsuper, rolcreaterole, rolcreatedb, rolbypassrls, rolreplication, rolconnlimit, "
            "coalesce(rolvaliduntil, 'infinity')::text, coalesce(rolvaliduntil < pg_catalog.now(), false) "
            "FROM pg_catalog.pg_roles WHERE rolname = {}"
        ).format(sql.Literal(name))
    )
    if not found:
        return None
    rows = session.run(
        sql.SQL(
            "SELECT d.datname, pg_catalog.unnest(s.setconfig) FROM pg_catalog.pg_db_role_setting s "
            "LEFT JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase WHERE s.setrole = {}"
        ).format(sql.Literal(found[0][0]))
    )
    settings = {(database, line.partition("=")[0]): line.partition("=")[2] for database, line in rows}
    return Role(*found[0], settings)  # type: ignore[call-arg]  # one more than mypy counts in a row of Any


def is_member(session: Session, member: str, role: str, *, by_set_role: bool = False) -> bool:
    """Whether `member` is one of `role`'s, directly or not; by_set_role: whether it may SET ROLE to it."""
    how = "SET" if by_set_role and session.version >= 160000 else "MEMBER"  # noqa: PLR2004  since 16 they are two things
    ((count,),) = session.run(
        sql.SQL(
            "SELECT pg_catalog.count(*) FROM pg_catalog.pg_roles m, pg_catalog.pg_roles r "
            "WHERE m.rolname = {} AND r.rolname = {} AND pg_catalog.pg_has_role(m.oid, r.oid, {})"
        ).format(sql.Literal(member), sql.Literal(role), sql.Literal(how))
    )
    return bool(count)


def require_resettable(session: Session, user: str, admin: str) -> Role:
    """W5 for an admin who sets a password: the user is there, is not the admin, and is no superuser."""
    role = read_role(session, user)
    if role is None:
        raise ChangeRefused("user-missing", f"There is no role {user!r}.", "Create it, or correct 'username'.")
    if user == admin:
        raise ChangeRefused(
            "admin-is-the-user",
            f"The secret's user {user!r} is the admin itself.",
            "Rotate the admin by a secret of its own.",
        )
    if role.superuser or is_member(session, user, "rds_superuser"):
        raise ChangeRefused(
            "user-is-superuser",
            f"{user!r} is a superuser: an admin does not change it for a secret.",
            "Rotate it by itself, with the strategy single-user and without an admin.",
        )
    return role


def run(session: Session, statement: sql.Composable, *, what: str, remedy: str) -> None:
    """Run an admin's statement; where it may not, the error says what it may not, and the command that lets it."""
    try:
        session.run(statement)
    except ChangeForbidden:
        raise ChangeRefused(
            "admin-lacks-right",
            f"The admin {session.user!r} may not {what}. Nothing was changed.",
            f"Let a superuser, or whoever made the role, run: {remedy};",
        ) from None
