"""Settings of a session: SET, RESET, SHOW, and ALTER USER … SET. Pages: "SET", "SHOW", "Configuration reference".

What Redshift has and PostgreSQL has not is kept as `redshift.<name>`, so that transactions and users' defaults work for it.
"""

from dataclasses import dataclass

from testkit.redshift.errors import Refused, not_emulated
from testkit.redshift.matcher import Node
from testkit.redshift.names import Names, folded, literal
from testkit.redshift.steps import Step
from testkit.redshift.words import DRIVERS_SETTINGS, OWN_SETTINGS, SHARED_SETTINGS

CASE_SENSITIVE = "enable_case_sensitive_identifier"
_TRUTHS = {"true": "true", "on": "true", "false": "false", "off": "false"}


@dataclass(frozen=True)
class Setting:
    """name: PostgreSQL's. sql: name and value, as after SET."""

    name: str
    sql: str = ""


def setting(node: Node, names: Names) -> Setting:
    """The setting that a node names, and its new value where it has one. Raises Refused, 42704, 22023."""
    parameter = names.of(node.one("parameter"))
    name = known(parameter)
    values = [_value(part) for part in node.all("value")]
    if parameter == CASE_SENSITIVE and values:
        if values[0].lower() not in _TRUTHS or len(values) > 1:
            raise Refused("22023", f'parameter "{parameter}" requires a Boolean value')
        values = [_TRUTHS[values[0].lower()]]
    elif parameter == "statement_timeout" and values and not values[0].isdigit():  # milliseconds, "statement_timeout"
        raise Refused("22023", f'parameter "{parameter}" requires an integer value')
    elif parameter in OWN_SETTINGS and len(values) > 1:
        raise Refused("22023", f"SET {parameter} takes only one argument")
    return Setting(name, f"{name} TO " + (", ".join(literal(value) for value in values) or "DEFAULT"))


def known(parameter: str) -> str:
    """PostgreSQL's name of a setting; those with a dot are variables of the session."""
    if parameter in OWN_SETTINGS:
        return f"redshift.{parameter}"
    if parameter in SHARED_SETTINGS | DRIVERS_SETTINGS or ("." in parameter and not parameter.startswith("redshift.")):
        return parameter
    raise Refused("42704", f'unrecognized configuration parameter "{parameter}"')


def _value(node: Node) -> str:
    return "".join(
        folded(token, keep=True) if token.kind in {"word", "quoted"} else token.value for token in node.tokens
    )


def set_parameter(node: Node, names: Names) -> list[Step]:
    """SET."""
    return [Step(f"SET {'LOCAL ' if node.has('LOCAL') else ''}{setting(node, names).sql}", "")]


def reset(node: Node, names: Names) -> list[Step]:
    """RESET."""
    return [Step(f"RESET {setting(node, names).name if node.parts else 'ALL'}", "")]


def show(node: Node, names: Names) -> list[Step]:
    """SHOW, of one parameter."""
    if not node.parts:
        raise not_emulated("SHOW ALL")
    parameter = names.of(node.one("parameter"))
    name = known(parameter)
    if parameter not in OWN_SETTINGS:
        return [Step(f"SHOW {name}", "")]
    return [Step(f"SELECT coalesce(current_setting('{name}', true), 'unset') AS {parameter}", "")]


def set_authorization(node: Node, names: Names) -> list[Step]:
    """SET SESSION AUTHORIZATION."""
    users = node.all("user")
    who = literal(names.of(users[0])) if users else "DEFAULT"
    return [Step(f"SET {'LOCAL ' if node.has('LOCAL') else ''}SESSION AUTHORIZATION {who}", "")]


def as_written(node: Node, _: Names) -> list[Step]:
    """BEGIN, COMMIT, ROLLBACK and the like: PostgreSQL's are the same."""
    return [Step(node.words, "")]
