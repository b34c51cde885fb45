"""What one statement of a client's becomes on PostgreSQL."""

from collections.abc import Iterable
from dataclasses import dataclass

from testkit.redshift.names import call


@dataclass(frozen=True)
class Step:
    """One statement for PostgreSQL.

    answer: what the client sees of it: None nothing, "" all of it, else only this command tag
    """

    sql: str
    answer: str | None = None


def answered(tag: str, statements: Iterable[str]) -> list[Step]:
    """Several statements that together answer as one."""
    every = list(statements)
    return [*(Step(sql) for sql in every[:-1]), Step(every[-1], tag)]


def calls(tag: str, function: str, *values: object) -> list[Step]:
    """A statement that is one call of functions.sql."""
    return [Step(f"SELECT {call(function, *values)}", tag)]
