"""What a clone holds of its own: what AWS's functions, or people, have left it, and the commands that put it right.

An alias acts as the base, so it would lose sight of objects and rights of its own. They are looked for at each turn, in
`pg_shdepend`, which is shared by all databases, and in `pg_auth_members`, which is not in it. Only where something is
found are the databases visited, to name it.
"""

from collections.abc import Iterator

from psycopg2 import sql

from common.errors import ChangeRefused
from common.secret import Secret
from common.target import Pair
from rotators.libpq.names import quoted
from rotators.postgres.roles import Role
from rotators.postgres.session import Session

# Rights of a role in the database that one is connected to, as (right, "ON …", with grant option). {} is its oid.
_RIGHTS = """
SELECT e.privilege_type, o.object, e.is_grantable FROM (
  SELECT CASE relkind WHEN 'S' THEN 'SEQUENCE ' ELSE 'TABLE ' END || oid::pg_catalog.regclass AS object, relacl AS acl
    FROM pg_catalog.pg_class
  UNION ALL SELECT 'SCHEMA ' || pg_catalog.quote_ident(nspname), nspacl FROM pg_catalog.pg_namespace
  UNION ALL SELECT 'ROUTINE ' || oid::pg_catalog.regprocedure, proacl FROM pg_catalog.pg_proc
  UNION ALL SELECT 'TYPE ' || oid::pg_catalog.regtype, typacl FROM pg_catalog.pg_type
  UNION ALL SELECT 'LANGUAGE ' || pg_catalog.quote_ident(lanname), lanacl FROM pg_catalog.pg_language
  UNION ALL SELECT 'FOREIGN DATA WRAPPER ' || pg_catalog.quote_ident(fdwname), fdwacl
    FROM pg_catalog.pg_foreign_data_wrapper
  UNION ALL SELECT 'FOREIGN SERVER ' || pg_catalog.quote_ident(srvname), srvacl FROM pg_catalog.pg_foreign_server
  UNION ALL SELECT 'LARGE OBJECT ' || oid, lomacl FROM pg_catalog.pg_largeobject_metadata
  UNION ALL SELECT 'DATABASE ' || pg_catalog.quote_ident(datname), datacl FROM pg_catalog.pg_database
  UNION ALL SELECT 'TABLESPACE ' || pg_catalog.quote_ident(spcname), spcacl FROM pg_catalog.pg_tablespace
  {parameters}
) o, LATERAL pg_catalog.aclexplode(o.acl) e WHERE e.grantee = {role}
UNION ALL
SELECT e.privilege_type || ' (' || pg_catalog.quote_ident(a.attname) || ')', 'TABLE ' || a.attrelid::pg_catalog.regclass,
    e.is_grantable
  FROM pg_catalog.pg_attribute a, LATERAL pg_catalog.aclexplode(a.attacl) e WHERE e.grantee = {role}
ORDER BY 2, 1
"""
# Since PostgreSQL 15.
_PARAMETERS = "UNION ALL SELECT 'PARAMETER ' || parname, paracl FROM pg_catalog.pg_parameter_acl"
# Default rights that the role gives (of, to) or gets: (of whom, in which schema, right, on what, to whom).
_DEFAULTS = """
SELECT pg_catalog.pg_get_userbyid(d.defaclrole), n.nspname, e.privilege_type,
    CASE d.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'ROUTINES' WHEN 'T' THEN 'TYPES'
      ELSE 'SCHEMAS' END,
    CASE e.grantee WHEN 0 THEN NULL ELSE pg_catalog.pg_get_userbyid(e.grantee) END
  FROM pg_catalog.pg_default_acl d LEFT JOIN pg_catalog.pg_namespace n ON n.oid = d.defaclnamespace,
    LATERAL pg_catalog.aclexplode(d.defaclacl) e
  WHERE {role} IN (d.defaclrole, e.grantee) AND e.grantee <> d.defaclrole
"""
_OTHERS = """
SELECT pg_catalog.pg_describe_object(classid, objid, objsubid) FROM pg_catalog.pg_shdepend
  WHERE refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass AND refobjid = {role} AND deptype NOT IN ('o', 'a')
    AND dbid IN (0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()))
"""


def require_nothing_of_its_own(session: Session, admin: Secret, clone: Role, pair: Pair) -> None:
    """ChangeRefused, with the commands that put it right, where the clone holds objects, rights or memberships."""
    memberships = _memberships(session, clone, pair.base)
    held = session.run(
        sql.SQL(
            "SELECT DISTINCT d.datname, s.deptype::text FROM pg_catalog.pg_shdepend s "
            "LEFT JOIN pg_catalog.pg_database d ON d.oid = s.dbid "
            "WHERE s.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass AND s.refobjid = {} "
            "AND s.classid <> 'pg_catalog.pg_auth_members'::pg_catalog.regclass"
        ).format(sql.Literal(clone.oid))
    )
    if not memberships and not held:
        return
    commands = [
        f"REVOKE {quoted(role)} FROM {quoted(clone.name)}; -- or: GRANT {quoted(role)} TO {quoted(pair.base)};"
        for role in memberships
    ]
    databases = sorted({database for database, _ in held if database} or ({session.database} if held else set()))
    owns, me = any(kind == "o" for _, kind in held), quoted(session.user)
    if owns:
        commands.append(f"GRANT {quoted(clone.name)}, {quoted(pair.base)} TO {me} GRANTED BY {me};")
    for database in databases:
        commands += _in_database(session, admin, database, clone, pair, owns=owns)
    if owns:
        commands.append(f"REVOKE {quoted(clone.name)} FROM {me} GRANTED BY {me};")
    raise ChangeRefused(
        "clone-holds-rights",
        f"{clone.name!r} owns objects, or holds rights or memberships of its own (as AWS's functions leave them). As an "
        f"alias of {pair.base!r} it would lose them. Nothing was changed.",
        "Run these commands in psql, as a superuser or whoever owns what they name; they give all to the base. Then rotate "
        "again. If that role is somebody else's, do not: rotate with the strategy single-user. (Where a right is not wanted, leave "
        "its GRANT out and keep the REVOKE.)\n" + "\n".join(commands) + "\n",
    )


def is_alias(session: Session, clone: Role, base: Role) -> bool:
    """Whether the clone is a direct member of the base that inherits from it and may SET ROLE to it."""
    query = sql.SQL("SELECT 1 FROM pg_catalog.pg_auth_members WHERE member = {} AND roleid = {}").format(
        sql.Literal(clone.oid), sql.Literal(base.oid)
    )
    if session.version >= 160000:  # noqa: PLR2004  each grant has its options since 16
        query += sql.SQL(" AND inherit_option AND set_option")
    return bool(session.run(query))


def members(session: Session, clone: Role, but: str) -> list[str]:
    """Who is a direct member of the clone, beside the admin and superusers."""
    return _granted(
        session, "JOIN pg_catalog.pg_roles r ON r.oid = m.member WHERE m.roleid = {} AND NOT r.rolsuper", clone, but
    )


def _memberships(session: Session, clone: Role, base: str) -> list[str]:
    """The roles beside the base that the clone is a direct member of."""
    return _granted(session, "JOIN pg_catalog.pg_roles r ON r.oid = m.roleid WHERE m.member = {}", clone, base)


def _granted(session: Session, condition: str, clone: Role, but: str) -> list[str]:
    """The names of the roles at the other end of grants of or to the clone."""
    query = sql.SQL("SELECT DISTINCT r.rolname FROM pg_catalog.pg_auth_members m ") + sql.SQL(condition).format(
        sql.Literal(clone.oid)
    )
    return [name for (name,) in session.run(query) if name != but]


def _in_database(
    session: Session, admin: Secret, database: str, clone: Role, pair: Pair, *, owns: bool
) -> Iterator[str]:
    """The commands for one database, whose catalogs name what is there."""
    yield f"\\connect {quoted(database)}"
    if owns:
        yield f"REASSIGN OWNED BY {quoted(clone.name)} TO {quoted(pair.base)};"
    with session.elsewhere(admin.with_fields(admin.name, dbname=database)) as there:
        role = {"role": sql.Literal(clone.oid)}
        parameters = sql.SQL(_PARAMETERS if there.version >= 150000 else "")  # noqa: PLR2004
        for right, on, grantable in there.run(sql.SQL(_RIGHTS).format(**role, parameters=parameters)):
            option = " WITH GRANT OPTION" if grantable else ""
            yield f"GRANT {right} ON {on} TO {quoted(pair.base)}{option};"
            yield f"REVOKE {right} ON {on} FROM {quoted(clone.name)};"
        for row in there.run(sql.SQL(_DEFAULTS).format(**role)):
            yield from _default_commands(*row, clone=clone.name, base=pair.base)
        for (described,) in there.run(sql.SQL(_OTHERS).format(**role)):
            yield f"-- by hand: {described} names {quoted(clone.name)}, and should name {quoted(pair.base)}"


def _default_commands(  # noqa: PLR0913  the columns of one row
    giver: str, schema: str | None, right: str, kind: str, getter: str | None, *, clone: str, base: str
) -> Iterator[str]:
    """ALTER DEFAULT PRIVILEGES: the same for the base, and not for the clone."""
    within = f" IN SCHEMA {quoted(schema)}" if schema else ""

    def command(of: str, verb: str, to: str | None) -> str:
        name = "PUBLIC" if to is None else quoted(to)
        return f"ALTER DEFAULT PRIVILEGES FOR ROLE {quoted(of)}{within} {verb} {name};"

    yield command(base if giver == clone else giver, f"GRANT {right} ON {kind} TO", base if getter == clone else getter)
    yield command(giver, f"REVOKE {right} ON {kind} FROM", getter)
