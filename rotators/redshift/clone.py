"""One turn of two users who alternate (A2, A3): the clone gets what the base has, the password is set last.

Redshift knows no role that is an alias: a user who alternates owns nothing, and what it holds is compared at each turn, in
every database of the cluster. What is granted in one database is one transaction there; the admin's own database comes last,
with groups, roles, attributes and the password. A new clone has no password until then; an existing one, which serves
AWSPREVIOUS, keeps its own.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from psycopg2 import sql

from common import clock
from common.errors import ChangeRefused, TakeoverRefused, TargetError
from common.target import Pair
from rotators.libpq.names import listed, quoted
from rotators.redshift.rights import KINDS, OF_A_DATABASE, Right, read_rights
from rotators.redshift.session import Session
from rotators.redshift.users import (
    User,
    admins,
    owned,
    read_user,
    require_powerless,
    require_resettable,
    require_superuser,
)

Statement = tuple[str, sql.Composable]  # what it does, in words
PASSES = 3  # a REVOKE on a table takes the rights on its columns with it: then they are granted again


@dataclass(frozen=True)
class Turn:
    """A turn. sessions: the admin's, its own database first. current: the user whose turn it was.

    proven: a version of the secret has logged in as the other user
    """

    sessions: tuple[Session, ...]
    pair: Pair
    current: str
    proven: bool

    def take(self, pending: str, password: sql.Composable) -> None:
        """A2 for the user whose turn it is, then A3."""
        main = self.sessions[0]
        if self.current not in (self.pair.base, self.pair.clone):
            raise TakeoverRefused("user-not-ours", "AWSCURRENT's user is neither of the two.", "Correct 'username'.")
        require_superuser(main)
        base = require_resettable(main, self.pair.base)
        clone = read_user(main, self.pair.clone)
        if clone is not None:
            require_powerless(main, clone)
        self._require_lasting(base, clone)
        held = [self._held(session) for session in self.sessions]
        if pending == self.pair.base:
            self._require_nothing_of_its_own(base, clone, held)
            self._require_takeover(clone, base, held)
            self._set_password(base, password, until=None)
            return
        self._require_takeover(base, clone, held)
        for right in [right for rights in held for right in rights[self.pair.base]]:
            right.grant(self.pair.clone)  # raises before anything is changed, where it is one that we cannot give
        if clone is None:
            self._create()
        for session, rights in list(zip(self.sessions, held, strict=True))[1:]:
            if rights[self.pair.base] != rights[self.pair.clone]:
                with session.transaction():
                    self._sync(session, rights)
        with main.transaction():
            self._sync(main, held[0])
            clone = self._sync_attributes(base)
            self._set_password(clone, password, until=base.valid_until)

    def _held(self, session: Session) -> dict[str, frozenset[Right]]:
        """What the two hold in a database; groups, roles and whatever else is the cluster's stand in the admin's own."""
        kinds = KINDS if session is self.sessions[0] else OF_A_DATABASE
        return read_rights(session, self.pair.base, self.pair.clone, kinds=kinds)

    def _require_lasting(self, base: User, clone: User | None) -> None:
        """Neither owns anything, which the other one could not alter, and the base has not expired."""
        if base.expired:
            raise ChangeRefused(
                "user-expired",
                f"VALID UNTIL of {base.name!r} is past ({base.valid_until}): no password of it logs in.",
                f"ALTER USER {quoted(base.name)} VALID UNTIL 'infinity', or a date. A rotation never extends it.",
            )
        for session in self.sessions:
            for user in (base, clone) if clone else (base,):
                if objects := owned(session, user):
                    raise ChangeRefused(
                        "user-owns-objects",
                        f"{user.name!r} owns objects in the database {session.database!r}, such as {', '.join(objects)}: on "
                        "Redshift an owner's rights cannot be given to a second user. Nothing was changed.",
                        "Give them to an owner who does not rotate (ALTER … OWNER TO …) and the base what it needs of them, "
                        "or set the secret's tag rotation:strategy to single-user.",
                    )

    def _require_takeover(self, mine: User | None, other: User | None, held: list[dict[str, frozenset[Right]]]) -> None:
        """W5: the other user, where it is not proven to be this secret's, holds nothing that current lacks."""
        if self.proven or other is None or mine is None:
            return
        more = [str(right) for rights in held for right in sorted(rights[other.name] - rights[mine.name])]
        more += sorted(other.powers - mine.powers)
        if more:
            raise TakeoverRefused(
                "user-not-ours",
                f"No version of this secret logs in as {other.name!r}, which holds what {mine.name!r} does not: {more[0]}.",
                "Nothing was changed. If it is this secret's, put a version with its password into the secret, or take from it "
                "what the other has not; else rename one of the two.",
            )

    def _require_nothing_of_its_own(
        self, base: User, clone: User | None, held: list[dict[str, frozenset[Right]]]
    ) -> None:
        """A2, the base's turn: what only the clone has would be lost with AWSCURRENT; the base is never touched."""
        more = [
            (session, right)
            for session, rights in zip(self.sessions, held, strict=True)
            for right in sorted(rights[self.pair.clone] - rights[self.pair.base])
        ]
        commands = [
            f"{_text(s, right.grant(base.name))}, or {_text(s, right.revoke(self.pair.clone))}" for s, right in more
        ]
        commands += [
            f"ALTER USER {quoted(base.name)} {give}, or ALTER USER {quoted(self.pair.clone)} {take}"
            for give, take in (clone.beyond(base) if clone else ())
        ]
        if commands:
            raise ChangeRefused(
                "clone-holds-rights",
                f"{self.pair.clone!r} has what {base.name!r} lacks, and would lose it. Nothing was changed.",
                f"Run, for each, one of the two: {'; '.join(commands)}.",
            )

    def _create(self) -> None:
        """A new clone, which cannot log in."""
        clock.before_change()
        with admins(self.sessions[0], "create the clone"):
            self.sessions[0].run(sql.SQL("CREATE USER {} PASSWORD DISABLE").format(sql.Identifier(self.pair.clone)))

    def _sync(self, session: Session, held: dict[str, frozenset[Right]]) -> None:
        """A2 in one database: until the clone has there what the base has, by its own reading. held: what was read last."""
        for _ in range(PASSES):
            base, clone = held[self.pair.base], held[self.pair.clone]
            if base == clone:
                return
            for right in sorted(clone - base, reverse=True):  # an option before its right
                self._run(session, f"take {right} from the clone", right.revoke(self.pair.clone))
            for right in sorted(base - clone):
                self._run(session, f"give {right} to the clone", right.grant(self.pair.clone))
            held = self._held(session)
        if held[self.pair.base] == held[self.pair.clone]:
            return
        base, clone = held[self.pair.base], held[self.pair.clone]
        raise _differs(self.pair, f"in the database {session.database!r}: {min(base ^ clone)}")

    def _sync_attributes(self, base: User) -> User:
        """A2: what a user is, beside what it holds; in the admin's own database. The clone as it is then."""
        main = self.sessions[0]
        for what, statement in self._attributes(base, self._clone()):
            self._run(main, what, statement)
        clone = self._clone()
        if clone.attributes != base.attributes:
            raise _differs(self.pair, "in its attributes")
        return clone

    def _attributes(self, base: User, clone: User) -> Iterator[Statement]:
        """One option a statement: AWS's page and AWS's own tools differ in how several are joined."""
        alter = sql.SQL("ALTER USER {} ").format(sql.Identifier(clone.name))
        if base.createdb != clone.createdb:
            yield "set CREATEDB", alter + sql.SQL("CREATEDB" if base.createdb else "NOCREATEDB")
        if base.connection_limit != clone.connection_limit:
            unlimited = not base.connection_limit.isdecimal()
            limit = sql.SQL("UNLIMITED") if unlimited else sql.Literal(int(base.connection_limit))
            yield "set CONNECTION LIMIT", alter + sql.SQL("CONNECTION LIMIT {}").format(limit)
        if base.syslog != clone.syslog:
            restricted = "UNRESTRICTED" if base.syslog == "UNRESTRICTED" else "RESTRICTED"
            yield "set SYSLOG ACCESS", alter + sql.SQL(f"SYSLOG ACCESS {restricted}")
        if base.session_timeout != clone.session_timeout:
            timeout = sql.SQL("SESSION TIMEOUT {}").format(sql.Literal(base.session_timeout))
            yield "set SESSION TIMEOUT", alter + (timeout if base.session_timeout else sql.SQL("RESET SESSION TIMEOUT"))
        for name in sorted(clone.settings.keys() - base.settings.keys()):
            yield f"reset {name}", alter + sql.SQL("RESET {}").format(sql.Identifier(*name.split(".")))
        for name, value in sorted(base.settings.items()):
            if clone.settings.get(name) != value:
                values = sql.SQL(", ").join(map(sql.Literal, listed(value) if name == "search_path" else [value]))
                yield f"set {name}", alter + sql.SQL("SET {} TO {}").format(sql.Identifier(*name.split(".")), values)

    def _clone(self) -> User:
        clone = read_user(self.sessions[0], self.pair.clone)
        if clone is None:
            raise _differs(self.pair, "in that it is gone")
        return clone

    def _set_password(self, user: User, password: sql.Composable, until: str | None) -> None:
        """A3, in one statement. until: how long it is to be valid; None: as it is."""
        statement = sql.SQL("ALTER USER {} PASSWORD {}").format(sql.Identifier(user.name), password)
        if until not in (None, user.valid_until):
            statement += sql.SQL(" VALID UNTIL {}").format(sql.Literal(until))
        clock.before_change()
        self._run(self.sessions[0], "set the password", statement)

    def _run(self, session: Session, what: str, statement: sql.Composable) -> None:
        with admins(session, what):
            session.run(statement)


def _differs(pair: Pair, where: str) -> TargetError:
    return TargetError(
        "clone-differs",
        f"{pair.clone!r} does not come to have what {pair.base!r} has ({where}); its password was not changed.",
        "A right that somebody else than the object's owner has granted can be taken by nobody but him: REVOKE it as that user "
        f"(SET SESSION AUTHORIZATION). {pair.base!r} still logs in.",
    )


def _text(session: Session, statement: sql.Composable) -> str:
    """A statement as it stands in an error."""
    return str(statement.as_string(session.connection))
