"""Names, as Redshift reads them, and how they and values are written for PostgreSQL.

"Names and identifiers": ASCII letters of quoted identifiers are folded to lower case too, unless
enable_case_sensitive_identifier is on. "CREATE USER" and "enable_case_sensitive_identifier": the case of a *user's* name in
double quotes is always kept. The setting's page counts databases, schemas, tables and columns; of groups and roles no page
speaks: they follow the general rule here.
"""

import json
import string
from dataclasses import dataclass

from testkit.redshift.errors import not_emulated
from testkit.redshift.matcher import Node
from testkit.redshift.tokens import Token

_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


def folded(token: Token, *, keep: bool) -> str:
    """The name that a token stands for. keep: whether quotes preserve its case."""
    return token.value if keep and token.kind == "quoted" else token.value.translate(_LOWER)


def quoted(name: str) -> str:
    """An identifier for PostgreSQL."""
    if len(name.encode()) > 63:
        raise not_emulated("names of more than 63 bytes")
    return '"' + name.replace('"', '""') + '"'


def literal(value: object) -> str:
    """A value for PostgreSQL: text, number, truth, None, a list of texts."""
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if value is None:
        return "NULL"
    if isinstance(value, int):  # a truth too: `True` is true
        return str(value)
    if isinstance(value, list):
        return "ARRAY[" + ", ".join(literal(one) for one in value) + "]::text[]"
    raise TypeError(value)


def call(function: str, *values: object) -> str:
    """A call of one of functions.sql's functions."""
    return f"redshift_catalog.{function}({', '.join(_argument(value) for value in values)})"


@dataclass(frozen=True)
class Raw:
    """An argument that is SQL already."""

    sql: str


def as_json(value: object) -> Raw:
    """An argument as JSON."""
    return Raw(literal(json.dumps(value)) + "::jsonb")


def _argument(value: object) -> str:
    return value.sql if isinstance(value, Raw) else literal(value)


@dataclass(frozen=True)
class Identity:
    """Whom a right is for. kind: user, group, role or public. option: WITH GRANT (or ADMIN) OPTION."""

    kind: str
    name: str
    option: bool = False

    @property
    def sql(self) -> str:
        """PostgreSQL's name for it."""
        return {"public": "PUBLIC", "user": quoted(self.name)}.get(self.kind) or quoted(f"{self.kind}:{self.name}")

    @property
    def oid(self) -> Raw:
        """Its oid, looked up on the server."""
        return Raw(call("grantee", self.kind, self.name))


@dataclass(frozen=True)
class Names:
    """How a session reads names. case_sensitive: the session's enable_case_sensitive_identifier."""

    case_sensitive: bool

    def of(self, node: Node) -> str:
        """The name in a node (of a user, a group, a schema, …)."""
        keep = self.case_sensitive or node.rule == "user"
        name = "".join(folded(token, keep=keep) for token in node.tokens)
        if node.rule == "user" and name.startswith(("group:", "role:")):
            raise not_emulated("users of the namespaces `group` and `role`")
        return name

    def all(self, node: Node, rule: str) -> list[str]:
        """The names in all nodes of this rule."""
        return [self.of(one) for one in node.all(rule)]

    def path(self, node: Node) -> str:
        """A name with its schema, for PostgreSQL."""
        parts = [folded(token, keep=self.case_sensitive) for token in node.tokens if not token.says(".")]
        return ".".join(quoted(part) for part in parts)

    def identity(self, node: Node) -> Identity:
        """Whom a node names."""
        kind = next((part.rule for part in node.parts), "public")
        name = "public" if kind == "public" else self.of(node.parts[0])
        return Identity(kind, name, node.has("OPTION"))
