"""What an account holds: SHOW GRANTS, read by a grammar, as a set that can be compared, granted and revoked.

The server's own rows are the one complete list: static and dynamic privileges at every level, columns, routines, roles,
partial revokes, proxies. A row is cut into tokens first, so that a name that holds " TO " or a quote is one token.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""\s*(`(?:[^`]|``)*` | '(?:[^'\\]|''|\\.)*' | "(?:[^"\\]|""|\\.)*" | [^\s`'"(),.@]+ | [(),.@])""", re.VERBOSE
)
GRANT_OPTION = "GRANT OPTION"
POWERS = ("SUPER", "SYSTEM_USER", "ALL PRIVILEGES")  # no admin changes who holds one of these globally (W5)


@dataclass(frozen=True, order=True)
class Right:
    """One right. privilege: SELECT, SELECT (`a`), ROLE, DEFAULT ROLE, PROXY, GRANT OPTION (of all that stands on `on`).

    on: *.*, `d`.*, `d`.`t`, PROCEDURE `d`.`p`, a role, as the server writes it. option: may be passed on (a dynamic
    privilege, a role, a proxy). restricted: not a right but its opposite, a partial revoke
    """

    privilege: str
    on: str
    option: bool = False
    restricted: bool = False

    def grant(self, account: str) -> str:
        """The statement that gives it to an account, which is quoted already."""
        if self.restricted:
            return f"REVOKE {self.privilege} ON {self.on} FROM {account}"
        if self.privilege == "ROLE":
            return f"GRANT {self.on} TO {account}" + (" WITH ADMIN OPTION" if self.option else "")
        if self.privilege == "DEFAULT ROLE":
            return f"SET DEFAULT ROLE {self.on} FOR {account}"
        if self.privilege == GRANT_OPTION:
            return f"GRANT USAGE ON {self.on} TO {account} WITH GRANT OPTION"
        return f"GRANT {self.privilege} ON {self.on} TO {account}" + (" WITH GRANT OPTION" if self.option else "")

    def less(self, account: str) -> str:
        """The statement by which an account has no more of it than others: a right is taken, a restriction set."""
        return self.grant(account) if self.restricted else self.revoke(account)

    def more(self, account: str) -> str:
        """The statement by which an account has as much of it as others: a right is given, a restriction lifted."""
        return self.revoke(account) if self.restricted else self.grant(account)

    def revoke(self, account: str) -> str:
        """The statement that takes it away."""
        if self.restricted:
            return f"GRANT {self.privilege} ON {self.on} TO {account}"
        if self.privilege == "ROLE":
            return f"REVOKE {self.on} FROM {account}"
        if self.privilege == "DEFAULT ROLE":
            return f"SET DEFAULT ROLE NONE FOR {account}"
        return f"REVOKE {self.privilege} ON {self.on} FROM {account}"


def beyond(held: frozenset[Right], own: frozenset[Right]) -> list[Right]:
    """What `held` allows and `own` does not: rights that only it has, and restrictions that it lacks."""
    more = {right for right in held - own if not right.restricted}
    return sorted(more | {right for right in own - held if right.restricted})


def parse_grants(rows: Iterable[str]) -> frozenset[Right]:
    """The rows of SHOW GRANTS as rights. ValueError for a row that is none of a grant's forms."""
    return frozenset(right for row in rows for right in _parse(tokens(row)))


def tokens(text: str) -> list[str]:
    """The text in pieces: quoted names and texts whole, with their quotes; words; signs."""
    found, at = [], 0
    while at < len(text.rstrip()):
        token = _TOKEN.match(text, at)
        if token is None:
            raise ValueError("not a statement of this grammar")
        found.append(token[1])
        at = token.end()
    return found


def _parse(words: list[str]) -> Iterator[Right]:
    if words[:3] == ["SET", "DEFAULT", "ROLE"]:
        yield Right("DEFAULT ROLE", joined(words[3 : words.index("FOR")]))
        return
    verb, end = words[0], "FROM" if words[0] == "REVOKE" else "TO"
    if verb not in {"GRANT", "REVOKE"} or end not in words:
        raise ValueError("neither GRANT nor REVOKE")
    to = words.index(end)
    what, tail = words[1:to], words[to:]
    if "ON" not in what:
        option = _ends_with(tail, "WITH", "ADMIN", "OPTION")
        yield from (Right("ROLE", joined(role), option) for role in listed(what))
        return
    on = what.index("ON")
    passed_on = _ends_with(tail, "GRANT", "OPTION") or "GRANT" in tail
    yield from _privileges(listed(what[:on]), joined(what[on + 1 :]), passed_on=passed_on, restricted=verb == "REVOKE")


def _privileges(privileges: list[list[str]], on: str, *, passed_on: bool, restricted: bool) -> Iterator[Right]:
    """One right a privilege, and a column; GRANT OPTION is one of its own where it holds for all of a row."""
    static = False
    for words in privileges:
        name = " ".join(words[: words.index("(")] if "(" in words else words)
        own_option = "_" in name or name == "PROXY"  # dynamic privileges carry the option themselves
        static = static or not own_option
        columns = [joined(column) for column in listed(words[words.index("(") + 1 : -1])] if "(" in words else []
        for each in [f"{name} ({column})" for column in columns] or [name]:
            if name != "USAGE":
                yield Right(each, on, option=passed_on and own_option, restricted=restricted)
    if passed_on and static:
        yield Right(GRANT_OPTION, on)


def listed(words: list[str]) -> list[list[str]]:
    """The words between commas, but for commas in parentheses."""
    found: list[list[str]] = [[]]
    depth = 0
    for word in words:
        depth += {"(": 1, ")": -1}.get(word, 0)
        if word == "," and depth == 0:
            found.append([])
        else:
            found[-1].append(word)
    return found


def joined(words: list[str]) -> str:
    """The words as they stand in a statement: PROCEDURE `d`.`p`, `r`@`%`, *.*."""
    text = " ".join(words)
    return (
        re.sub(r" ?([.@]) ?", r"\1", text) if not any(word[:1] in "`'\"" for word in words) else _quoted_joined(words)
    )


def _quoted_joined(words: list[str]) -> str:
    """As `_joined`, where blanks, points and @ may stand within a name's quotes."""
    text = ""
    for word in words:
        glued = word in {".", "@"} or text[-1:] in {"", ".", "@"}
        text += word if glued else f" {word}"
    return text


def _ends_with(words: list[str], *end: str) -> bool:
    return tuple(words[-len(end) :]) == end
