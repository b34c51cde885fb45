"""Users, groups, roles and their memberships: statements of Redshift's as calls of functions.sql."""

from collections.abc import Callable

from testkit.redshift import passwords
from testkit.redshift.errors import Refused
from testkit.redshift.matcher import Node
from testkit.redshift.names import Names, as_json, call
from testkit.redshift.settings import setting
from testkit.redshift.steps import Step, answered, calls

Option = list[object]


def create_user(node: Node, names: Names) -> list[Step]:
    """CREATE USER."""
    user = names.of(node.one("user"))
    options = [
        _password(user, node),
        *(option for part in node.all("create_option") for option in _options(part, user, names)),
    ]
    kinds = [part.parts[0].rule for part in node.all("create_option")]
    if len(kinds) != len(set(kinds)):
        raise Refused("42601", "conflicting or redundant options")
    return calls("CREATE USER", "create_user", user, as_json(options))


def alter_user(node: Node, names: Names) -> list[Step]:
    """ALTER USER."""
    user = names.of(node.one("user"))
    return calls("ALTER USER", "alter_user", user, as_json(_options(node.one("alter_option"), user, names)))


def drop_user(node: Node, names: Names) -> list[Step]:
    """DROP USER."""
    users = names.all(node, "user")
    return answered("DROP USER", (f"SELECT {call('drop_user', user, node.has('EXISTS'))}" for user in users))


def _password(user: str, node: Node) -> Option:
    token = node.one("password").tokens[0]
    return [*passwords.options(user, token.value if token.kind == "string" else None)]


# The options whose value is one word: how functions.sql's set_option takes them.
_VALUES: dict[str, Callable[[str], Option]] = {
    "createdb": lambda word: ["createdb", not word.upper().startswith("NO")],
    "createuser": lambda word: ["createuser", not word.upper().startswith("NO")],
    "syslog": lambda word: ["syslog", word.upper()],
    "until": lambda word: ["until", word],
    "limit": lambda word: ["limit", -1 if word.upper() == "UNLIMITED" else int(word)],
    "timeout": lambda word: ["timeout", _timeout(int(word))],
    "no_timeout": lambda _: ["timeout", None],
    "identity": lambda word: ["external_id", word],
}


def _options(node: Node, user: str, names: Names) -> list[Option]:
    """The options in a node, as functions.sql's set_option takes them."""
    part = node.parts[0]
    if part.rule in _VALUES:
        return [_VALUES[part.rule](part.tokens[-1].value)]
    match part.rule:
        case "new_password":
            until = part.first("until")
            return [_password(user, part), *([_VALUES["until"](until.tokens[-1].value)] if until else [])]
        case "in_group":
            return [["in_group", group] for group in names.all(part, "group")]
        case "rename":
            return [["rename", names.of(Node("user", part.one("new_name").tokens, ()))]]
        case "reset":
            return [["reset", setting(part, names).name]]
        case _:
            return [["set", setting(part, names).sql]]


def _timeout(seconds: int) -> int:
    if not 60 <= seconds <= 1_728_000:
        raise Refused("22023", "the session timeout must be between 60 and 1728000 seconds")
    return seconds


def create_group(node: Node, names: Names) -> list[Step]:
    """CREATE GROUP."""
    return calls("CREATE GROUP", "create_group", names.of(node.one("group")), names.all(node, "user"))


def alter_group(node: Node, names: Names) -> list[Step]:
    """ALTER GROUP."""
    part = node.parts[1]
    action = {"add_users": "add", "drop_users": "drop", "rename": "rename"}[part.rule]
    values = names.all(part, "user") or names.all(part, "new_name")
    return calls("ALTER GROUP", "alter_group", names.of(node.one("group")), action, values)


def drop_group(node: Node, names: Names) -> list[Step]:
    """DROP GROUP."""
    return calls("DROP GROUP", "drop_group", names.of(node.one("group")))


def create_role(node: Node, names: Names) -> list[Step]:
    """CREATE ROLE."""
    identity = node.first("identity")
    return calls(
        "CREATE ROLE", "create_role", names.of(node.one("role")), identity.tokens[-1].value if identity else None
    )


def alter_role(node: Node, names: Names) -> list[Step]:
    """ALTER ROLE."""
    new, owner = node.all("new_name"), node.all("user")
    action, value = (
        ("rename", names.of(new[0]))
        if new
        else ("owner", names.of(owner[0]))
        if owner
        else ("external", node.tokens[-1].value)
    )
    return calls("ALTER ROLE", "alter_role", names.of(node.one("role")), action, value)


def drop_role(node: Node, names: Names) -> list[Step]:
    """DROP ROLE."""
    return calls("DROP ROLE", "drop_role", names.of(node.one("role")), node.has("FORCE"))


def grant_role(node: Node, names: Names) -> list[Step]:
    """GRANT ROLE."""
    roles = [names.of(part.one("role")) for part in node.all("granted_role")]
    members = [names.identity(part) for part in node.all("member")]
    return answered(
        "GRANT ROLE",
        (
            f"SELECT {call('grant_role', role, member.kind, member.name, member.option)}"
            for role in roles
            for member in members
        ),
    )


def revoke_role(node: Node, names: Names) -> list[Step]:
    """REVOKE ROLE."""
    roles = [names.of(part.one("role")) for part in node.all("granted_role")]
    members = [names.identity(part) for part in node.all("past_member") + node.all("to_role")]
    only_option = bool(node.all("admin_for"))
    return answered(
        "REVOKE ROLE",
        (
            f"SELECT {call('revoke_role', role, member.kind, member.name, only_option)}"
            for role in roles
            for member in members
        ),
    )
