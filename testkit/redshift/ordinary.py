"""Queries, and what ordinary clients do to tables.

A query on the catalog is what a rotation function reads: it is parsed in sqlglot's Redshift dialect, may name only what
testkit/redshift/catalog.py lists, may call only what words.py lists, and is sent on to the emulated views. PostgreSQL itself refuses
columns that are not there (42703), since the views have no others.

Tables' own statements are there for the tests ("can the user read it?"): their names are folded, and they go on as they are.
"""

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from testkit.redshift.catalog import CATALOG, PREFIXES
from testkit.redshift.errors import Refused, not_emulated
from testkit.redshift.names import Names, folded, literal, quoted
from testkit.redshift.steps import Step
from testkit.redshift.tokens import Token
from testkit.redshift.words import FUNCTIONS

_TABLES = "INSERT UPDATE DELETE TRUNCATE CALL LOCK COMMENT".split()
_DDL = "TABLE TEMP TEMPORARY VIEW SCHEMA DATABASE FUNCTION PROCEDURE OR".split()
# "Unsupported PostgreSQL features", "Unsupported PostgreSQL functions", or in no page at all.
_UNKNOWN = "LATERAL FILTER RETURNING CONFLICT ORDINALITY TABLESAMPLE MATERIALIZED ARRAY CONCURRENTLY".split()
_TYPES = "REGCLASS REGROLE REGNAMESPACE REGPROC REGPROCEDURE REGTYPE JSON JSONB ACLITEM".split()
# Words that may stand before a bracket without being called.
_NOT_CALLED = frozenset(
    "IN AND OR NOT ANY ALL SOME EXISTS AS FROM ON WHERE SELECT OVER USING THEN WHEN ELSE BY UNION INTERSECT EXCEPT HAVING WITH JOIN CASE "
    "VARCHAR CHAR CHARACTER VARYING NUMERIC DECIMAL VALUES".split()
)


def translate(tokens: list[Token], names: Names) -> list[Step]:
    """The step for a query or a table's statement. Raises Refused."""
    head = tokens[0].value.upper()
    for token in tokens:
        if token.kind == "word" and token.value.upper() in _UNKNOWN:
            raise _near(token)
    if head in {"SELECT", "WITH"}:
        return [Step(query(tokens, names), "")]
    if head in _TABLES or (head in {"CREATE", "ALTER", "DROP"} and len(tokens) > 1 and tokens[1].value.upper() in _DDL):
        return [Step(_as_written(tokens, names), "")]
    raise _near(tokens[0])


def query(tokens: list[Token], names: Names) -> str:
    """A query for PostgreSQL."""
    _check_words(tokens)
    text = _text(tokens, names).replace("\\", "\\\\")  # sqlglot undoes it
    try:
        parsed = sqlglot.parse_one(text, read="redshift")
    except SqlglotError:
        raise Refused("42601", "syntax error in a query") from None
    if not isinstance(parsed, exp.Query):
        raise Refused("42601", f'syntax error at or near "{tokens[0].text}"')
    own = {one.alias_or_name for one in parsed.find_all(exp.CTE)}
    tables = [one for one in parsed.find_all(exp.Table) if one.db or one.name not in own]
    catalogs = [_to_catalog(one) for one in tables]
    if any(catalogs) and not all(catalogs):
        raise Refused("0A000", "Specified types or functions (one per INFO message) not supported on Redshift tables.")
    return parsed.sql(dialect="postgres")


def _to_catalog(table: exp.Table) -> bool:
    """Whether it is of the catalog; if so, it names the emulated one from now on."""
    name, schema = table.name.lower(), table.db.lower()
    if (
        schema == "redshift_catalog"
        or table.catalog
        or (schema in {"", "pg_catalog"} and name not in CATALOG and _reserved(schema, name))
    ):
        raise Refused("42P01", f'relation "{table.sql(dialect="postgres")}" does not exist')
    if schema == "information_schema":
        raise not_emulated("information_schema")
    if schema not in {"", "pg_catalog"} or name not in CATALOG:
        return False
    if not table.alias:
        table.set("alias", exp.TableAlias(this=exp.to_identifier(name)))
    table.set("db", exp.to_identifier("redshift_catalog"))
    return True


def _reserved(schema: str, name: str) -> bool:
    return schema == "pg_catalog" or name.startswith(PREFIXES)


def _check_words(tokens: list[Token]) -> None:
    """Functions and types that Redshift has not."""
    for token, following in zip(tokens, [*tokens[1:], None], strict=True):
        word = token.value.upper()
        if token.kind == "word" and word in _TYPES:
            raise Refused("42704", f'type "{token.value}" does not exist')
        called = token.kind in {"word", "quoted"} and following is not None and following.says("(")
        if called and word not in _NOT_CALLED and token.value.lower() not in FUNCTIONS:
            # A table with a list of its columns' names, `WITH x (a) AS`, looks the same: give no such list.
            raise Refused("42883", f"function {token.value.lower()} does not exist")


def _as_written(tokens: list[Token], names: Names) -> str:
    for token in tokens:
        if token.kind in {"word", "quoted"} and token.value.lower().startswith((*PREFIXES, "redshift_catalog")):
            raise not_emulated("changes of the catalog")
    return _text(tokens, names)


def _text(tokens: list[Token], names: Names) -> str:
    """The statement again, without ambiguity: strings without escapes, quoted names as Redshift reads them."""
    written = []
    for index, token in enumerate(tokens):
        owner = index > 1 and tokens[index - 1].says("TO") and tokens[index - 2].says("OWNER")
        if token.kind == "quoted":
            written.append(quoted(folded(token, keep=names.case_sensitive or owner)))
        elif token.kind == "string":
            written.append(literal(token.value))
        else:
            written.append(token.text)
    return " ".join(written)


def _near(token: Token) -> Refused:
    return Refused("42601", f'syntax error at or near "{token.text}"')
