"""What a user holds, read from Redshift's views, and the statements that give and take it: all that only Redshift knows.

The views show what was granted to the user itself: what comes by a group, a role or PUBLIC stays there, as the clone is put
into the same groups and roles. They show the database that one is connected to. Pages of the Amazon Redshift Database
Developer Guide: each view's own, "GRANT", "REVOKE", "ALTER GROUP", "ALTER DEFAULT PRIVILEGES", "ATTACH RLS POLICY".
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from psycopg2 import sql

from common.errors import ChangeRefused
from rotators.redshift.session import Session


@dataclass(frozen=True)
class Kind:
    """A kind of right.

    read: a query whose rows are (user, privilege, WITH GRANT or ADMIN OPTION, what it is on …), for {users}
    grant, revoke: {0}, {1}, … are what it is on, {privilege} words, {user} who; {option} and {only} are what stands there
    for the option: where {only} takes the option alone off, the option is a right of its own
    of_cluster: whether every database shows the same
    """

    read: str
    grant: str
    revoke: str
    of_cluster: bool = False


def _view(name: str, *columns: str, privilege: str = "privilege_type", where: str = "") -> str:
    """A query on one of the views that name a user as an identity."""
    return (
        f"SELECT identity_name, {privilege}, admin_option, {', '.join(columns)} FROM pg_catalog.{name} "  # noqa: S608  our own texts
        f"WHERE identity_type = 'user' AND identity_name IN ({{users}}){where}"
    )


def _on(body: str) -> tuple[str, str]:
    """GRANT and REVOKE of a right with a GRANT OPTION."""
    return f"GRANT {body} TO {{user}}{{option}}", f"REVOKE {{only}}{body} FROM {{user}}"


_SCOPED = "CAST(privilege_type || ' FOR ' || privilege_scope AS varchar)"
# pg_proc_info knows which of the functions of that view are procedures; arguments as oidvectortypes writes them.
_PROCEDURES = (
    "SELECT n.nspname, p.proname, pg_catalog.oidvectortypes(p.proargtypes) FROM pg_catalog.pg_proc_info p "
    "JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace WHERE p.prokind = 'p'"
)
KINDS: dict[str, Kind] = {
    "group": Kind(
        "SELECT u.usename, 'MEMBER', false, g.groname FROM pg_catalog.pg_user u, pg_catalog.pg_group g "
        "WHERE u.usesysid = ANY(g.grolist) AND u.usename IN ({users})",
        "ALTER GROUP {0} ADD USER {user}",
        "ALTER GROUP {0} DROP USER {user}",
        of_cluster=True,
    ),
    "role": Kind(
        "SELECT user_name, 'MEMBER', admin_option, role_name FROM pg_catalog.svv_user_grants WHERE user_name IN ({users})",
        "GRANT ROLE {0} TO {user}{option}",
        "REVOKE {only}ROLE {0} FROM {user}",
        of_cluster=True,
    ),
    "database": Kind(
        _view("svv_database_privileges", "database_name", where=" AND privilege_scope = 'DATABASE'"),
        *_on("{privilege} ON DATABASE {0}"),
    ),
    "scope in a database": Kind(
        _view(
            "svv_database_privileges", "database_name", privilege=_SCOPED, where=" AND privilege_scope <> 'DATABASE'"
        ),
        *_on("{privilege} IN DATABASE {0}"),
    ),
    "schema": Kind(
        _view("svv_schema_privileges", "namespace_name", where=" AND privilege_scope = 'SCHEMA'"),
        *_on("{privilege} ON SCHEMA {0}"),
    ),
    "scope in a schema": Kind(
        _view("svv_schema_privileges", "namespace_name", privilege=_SCOPED, where=" AND privilege_scope <> 'SCHEMA'"),
        *_on("{privilege} IN SCHEMA {0}"),
    ),
    "table": Kind(
        _view("svv_relation_privileges", "namespace_name", "relation_name"), *_on("{privilege} ON TABLE {0}.{1}")
    ),
    "column": Kind(
        _view("svv_column_privileges", "namespace_name", "relation_name", "column_name").replace(
            "admin_option", "false"
        ),
        "GRANT {privilege} ({2}) ON TABLE {0}.{1} TO {user}",
        "REVOKE {privilege} ({2}) ON TABLE {0}.{1} FROM {user}",
    ),
    "function": Kind(
        _view("svv_function_privileges", "namespace_name", "function_name", "argument_types"),
        *_on("{privilege} ON FUNCTION {0}.{1}({arguments})"),
    ),
    "language": Kind(_view("svv_language_privileges", "language_name"), *_on("{privilege} ON LANGUAGE {0}")),
    "default": Kind(
        "SELECT grantee_name, privilege_type || ' ON ' || object_type, admin_option, owner_name, coalesce(schema_name, '') "
        "FROM pg_catalog.svv_default_privileges WHERE grantee_type = 'user' AND grantee_name IN ({users})",
        "ALTER DEFAULT PRIVILEGES FOR USER {0}{in_schema} GRANT {privilege} TO {user}{option}",
        "ALTER DEFAULT PRIVILEGES FOR USER {0}{in_schema} REVOKE {only}{privilege} FROM {user}",
    ),
    "IAM role": Kind(
        _view("svv_iam_privileges", "iam_arn", privilege="command_type").replace("admin_option", "false"),
        "GRANT ASSUMEROLE ON {iam_role} TO {user} FOR {privilege}",
        "REVOKE ASSUMEROLE ON {iam_role} FROM {user} FOR {privilege}",
        of_cluster=True,
    ),
    "datashare": Kind(
        _view("svv_datashare_privileges", "datashare_name"),
        # No page knows how to take the option alone: both are taken, and the right is given again.
        "GRANT {privilege} ON DATASHARE {0} TO {user}{option}",
        "REVOKE {privilege} ON DATASHARE {0} FROM {user}",
    ),
    "RLS policy": Kind(
        "SELECT grantee, 'ATTACHED', false, polname, relschema, relname FROM pg_catalog.svv_rls_attached_policy "
        "WHERE granteekind = 'user' AND grantee IN ({users})",
        "ATTACH RLS POLICY {0} ON {1}.{2} TO {user}",
        "DETACH RLS POLICY {0} ON {1}.{2} FROM {user}",
    ),
}
OF_A_DATABASE = {name: kind for name, kind in KINDS.items() if not kind.of_cluster}
# What no statement of ours gives: (what it is, a query for whoever of {users} has it, and what).
_ELSEWHERE = (
    (
        "a masking policy",
        (
            "SELECT grantee, policy_name || ' on ' || schema_name || '.' || table_name FROM pg_catalog.svv_attached_masking_policy "
            "WHERE grantee_type = 'user' AND grantee IN ({users})"
        ),
    ),
    (
        "a right on a model",
        (
            "SELECT identity_name, namespace_name || '.' || model_name FROM pg_catalog.svv_ml_model_privileges "
            "WHERE identity_type = 'user' AND identity_name IN ({users})"
        ),
    ),
)
_OBJECTS = {"RELATION": "TABLES", "FUNCTION": "FUNCTIONS", "PROCEDURE": "PROCEDURES"}
# GRANT ALL leaves these two, which no GRANT of Redshift's names, and which allow nothing: it has neither rules nor triggers.
_NOTHING = {"RULE", "TRIGGER"}
_SPELLED = {"EXFUNC": "EXTERNAL FUNCTION"}
_TYPE = r'(?:"char"|[a-z][a-z0-9_ ]*(?:\[\])?)'


@dataclass(frozen=True, order=True)
class Right:
    """One thing that a user holds. option: not the right, but the option to pass it on."""

    kind: str
    on: tuple[str, ...]
    privilege: str
    option: bool = False

    def grant(self, user: str) -> sql.Composed:
        """What gives it; an option comes with the right."""
        return self._composed(KINDS[self.kind].grant, user)

    def revoke(self, user: str) -> sql.Composed:
        """What takes it; an option alone."""
        return self._composed(KINDS[self.kind].revoke, user)

    def __str__(self) -> str:
        on = ".".join(self.on)
        return f"{self.privilege} on the {self.kind} {on}" + (" WITH GRANT OPTION" if self.option else "")

    def _composed(self, template: str, user: str) -> sql.Composed:
        """The statement; every name quoted, every word known."""
        option = "ADMIN" if self.kind == "role" else "GRANT"
        if self.kind == "function" and self.privilege.endswith(" PROCEDURE"):
            template = template.replace("FUNCTION", "PROCEDURE")
        parts: dict[str, sql.Composable] = {
            "user": sql.Identifier(user),
            "privilege": self._words(),
            "option": sql.SQL(f" WITH {option} OPTION" if self.option else ""),
            "only": sql.SQL(f"{option} OPTION FOR " if self.option else ""),
        }
        if "{arguments}" in template:
            parts["arguments"] = self._arguments(self.on[2])
        if "{in_schema}" in template:
            parts["in_schema"] = (
                sql.SQL(" IN SCHEMA {}").format(sql.Identifier(self.on[1])) if self.on[1] else sql.SQL("")
            )
        if "{iam_role}" in template:
            word = {"default-aws-iam-role": "DEFAULT", "ALL": "ALL"}.get(self.on[0])
            parts["iam_role"] = sql.SQL(word) if word else sql.Literal(self.on[0])
        return sql.SQL(template).format(*map(sql.Identifier, self.on), **parts)

    def _words(self) -> sql.SQL:
        """The privilege as words of a statement."""
        right, _, objects = self.privilege.partition(" ON ")
        words = right.removesuffix(" PROCEDURE") + (f" ON {_OBJECTS.get(objects, '?')}" if objects else "")
        words = _SPELLED.get(words, words)
        if self.kind == "language" and self.on == ("mlfunc",):  # how a cluster shows GRANT CREATE MODEL
            raise self.unknown()
        if not re.fullmatch(r"[A-Z]+( [A-Z]+)*", words):
            raise self.unknown()
        return sql.SQL(words)

    def _arguments(self, types: str) -> sql.SQL:
        """A function's argument types: words of the catalog, not quoted, so known by their form."""
        if not re.fullmatch(f"({_TYPE}(, {_TYPE})*)?", types):
            raise self.unknown()
        return sql.SQL(types)

    def unknown(self) -> ChangeRefused:
        """A right that this version cannot give."""
        return _not_ours_to_give(f"{self}")


def _not_ours_to_give(what: str) -> ChangeRefused:
    return ChangeRefused(
        "right-unknown",
        f"One of the two users holds what this function cannot give the other one: {what}. Nothing was changed.",
        "Give it to a role, and GRANT ROLE to the base: what comes by roles and groups needs no copying.",
    )


def read_rights(session: Session, *users: str, kinds: Mapping[str, Kind] = KINDS) -> dict[str, frozenset[Right]]:
    """What each of these users holds itself, of these kinds, as this session's database shows it.

    ChangeRefused where that is what no statement of ours gives
    """
    names = sql.SQL(", ").join(map(sql.Literal, users))
    for what, query in _ELSEWHERE:
        for user, which in session.run(sql.SQL(query).format(users=names)):
            raise _not_ours_to_give(f"{what} ({which}), held by {user!r}")
    procedures = set(session.run(sql.SQL(_PROCEDURES)))
    held: dict[str, set[Right]] = {user: set() for user in users}
    for kind, how in kinds.items():
        for user, privilege, option, *on in session.run(sql.SQL(how.read).format(users=names)):
            if privilege.partition(" ON ")[0] in _NOTHING:
                continue
            if kind == "function" and tuple(on) in procedures:
                privilege = f"{privilege} PROCEDURE"  # noqa: PLW2901
            held[user].update(_right(kind, tuple(on), privilege, option=option))
    return {user: frozenset(rights) for user, rights in held.items()}


def _right(kind: str, on: tuple[str, ...], privilege: str, *, option: bool) -> Iterable[Right]:
    """The right, and where it is there the option to pass it on."""
    found = Right(kind, on, privilege)
    return {found, Right(kind, on, privilege, option=True)} if option else {found}
