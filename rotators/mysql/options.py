"""What an account is besides its rights: SHOW CREATE USER, read by the same grammar, as options that can be compared."""

from collections.abc import Sequence
from dataclasses import dataclass

from rotators.mysql.grants import joined, listed, tokens

# Options of CREATE USER in the order in which they may stand, with what holds where nothing is said.
_DEFAULTS = {
    "REQUIRE": "NONE",
    "MAX_QUERIES_PER_HOUR": "0",
    "MAX_UPDATES_PER_HOUR": "0",
    "MAX_CONNECTIONS_PER_HOUR": "0",
    "MAX_USER_CONNECTIONS": "0",
    "PASSWORD EXPIRE": "DEFAULT",
}
_OF_MYSQL = {
    "PASSWORD HISTORY": "DEFAULT",
    "PASSWORD REUSE INTERVAL": "DEFAULT",
    "PASSWORD REQUIRE CURRENT": "DEFAULT",
    "FAILED_LOGIN_ATTEMPTS": "0",
    "PASSWORD_LOCK_TIME": "0",
}
_OF_MARIADB = {"MAX_STATEMENT_TIME": "0"}
_LIMITS = (*(name for name in _DEFAULTS if name.startswith("MAX_")), *_OF_MARIADB)
_NAMES = (*_DEFAULTS, *_OF_MYSQL, *_OF_MARIADB, "WITH", "ACCOUNT", "DEFAULT ROLE", "ATTRIBUTE", "COMMENT")


@dataclass(frozen=True)
class Options:
    """An account's options. plugin: how it logs in. kept: what a clone has as its base has it. roles: its default ones.

    locked: whether it may not log in. expired: whether its password must be changed first.
    A lock and an expiry that has come are of the one account only, and attributes and comments mean nothing to the
    server: none of these is kept
    """

    plugin: str
    kept: tuple[tuple[str, str], ...]
    roles: frozenset[str]
    locked: bool = False
    expired: bool = False

    def instead_of(self, other: "Options | None") -> str:
        """As they stand in ALTER USER (or CREATE USER, instead of none), as far as they are not the other's."""
        before = dict(other.kept) if other else _DEFAULTS | _OF_MYSQL | _OF_MARIADB
        changed = {name: value for name, value in self.kept if before[name] != value}
        require = [f"REQUIRE {changed.pop('REQUIRE')}"] if "REQUIRE" in changed else []
        limits = [f"{name} {changed.pop(name)}" for name in _LIMITS if name in changed]
        limits = ["WITH", *limits] if limits else []
        return " ".join([*require, *limits, *(f"{name} {value}" for name, value in changed.items())])


def parse_options(row: str, *, mariadb: bool) -> Options:
    """The row of SHOW CREATE USER. ValueError for one of another form."""
    words = tokens(row)
    if words[:2] != ["CREATE", "USER"]:
        raise ValueError("not a CREATE USER")
    at = words.index("IDENTIFIED") if "IDENTIFIED" in words else len(words)
    plugin, rest = _method(words[at + 1 :])
    said = _sections(rest)
    defaults = _DEFAULTS | (_OF_MARIADB if mariadb else _OF_MYSQL)
    kept = {name: said.get(name, default) for name, default in defaults.items()}
    if mariadb:
        kept["MAX_STATEMENT_TIME"] = f"{float(kept['MAX_STATEMENT_TIME'].replace(' ', '')):g}"
    expired = kept["PASSWORD EXPIRE"] == ""  # it has come, which says nothing of how often it does
    kept["PASSWORD EXPIRE"] = kept["PASSWORD EXPIRE"] or "DEFAULT"
    roles = said.get("DEFAULT ROLE", "")
    default = frozenset(joined(one) for one in listed(tokens(roles)) if one)
    return Options(plugin, tuple(kept.items()), default, said.get("ACCOUNT") == "LOCK", expired)


def _method(words: list[str]) -> tuple[str, list[str]]:
    """The plugin by which the account logs in ("" where there is more than one way), and what stands after it."""
    if words[:2] == ["BY", "PASSWORD"]:
        return "mysql_native_password", words[3:]
    if not words or words[0] not in {"WITH", "VIA"}:
        return "", words
    plugin, at = words[1].strip("'`\""), 2
    if words[at : at + 1] in (["AS"], ["USING"]):
        at += 2
    return ("", words[at:]) if words[at : at + 1] in (["OR"], ["AND"]) else (plugin, words[at:])


def _sections(words: Sequence[str]) -> dict[str, str]:
    """{name of an option: what is said of it}."""
    found: dict[str, list[str]] = {}
    at, name = 0, ""
    while at < len(words):
        for candidate in _NAMES:
            parts = candidate.split()
            if list(words[at : at + len(parts)]) == parts:
                name, at = candidate, at + len(parts)
                found[name] = []
                break
        else:
            found.setdefault(name, []).append(words[at])
            at += 1
    return {name: joined(said) for name, said in found.items()}
