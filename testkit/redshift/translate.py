"""Each statement that Redshift documents, as PostgreSQL's. What is not emulated says so (0A000), and is not just ignored."""

from collections.abc import Callable

from testkit.redshift import identities, ordinary, rights, settings
from testkit.redshift.errors import not_emulated
from testkit.redshift.grammar import parse
from testkit.redshift.matcher import Node
from testkit.redshift.names import Names, Raw, call
from testkit.redshift.steps import Step, answered
from testkit.redshift.tokens import Token
from testkit.redshift.words import SYSTEM_PERMISSIONS


def translate(tokens: list[Token], names: Names) -> list[Step]:
    """The steps for one statement. Raises Refused."""
    node = parse(tokens)
    if node is None:
        return ordinary.translate(tokens, names)
    if node.rule not in _RULES:
        raise not_emulated(node.rule.replace("_", " "))
    return _RULES[node.rule](node, names)


def _system(node: Node, names: Names) -> list[Step]:
    """Permissions of the system, which only roles have."""
    entries: list[object] = [part.words for part in node.all("system")] or list(SYSTEM_PERMISSIONS)
    return rights.noted_for_identity(node, names, "system", entries, "to_role")


def _rls(node: Node, names: Names) -> list[Step]:
    entries: list[object] = [" ".join(token.value.upper() for token in node.tokens[1:3])]
    return rights.noted_for_identity(node, names, "system", entries, "to_role")


def _assumerole(node: Node, names: Names) -> list[Step]:
    """ASSUMEROLE; for PUBLIC, who has it on a new cluster, it is not emulated."""
    if any(names.identity(part).kind == "public" for part in node.all("plain_grantee") + node.all("loser")):
        raise not_emulated("ASSUMEROLE for PUBLIC")
    commands = [part.words for part in node.all("command")]
    if "ALL" in commands:
        commands = ["COPY", "UNLOAD", "CREATE MODEL", "EXFUNC"]
    commands = ["EXFUNC" if one == "EXTERNAL FUNCTION" else one for one in commands]
    arns = ["default-aws-iam-role" if part.has("DEFAULT") else part.tokens[0].value for part in node.all("iam_role")]
    entries: list[object] = [[arn, command] for arn in arns for command in commands]
    return rights.noted_for_identity(node, names, "iam", entries, "plain_grantee", "loser")


def _datashare(node: Node, names: Names) -> list[Step]:
    """ALTER and SHARE of a datashare, which need not exist; a REVOKE takes the option with the right."""
    options = {names.identity(part).option for part in node.all("grantee")} or {True, False}
    share, right = names.of(node.one("datashare")), node.one("share_right").words
    entries: list[object] = [[share, right, option] for option in sorted(options)]
    return rights.noted_for_identity(node, names, "datashare", entries, "grantee", "loser")


def _policy(node: Node, names: Names) -> list[Step]:
    """ATTACH and DETACH, of policies on rows and on columns."""
    kind, attached = ("rls" if node.rule.endswith("rls") else "masking"), node.rule.startswith("attach")
    policy = names.of(node.one("policy"))
    outputs = ", ".join(names.all(node.one("outputs"), "column")) if kind == "masking" else ""
    inputs = node.first("inputs")
    priority = int(node.tokens[-1].value) if node.has("PRIORITY") else 0
    return answered(
        f"{'ATTACH' if attached else 'DETACH'} {kind.upper()} POLICY",
        (
            f"SELECT {call('attach', kind, policy, names.path(relation), outputs, ', '.join(names.all(inputs, 'column')) if inputs else outputs, _of(person, names), priority, attached)}"
            for relation in node.all("relation")
            for person in node.all("policy_user")
        ),
    )


def _of(person: Node, names: Names) -> Raw:
    return names.identity(person).oid


_RULES: dict[str, Callable[[Node, Names], list[Step]]] = {
    **{
        name: getattr(identities, name)
        for name in (
            "create_user", "alter_user", "drop_user", "create_group", "alter_group", "drop_group",
            "create_role", "alter_role", "drop_role", "grant_role", "revoke_role",
        )
    },
    "revoke_role_from_role": identities.revoke_role,
    "grant_on": rights.on_object, "revoke_on": rights.on_object,
    "grant_columns": rights.on_columns, "revoke_columns": rights.on_columns,
    "grant_scoped": rights.scoped, "revoke_scoped": rights.scoped,
    "default_privileges": rights.default_privileges,
    "grant_system": _system, "revoke_system": _system, "grant_rls": _rls, "revoke_rls": _rls,
    "grant_assumerole": _assumerole, "revoke_assumerole": _assumerole,
    "grant_datashare": _datashare, "revoke_datashare": _datashare,
    "attach_rls": _policy, "detach_rls": _policy, "attach_masking": _policy, "detach_masking": _policy,
    "set": settings.set_parameter, "reset_session": settings.reset, "show": settings.show,
    "set_authorization": settings.set_authorization, "characteristics": settings.as_written,
    "begin": settings.as_written, "commit": settings.as_written, "rollback": settings.as_written,
}  # fmt: skip
