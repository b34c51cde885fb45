"""SQL as Redshift reads it, cut into tokens: the first step of every check.

Sources: Amazon Redshift Database Developer Guide, "Names and identifiers" (identifiers), "CREATE USER" (a backslash in a
string is doubled: it escapes what follows). Comments are refused, though Redshift has them: a rotation function needs none,
and whoever gets one into a statement has broken a quotation.
"""

import re
from dataclasses import dataclass

from testkit.redshift.errors import Refused, not_emulated

_TOKEN = re.compile(
    r"""
      (?P<space>\s+)
    | (?P<comment>--|/\*)
    | (?P<body>\$(?:[A-Za-z_]\w*)?\$)
    | (?P<string>'(?:[^'\\]|''|\\.)*')
    | (?P<quoted>"(?:[^"]|"")*")
    | (?P<number>\d+(?:\.\d*)?)
    | (?P<word>[^\W\d](?:[\w$])*)
    | (?P<sign>::|:=|<>|!=|<=|>=|\|\||[-+*/<>=~!%^&|,.;:()\[\]?@\#$])
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True)
class Token:
    """kind: word, quoted, string, number, sign or body. text: as written. value: what it means, unquoted."""

    kind: str
    text: str
    value: str

    def says(self, wanted: str) -> bool:
        """Whether this is that keyword or sign."""
        return self.value == wanted if self.kind == "sign" else self.kind == "word" and self.value.upper() == wanted


def tokenize(text: str) -> list[Token]:
    """The tokens of a text. Raises Refused, 42601, where a quotation does not end or a comment begins."""
    found, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        kind = match.lastgroup if match else None
        if match is None or kind == "comment":
            raise Refused("42601", f'syntax error at or near "{text[at : at + 2]}"')
        at = match.end()
        if kind == "body":  # the text of a function; it has no escapes
            end = text.find(match[0], at)
            if end < 0:
                raise Refused("42601", "unterminated dollar-quoted string")
            found.append(Token("body", text[match.start() : end + len(match[0])], text[at:end]))
            at = end + len(match[0])
        elif kind and kind != "space":
            found.append(Token(kind, match[0], _value(kind, match[0])))
    return found


def statements(tokens: list[Token]) -> list[list[Token]]:
    """One list of tokens for each statement; empty ones are left out."""
    found: list[list[Token]] = [[]]
    for token in tokens:
        if token.says(";"):
            found.append([])
        else:
            found[-1].append(token)
    return [one for one in found if one]


def _value(kind: str, text: str) -> str:
    if kind == "quoted":
        return text[1:-1].replace('""', '"')
    if kind == "string":
        return re.sub(r"\\(.)|''", _unescaped, text[1:-1], flags=re.DOTALL)
    return text


def _unescaped(found: re.Match[str]) -> str:
    if found[1] not in {None, "'", "\\"}:
        raise not_emulated(f"the escape {found[0]}")
    return found[1] or "'"
