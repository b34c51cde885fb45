"""Rights on objects: what PostgreSQL knows is really granted there, the rest noted by functions.sql.

Pages "GRANT" and "REVOKE". Noted only, and without effect on what a user can do: DROP and ALTER, USAGE of a database, all
scoped permissions, all system permissions but those of RBAC's own statements, ASSUMEROLE, datashares, policies.
"""

from dataclasses import dataclass

from testkit.redshift.errors import Refused
from testkit.redshift.matcher import Node
from testkit.redshift.names import Identity, Names, Raw, as_json, call, quoted
from testkit.redshift.steps import Step, answered

_RELATION = ("SELECT", "INSERT", "UPDATE", "DELETE", "REFERENCES", "TRUNCATE")
# What can be granted on a kind of object: what PostgreSQL knows, and what it does not know.
KINDS = {
    "relation": (_RELATION, ("DROP", "ALTER")),
    "database": (("CREATE", "TEMPORARY"), ("USAGE", "ALTER")),
    "schema": (("CREATE", "USAGE"), ("ALTER", "DROP")),
    "function": (("EXECUTE",), ()),
    "procedure": (("EXECUTE",), ()),
    "language": (("USAGE",), ()),
    "SCHEMAS": ((), ("CREATE", "USAGE", "ALTER", "DROP")),
    "TABLES": ((), (*_RELATION, "DROP", "ALTER")),
    "FUNCTIONS": ((), ("EXECUTE",)),
    "PROCEDURES": ((), ("EXECUTE",)),
    "LANGUAGES": ((), ("USAGE",)),
}


@dataclass(frozen=True)
class Change:
    """A GRANT or REVOKE. option_only: REVOKE GRANT OPTION FOR."""

    granted: bool
    option_only: bool
    people: list[Identity]

    @property
    def tag(self) -> str:
        """What the server answers."""
        return "GRANT" if self.granted else "REVOKE"

    def native(self, rights: str, on: str) -> list[str]:
        """The statements for rights that PostgreSQL knows: one for each, since each has its own GRANT OPTION."""
        if self.granted:
            return [f"GRANT {rights} ON {on} TO {one.sql}{' WITH GRANT OPTION' * one.option}" for one in self.people]
        option = "GRANT OPTION FOR " * self.option_only
        return [f"REVOKE {option}{rights} ON {on} FROM {one.sql}" for one in self.people]

    def noted(self, kind: str, objects: str, scope: str, rights: list[str]) -> list[str]:
        """The statements for the others. objects: a FROM clause that gives `o`, the objects' oids."""
        function = "grant_extra" if self.granted else "revoke_extra"
        return [
            f"SELECT {call(function, kind, Raw('o'), scope, rights, one.oid, one.option if self.granted else self.option_only)} FROM {objects}"
            for one in self.people
        ]

    def noted_on_database(self, database: str, scope: str, rights: list[str]) -> list[str]:
        """The statements for those on a database, which every database shows."""
        return [
            f"SELECT {call('change_database', database, scope, rights, one.oid, one.option, self.granted or self.option_only)}"
            for one in self.people
        ]


def change(node: Node, names: Names, *rules: str) -> Change:
    """What kind of change a node asks for."""
    people = [names.identity(part) for rule in rules for part in node.all(rule)]
    return Change(node.tokens[0].says("GRANT"), bool(node.all("option_for")), people)


def rights_of(node: Node, kind: str) -> tuple[list[str], list[str]]:
    """The rights in a node, those that PostgreSQL knows and the others. Raises Refused, 0LP01, where the kind has none such."""
    native, noted = KINDS[kind]
    wanted = [{"TEMP": "TEMPORARY"}.get(part.words, part.words) for part in node.one("rights").all("privilege")] or [
        *native,
        *noted,
    ]
    for one in wanted:
        if one not in native + noted:
            raise Refused("0LP01", f"invalid privilege type {one} for {kind.lower()}")
    return [one for one in wanted if one in native], [one for one in wanted if one in noted]


def on_object(node: Node, names: Names) -> list[Step]:
    """GRANT and REVOKE on relations, schemas, databases, routines, languages."""
    target = node.one("on_object").parts[0]
    kind = _kind(target)
    asked = change(node, names, "grantee", "loser")
    native, noted = rights_of(node, kind)
    statements = asked.native(", ".join(native), _on(kind, target, names)) if native else []
    if noted and kind == "database":
        for database in names.all(target, "database"):
            statements += asked.noted_on_database(database, "DATABASE", noted)
    elif noted:
        for objects in _objects(kind, target, names):
            statements += asked.noted(kind, objects, "SCHEMA" if kind == "schema" else "", noted)
    return answered(asked.tag, statements)


def _kind(target: Node) -> str:
    if target.rule == "routines":
        return "function" if target.has("FUNCTION") or target.has("FUNCTIONS") else "procedure"
    return {"on_database": "database", "on_schema": "schema", "on_language": "language", "tables": "relation"}[
        target.rule
    ]


def _on(kind: str, target: Node, names: Names) -> str:
    """What comes after ON, for PostgreSQL."""
    if target.has("ALL"):
        return f"ALL {'TABLES' if kind == 'relation' else kind.upper() + 'S'} IN SCHEMA " + ", ".join(
            quoted(one) for one in names.all(target, "schema")
        )
    if kind == "relation":
        return "TABLE " + ", ".join(names.path(part) for part in target.all("relation"))
    if target.rule == "routines":
        return kind.upper() + " " + ", ".join(_routine(part, names) for part in target.all("routine"))
    return kind.upper() + " " + ", ".join(quoted(one) for one in names.all(target, kind))


def _routine(part: Node, names: Names) -> str:
    end = next(index for index, token in enumerate(part.tokens) if token.says("("))
    name = names.path(Node("relation", part.tokens[:end], ()))
    return name + " ".join(token.text for token in part.tokens[end:])


def _objects(kind: str, target: Node, names: Names) -> list[str]:
    """FROM clauses that give the oids of relations or schemas."""
    if kind == "relation" and target.has("ALL"):
        return [f"{call('relations_in', quoted(one))} AS o" for one in names.all(target, "schema")]
    paths = [names.path(part) for part in target.all("relation")] or [
        quoted(one) for one in names.all(target, "schema")
    ]
    return [f"{call('object_oid', kind, path)} AS o" for path in paths]


def on_columns(node: Node, names: Names) -> list[Step]:
    """GRANT and REVOKE on columns; ALL is SELECT and UPDATE there."""
    asked = change(node, names, "plain_grantee", "loser")
    rights = []
    for part in node.all("column_right"):
        columns = ", ".join(quoted(one) for one in names.all(part, "column"))
        both = ("SELECT", "UPDATE") if part.has("ALL") else (part.tokens[0].value.upper(),)
        rights += [f"{one} ({columns})" for one in both]
    on = "TABLE " + ", ".join(names.path(part) for part in node.all("relation"))
    return answered(asked.tag, asked.native(", ".join(rights), on))


def scoped(node: Node, names: Names) -> list[Step]:
    """GRANT and REVOKE … FOR TABLES (and so on) IN SCHEMA or DATABASE."""
    scope, place = node.one("scope").words, node.one("scope_place")
    asked = change(node, names, "scoped_grantee", "scoped_loser")
    _, rights = rights_of(node, scope)
    schema = place.first("schema")
    if schema is None:
        return answered(asked.tag, asked.noted_on_database(names.of(place.one("database")), scope, rights))
    if scope in {"SCHEMAS", "LANGUAGES"} or place.all("in_database"):
        raise Refused("42601", "syntax error: this scope is a database's")
    objects = f"{call('object_oid', 'schema', quoted(names.of(schema)))} AS o"
    return answered(asked.tag, asked.noted("schema", objects, scope, rights))


_DEFAULTS = {"TABLES": "relation", "FUNCTIONS": "function", "PROCEDURES": "procedure"}


def default_privileges(node: Node, names: Names) -> list[Step]:
    """ALTER DEFAULT PRIVILEGES."""
    part = node.parts[-1]
    kind = _DEFAULTS[part.one("default_kind").words]
    asked = change(part, names, "grantee", "loser")
    native, noted = rights_of(part, kind)
    if kind == "procedure":  # PostgreSQL's FUNCTIONS are both
        native, noted = [], ["EXECUTE"]
    outer = [one for one in node.parts if one is not part]
    users: list[str] = [names.of(one) for one in outer if one.rule == "user"]
    schemas: list[str] = [names.of(one) for one in outer if one.rule == "schema"]
    head = "ALTER DEFAULT PRIVILEGES"
    head += f" FOR ROLE {', '.join(quoted(one) for one in users)}" if users else ""
    head += f" IN SCHEMA {', '.join(quoted(one) for one in schemas)}" if schemas else ""
    statements = (
        [f"{head} {one}" for one in asked.native(", ".join(native), part.one("default_kind").words)] if native else []
    )
    object_type = {"relation": "RELATION", "function": "FUNCTION", "procedure": "PROCEDURE"}[kind]
    if noted:
        statements += [
            f"SELECT {call('change_default', user, quoted(schema) if schema else None, object_type, noted, one.oid, one.option, asked.granted)}"
            for user in (*users,) or (None,)
            for schema in (*schemas,) or (None,)
            for one in asked.people
        ]
    return answered("ALTER DEFAULT PRIVILEGES", statements)


def noted_for_identity(node: Node, names: Names, key: str, entries: list[object], *rules: str) -> list[Step]:
    """Rights that are noted with the one who has them, for the whole cluster."""
    asked = change(node, names, *rules)
    return answered(
        asked.tag,
        (
            f"SELECT {call('note_list', one.kind, one.name, key, as_json(entries), asked.granted)}"
            for one in asked.people
        ),
    )
