"""Reads a grammar written in a notation close to AWS's own, and matches tokens against it.

KEYWORD   ','  '('     a word or sign of the language
rule                   another rule, or one of the terminals in TERMINALS
[ x ]   { x }   x | y  optional, any number of times, either; ( x ) groups
x ,...                 one or several, with commas between them
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from testkit.redshift.errors import Refused
from testkit.redshift.tokens import Token

TERMINALS = ("identifier", "string", "number")
_WORD = re.compile(r",\.\.\.|'[^']+'|[A-Za-z_]+|[\[\]{}()|]")


@dataclass(frozen=True)
class Node:
    """What a rule has matched. tokens: all of it. parts: the rules in it, in order."""

    rule: str
    tokens: tuple[Token, ...]
    parts: "tuple[Node, ...]"

    def all(self, rule: str) -> "list[Node]":
        """The matches of this rule, in order, wherever in here."""
        return [one for part in self.parts for one in ([part] if part.rule == rule else part.all(rule))]

    def first(self, rule: str) -> "Node | None":
        """The first match of this rule."""
        return next(iter(self.all(rule)), None)

    def one(self, rule: str) -> "Node":
        """The first match of a rule that must be there."""
        return self.all(rule)[0]

    def has(self, keyword: str) -> bool:
        """Whether the keyword stands here, outside of the parts."""
        inside = {id(token) for part in self.parts for token in part.tokens}
        return any(token.says(keyword) and id(token) not in inside for token in self.tokens)

    @property
    def words(self) -> str:
        """The keywords, in capitals, with single spaces."""
        return " ".join(token.value.upper() for token in self.tokens)


Found = Iterator[tuple[int, tuple[Node, ...]]]


@dataclass
class _State:
    tokens: list[Token]
    furthest: int = 0


class Expression:
    """Something that matches tokens from a place on, perhaps in several ways."""

    def match(self, state: _State, at: int) -> Found:
        """Where the match ends, and the rules in it; the ways in order of preference."""
        raise NotImplementedError


@dataclass(frozen=True)
class _Keyword(Expression):
    text: str

    def match(self, state: _State, at: int) -> Found:
        state.furthest = max(state.furthest, at)
        if at < len(state.tokens) and state.tokens[at].says(self.text):
            yield at + 1, ()


@dataclass(frozen=True)
class _Sequence(Expression):
    parts: tuple[Expression, ...]

    def match(self, state: _State, at: int) -> Found:
        return self._from(0, state, at)

    def _from(self, index: int, state: _State, at: int) -> Found:
        if index == len(self.parts):
            yield at, ()
            return
        for end, found in self.parts[index].match(state, at):
            for last, more in self._from(index + 1, state, end):
                yield last, found + more


@dataclass(frozen=True)
class _Either(Expression):
    ways: tuple[Expression, ...]

    def match(self, state: _State, at: int) -> Found:
        for way in self.ways:
            yield from way.match(state, at)


@dataclass(frozen=True)
class _Repeated(Expression):
    part: Expression

    def match(self, state: _State, at: int) -> Found:
        for end, found in self.part.match(state, at):
            if end > at:
                for last, more in self.match(state, end):
                    yield last, found + more
        yield at, ()


@dataclass
class Grammar:
    """The rules of a language. `reserved`: words, in capitals, that are no identifier unless they are quoted."""

    reserved: frozenset[str]
    rules: dict[str, Expression] = field(default_factory=dict)

    def add(self, text: str) -> None:
        """Rules, each `name = …`, ended by an empty line or the next one's name."""
        for name, body in re.findall(r"^(\w+) = (.*(?:\n +.*)*)", text, re.MULTILINE):
            self.rules[name] = _Reader(_WORD.findall(body), self).expression()

    def parse(self, rule: str, tokens: list[Token]) -> Node:
        """The statement's structure. Raises Refused, 42601, with the token that fits nowhere."""
        state = _State(tokens)
        for end, found in self.rules[rule].match(state, 0):
            if end == len(tokens):
                return Node(rule, tuple(tokens), found)
            state.furthest = max(state.furthest, end)
        rest = tokens[state.furthest :]
        where = f'at or near "{rest[0].text}"' if rest else "at end of input"
        raise Refused("42601", f"syntax error {where}")


@dataclass(frozen=True)
class _Rule(Expression):
    name: str
    grammar: Grammar

    def match(self, state: _State, at: int) -> Found:
        if self.name in TERMINALS:
            state.furthest = max(state.furthest, at)
            if at < len(state.tokens) and self._terminal(state.tokens[at]):
                yield at + 1, ()
            return
        for end, parts in self.grammar.rules[self.name].match(state, at):
            yield end, (Node(self.name, tuple(state.tokens[at:end]), parts),)

    def _terminal(self, token: Token) -> bool:
        if self.name != "identifier":
            return token.kind == self.name
        return token.kind == "quoted" or (token.kind == "word" and token.value.upper() not in self.grammar.reserved)


@dataclass
class _Reader:
    """Reads the notation."""

    words: list[str]
    grammar: Grammar

    def expression(self) -> Expression:
        ways = [self._sequence()]
        while self.words and self.words[0] == "|":
            self.words.pop(0)
            ways.append(self._sequence())
        return ways[0] if len(ways) == 1 else _Either(tuple(ways))

    def _sequence(self) -> Expression:
        parts: list[Expression] = []
        while self.words and self.words[0] not in "|)]}":
            part = self._part()
            if self.words and self.words[0] == ",...":
                self.words.pop(0)
                part = _Sequence((part, _Repeated(_Sequence((_Keyword(","), part)))))
            parts.append(part)
        return _Sequence(tuple(parts))

    def _part(self) -> Expression:
        word = self.words.pop(0)
        if word in "[{(":
            inner = self.expression()
            self.words.pop(0)
            return {"[": _Either((inner, _Sequence(()))), "{": _Repeated(inner), "(": inner}[word]
        if word.startswith("'"):
            return _Keyword(word.strip("'"))
        return _Keyword(word) if word.isupper() else _Rule(word, self.grammar)
