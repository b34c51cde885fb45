"""Users as Redshift's catalog shows them to a superuser, and what an admin may do to them."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from psycopg2 import sql

from common.errors import ChangeForbidden, ChangeRefused
from rotators.libpq.names import quoted
from rotators.redshift.session import Session

# Of the service's own, and of no use to anybody.
_NOT_FOR_USERS = {"padb_harvest", "template0", "template1", "sys:internal"}
POWERFUL = {"sys:superuser", "sys:secadmin"}  # roles


@dataclass(frozen=True)
class User:
    """A user. valid_until: as Redshift writes it, "infinity" where there is no end. settings: {name: value as stored}."""

    id: int
    name: str
    superuser: bool
    createdb: bool
    valid_until: str
    expired: bool
    settings: dict[str, str]
    connection_limit: str
    syslog: str
    session_timeout: int

    @property
    def powers(self) -> set[str]:
        """Attributes that somebody gains something by, as ALTER USER spells them."""
        unrestricted = {"SYSLOG ACCESS UNRESTRICTED"} if self.syslog == "UNRESTRICTED" else set()
        return unrestricted | ({"CREATEDB"} if self.createdb else set())

    def beyond(self, other: "User") -> list[tuple[str, str]]:
        """What it has and the other lacks, as ALTER USER gives it to the other, and takes it from this one."""
        found = [(power, _WITHOUT[power]) for power in sorted(self.powers - other.powers)]
        missing = sorted(self.settings.keys() - other.settings.keys())
        found += [(f"SET {name} TO {self.settings[name]}", f"RESET {name}") for name in missing]
        if _number(self.connection_limit) > _number(other.connection_limit):
            limits = (f"CONNECTION LIMIT {user.connection_limit}" for user in (self, other))
            found.append((next(limits), next(limits)))
        return found

    @property
    def attributes(self) -> tuple[object, ...]:
        """What a clone must have as its base has it."""
        return self.createdb, self.settings, self.connection_limit, self.syslog, self.session_timeout


_WITHOUT = {"CREATEDB": "NOCREATEDB", "SYSLOG ACCESS UNRESTRICTED": "SYSLOG ACCESS RESTRICTED"}


def _number(limit: str) -> float:
    return int(limit) if limit.isdecimal() else math.inf


def read_user(session: Session, name: str) -> User | None:
    """The user of this name; None where there is none. Views and tables of the leader's are not joined with each other."""
    found = session.run(
        sql.SQL(
            "SELECT usesysid, usename, usesuper, usecreatedb, coalesce(CAST(CAST(valuntil AS timestamp) AS varchar), 'infinity'), "
            "coalesce(CAST(valuntil AS timestamp) < getdate(), false), useconfig FROM pg_catalog.pg_user WHERE usename = {}"
        ).format(sql.Literal(name))
    )
    if not found:
        return None
    *fields, settings = found[0]
    rest = session.run(
        sql.SQL(
            "SELECT connection_limit, syslog_access, session_timeout FROM pg_catalog.svv_user_info WHERE user_id = {}"
        ).format(sql.Literal(fields[0]))
    )
    if not rest:
        raise _no_superuser(session, f"see the attributes of {name!r}", "Nothing was changed.")
    ((limit, syslog, timeout),) = rest
    pairs = (line.partition("=") for line in settings or ())
    stored = {name: value for name, _, value in pairs}
    return User(*fields, stored, limit, syslog, timeout)  # type: ignore[call-arg]  # more than mypy counts in a row of Any


def require_resettable(session: Session, name: str) -> User:
    """W5 for an admin who sets a password: the user is there, is not the admin, and has no power over others."""
    user = read_user(session, name)
    if user is None:
        raise ChangeRefused("user-missing", f"There is no user {name!r}.", "Create it, or correct 'username'.")
    require_powerless(session, user)
    return user


def require_powerless(session: Session, user: User) -> None:
    """W5: an admin changes neither itself nor a user with power over others."""
    name = user.name
    if name == session.user:
        raise ChangeRefused(
            "admin-is-the-user",
            f"The secret's user {name!r} is the admin itself.",
            "Rotate the admin by a secret of its own.",
        )
    if user.superuser or _roles(session, name) & POWERFUL:
        raise ChangeRefused(
            "user-is-superuser",
            f"{name!r} is a superuser, or has one of the roles {' and '.join(sorted(POWERFUL))}: an admin does not change it "
            "for a secret.",
            "Rotate it by itself, with the strategy single-user and without an admin.",
        )


def _roles(session: Session, name: str) -> set[str]:
    """The roles of a user, and those that they have in turn."""
    granted = session.run(
        sql.SQL("SELECT role_name FROM pg_catalog.svv_user_grants WHERE user_name = {}").format(sql.Literal(name))
    )
    nested = session.run(sql.SQL("SELECT role_name, granted_role_name FROM pg_catalog.svv_role_grants"))
    roles = {role for (role,) in granted}
    while more := {inner for outer, inner in nested if outer in roles} - roles:
        roles |= more
    return roles


def further_databases(session: Session) -> list[str]:
    """The databases of the cluster that a user can have something in, without the session's own."""
    local = session.run(
        sql.SQL("SELECT database_name FROM pg_catalog.svv_redshift_databases WHERE database_type = 'local'")
    )
    open_ones = session.run(
        sql.SQL("SELECT datname FROM pg_catalog.pg_database WHERE datallowconn AND NOT datistemplate")
    )
    return sorted({name for (name,) in open_ones} & {name for (name,) in local} - _NOT_FOR_USERS - {session.database})


def owned(session: Session, user: User) -> list[str]:
    """What the user owns in this database, a few of it: "TABLE public.orders"."""
    rows = session.run(
        sql.SQL(
            "SELECT 'TABLE', n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
            "WHERE c.relowner = {id} AND c.relkind IN ('r', 'v') AND substring(n.nspname, 1, 3) <> 'pg_' "
            "UNION ALL SELECT 'FUNCTION', n.nspname, p.proname FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace "
            "WHERE p.proowner = {id} "
            "UNION ALL SELECT 'SCHEMA', nspname, '' FROM pg_catalog.pg_namespace WHERE nspowner = {id} AND substring(nspname, 1, 3) <> 'pg_' "
            "UNION ALL SELECT 'DATABASE', datname, '' FROM pg_catalog.pg_database WHERE datdba = {id} LIMIT 5"
        ).format(id=sql.Literal(user.id))
    )
    more = (
        "SELECT 'ROLE', role_name, '' FROM pg_catalog.svv_roles WHERE role_owner = {name}",
        (
            "SELECT 'DEFAULT PRIVILEGES', coalesce(schema_name, 'of all schemas'), '' FROM pg_catalog.svv_default_privileges "
            "WHERE owner_type = 'user' AND owner_name = {name} LIMIT 1"
        ),
    )
    for query in more:
        rows += session.run(sql.SQL(query).format(name=sql.Literal(user.name)))
    return sorted(f"{kind} {'.'.join(quoted(name) for name in names if name)}" for kind, *names in rows)


def require_superuser(session: Session) -> None:
    """Nobody else sees all that the two users hold: what an admin does not see would be taken for what is not there."""
    ((superuser,),) = session.run(sql.SQL("SELECT usesuper FROM pg_catalog.pg_user WHERE usename = SESSION_USER"))
    if not superuser:
        raise _no_superuser(session, "see what users hold", "Nothing was changed.")


@contextmanager
def admins(session: Session, what: str) -> Iterator[None]:
    """Where the admin may not, the error says what, and what lets it."""
    try:
        yield
    except ChangeForbidden:
        raise _no_superuser(session, what) from None


def _no_superuser(session: Session, what: str, so: str = "Its password was not changed.") -> ChangeRefused:
    return ChangeRefused(
        "admin-lacks-right",
        f"The admin {session.user!r} may not {what}. {so}",
        f"Redshift lets superusers do all that a rotation does: as one, ALTER USER {quoted(session.user)} CREATEUSER;",
    )
