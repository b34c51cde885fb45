"""The turn of one of two alternating users: A2 and A3, on the admin's connection.

The clone is a *login alias*: a member of the base and set to it (`ALTER ROLE clone SET role = base`). Whatever it
creates belongs to the base, whatever is granted to the base reaches it at once, and there is no right of its own to
copy or to lose. What does not come by membership is copied at each turn: connection limit, validity, replication,
settings.

All changes of a turn are one transaction, so that no death in between leaves half a clone.
"""

import re
from dataclasses import dataclass

from psycopg2 import sql

from common.errors import ChangeRefused, TakeoverRefused
from common.secret import Secret
from common.target import Pair
from rotators.libpq.names import listed, quoted
from rotators.postgres import holdings
from rotators.postgres.roles import POWERS, Role, RoleSettings, is_member, read_role, require_resettable, run
from rotators.postgres.session import Session

# Settings whose value is a list of names: each is quoted by itself (pg_dump's variable_is_guc_list_quote).
NAME_LISTS = {
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "temp_tablespaces",
    "unix_socket_directories",
}


@dataclass(frozen=True)
class Turn:
    """Whose turn it is, seen by the admin. proven: a version of the secret has logged in as the other user."""

    session: Session
    pair: Pair
    admin: Secret
    current: str
    proven: bool

    def to_clone(self, verifier: sql.Composable) -> None:
        """A2: make the clone if it is missing, bring it up to the base, compare. A3: let it log in, last."""
        base = self._base()
        clone = read_role(self.session, self.pair.clone)
        if clone is not None:
            self._require_takeover(base, clone)
        with self.session.transaction():
            if clone is None:
                self._run("CREATE ROLE {} NOLOGIN", what="create the clone", remedy="ALTER ROLE {admin} CREATEROLE")
            clone = self._synced(base)
            self._run(
                "ALTER ROLE {} LOGIN PASSWORD {}",
                verifier,
                what="set the clone's password",
                remedy="GRANT {clone} TO {admin} WITH ADMIN OPTION",
            )

    def to_base(self, verifier: sql.Composable) -> None:
        """A2: refuse what only the clone has. A3: set the base's password, in one statement; nothing else of it changes."""
        self._base()
        clone = read_role(self.session, self.pair.clone)
        if clone is not None:
            holdings.require_nothing_of_its_own(self.session, self.admin, clone, self.pair)
        if not self.proven and not is_member(self.session, self.current, self.pair.base, by_set_role=True):
            raise self._not_ours(
                self.pair.base, f"{self.current!r} may not SET ROLE to it, so it gains another user's rights by this"
            )
        with self.session.transaction():
            run(
                self.session,
                sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(self.pair.base), verifier),
                what=f"set the password of {self.pair.base!r}",
                remedy=self._remedy("GRANT {base} TO {admin} WITH ADMIN OPTION"),
            )

    def _base(self) -> Role:
        """The base, which may be set by an admin (W5) and is not expired."""
        base = require_resettable(self.session, self.pair.base, self.admin.text("username"))
        if base.expired:
            raise ChangeRefused(
                "user-expired",
                f"VALID UNTIL of {base.name!r} is past ({base.valid_until}): no password of it logs in.",
                f"ALTER ROLE {quoted(base.name)} VALID UNTIL 'infinity', or a date. A rotation never extends it.",
            )
        return base

    def _require_takeover(self, base: Role, clone: Role) -> None:
        """W5: an existing clone is the base's, holds nothing of its own, and nobody else may use it."""
        require_resettable(self.session, clone.name, self.admin.text("username"))
        powers = [power for power in POWERS if getattr(clone, power) and not getattr(base, power)]
        if powers:
            commands = "; ".join(f"ALTER ROLE {quoted(clone.name)} NO{power.upper()}" for power in powers)
            raise self._not_ours(clone.name, f"it has attributes that the base lacks: {commands}")
        holdings.require_nothing_of_its_own(self.session, self.admin, clone, self.pair)
        if is_member(self.session, clone.name, base.name):
            return
        others = holdings.members(self.session, clone, but=self.admin.text("username"))
        if others:
            commands = "; ".join(f"REVOKE {quoted(clone.name)} FROM {quoted(other)}" for other in others)
            raise ChangeRefused(
                "clone-has-members",
                f"{clone.name!r} is there already, and others may use it, who would get the rights of {base.name!r}.",
                f"If it is to be the clone, run: {commands};",
            )
        if not self.proven:
            raise self._not_ours(
                clone.name, f"it is no member of {base.name!r}, and no version of the secret logs in as it"
            )

    def _not_ours(self, user: str, why: str) -> TakeoverRefused:
        return TakeoverRefused(
            "user-not-ours",
            f"The other user, {user!r}, exists, and is not provably this secret's: {why}.",
            "Nothing was changed. If it is unrelated, rotate with the strategy single-user. If it is right, put its "
            "working password into a version of the secret that names it, or "
            f"GRANT {quoted(self.pair.base)} TO {quoted(self.pair.clone)}.",
        )

    def _synced(self, base: Role) -> Role:
        """Bring the clone up to the base; read back and compare."""
        clone = self._clone()
        if not holdings.is_alias(self.session, clone, base):
            options = " WITH INHERIT TRUE, SET TRUE" if self.session.version >= 160000 else ""  # noqa: PLR2004
            self._run(
                "GRANT {base} TO {}" + options,
                what=f"grant {base.name!r} to the clone",
                remedy="GRANT {base} TO {admin} WITH ADMIN OPTION",
            )
        if clone.connection_limit != base.connection_limit:
            self._alter("CONNECTION LIMIT {}", sql.Literal(base.connection_limit))
        if clone.valid_until != base.valid_until:
            self._alter("VALID UNTIL {}", sql.Literal(base.valid_until))
        if clone.replication != base.replication:
            self._alter("REPLICATION" if base.replication else "NOREPLICATION", remedy="ALTER ROLE {admin} REPLICATION")
        wanted = _alias_settings(base)
        self._set(wanted, clone.settings)
        clone = self._clone()
        copied = (clone.connection_limit, clone.valid_until, clone.replication, clone.settings)
        if copied != (base.connection_limit, base.valid_until, base.replication, wanted) or not holdings.is_alias(
            self.session, clone, base
        ):
            raise ChangeRefused(
                "clone-differs",
                f"{clone.name!r} is not as {base.name!r} is, also after it was brought up to it. Nothing was changed.",
                "Compare the two in pg_roles and pg_db_role_setting, and report it.",
            )
        return clone

    def _clone(self) -> Role:
        clone = read_role(self.session, self.pair.clone)
        assert clone is not None, "made above, in this transaction"  # noqa: S101
        return clone

    def _set(self, wanted: RoleSettings, found: RoleSettings) -> None:
        """Give the clone the wanted settings, and none besides."""
        for database, name in found.keys() - wanted.keys():
            self._alter("{in_database}RESET {name}", database=database, setting=name)
        for (database, name), value in wanted.items():
            if found.get((database, name)) != value:
                values = listed(value) if name in NAME_LISTS else [value]
                literals = sql.SQL(", ").join(map(sql.Literal, values))
                self._alter("{in_database}SET {name} = {}", literals, database=database, setting=name)

    def _alter(
        self,
        clause: str,
        value: sql.Composable | None = None,
        *,
        database: str | None = None,
        setting: str | None = None,
        remedy: str = "GRANT {clone} TO {admin} WITH ADMIN OPTION",
    ) -> None:
        """One ALTER ROLE of the clone."""
        parts = {
            "in_database": sql.SQL("IN DATABASE {} ").format(sql.Identifier(database)) if database else sql.SQL(""),
            "name": sql.Identifier(*(setting or "").split(".")),
        }
        values = [] if value is None else [value]
        statement = sql.SQL("ALTER ROLE {} ").format(sql.Identifier(self.pair.clone)) + sql.SQL(clause).format(
            *values, **parts
        )
        if setting and setting != "role":
            remedy = f"GRANT SET ON PARAMETER {setting} TO {{admin}}"
        run(
            self.session,
            statement,
            what=f"set {setting or clause.split(' {', maxsplit=1)[0]} of the clone",
            remedy=self._remedy(remedy),
        )

    def _run(self, statement: str, *values: sql.Composable, what: str, remedy: str) -> None:
        """A statement about the clone, its name first."""
        names = {"base": sql.Identifier(self.pair.base)}
        composed = sql.SQL(statement).format(sql.Identifier(self.pair.clone), *values, **names)
        run(self.session, composed, what=what, remedy=self._remedy(remedy))

    def _remedy(self, command: str) -> str:
        names = {"base": self.pair.base, "clone": self.pair.clone, "admin": self.admin.text("username")}
        return re.sub(r"{(\w+)}", lambda match: quoted(names[match[1]]), command)


def _alias_settings(base: Role) -> RoleSettings:
    """The base's settings, and `role`: the base, or the role that the base itself runs as."""
    own = base.settings.get((None, "role"), "none")
    return {(None, "role"): base.name} | base.settings | ({(None, "role"): base.name} if own.lower() == "none" else {})
