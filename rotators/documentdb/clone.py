"""One turn of two users who alternate (A2, A3): the clone gets what the base has, the password is set last.

A user cannot be locked here: a new clone is made with a password that nobody knows. Its roles are compared with the base's at
each turn, by a second reading, before it gets pending's password; one command does that, with the mechanisms it logs in by.
"""

import secrets
from dataclasses import dataclass, field

from common import clock
from common.errors import ChangeRefused, TakeoverRefused, TargetError
from common.target import Pair
from rotators.documentdb.session import Document, Session
from rotators.documentdb.users import User, admins, read_user, require_resettable, shown


@dataclass(frozen=True)
class Turn:
    """A turn, on the admin's session. database: where both are users. current: the user whose turn it was.

    proven: a version of the secret has logged in as the other user
    """

    session: Session
    pair: Pair
    database: str
    current: str
    password: str = field(repr=False)
    proven: bool

    def take(self, pending: str) -> None:
        """A2 for the user whose turn it is, then A3."""
        if self.current not in (self.pair.base, self.pair.clone):
            raise TakeoverRefused("user-not-ours", "AWSCURRENT's user is neither of the two.", "Correct 'username'.")
        base = require_resettable(self.session, self._read(self.pair.base), self.pair.base)
        clone = self._read(self.pair.clone)
        if clone is not None:
            require_resettable(self.session, clone, self.pair.clone)
        if pending == self.pair.base:
            self._require_nothing_of_its_own(base, clone)
            self._require_takeover(clone, base)
        else:
            self._require_takeover(base, clone)
            self._sync(base, clone)
        self._change(base, pending, "set the password", **base.with_password(self.password))

    def _read(self, name: str) -> User | None:
        return read_user(self.session, name, self.database)

    def _require_takeover(self, mine: User | None, other: User | None) -> None:
        """W5: the other user, where it is not proven to be this secret's, has nothing that current has not."""
        more = mine.gains(other) if other and mine and not self.proven else []
        if more:
            raise TakeoverRefused(
                "user-not-ours",
                f"No version of this secret logs in as {other}, which has what {mine} has not: {', '.join(more)}.",
                "Nothing was changed. If it is this secret's, put a version with its password into the secret, or take that "
                "from it; else rename one of the two.",
            )

    def _require_nothing_of_its_own(self, base: User, clone: User | None) -> None:
        """A2, the base's turn: what only the clone has would be lost with AWSCURRENT; the base is never touched."""
        more = clone.roles - base.roles if clone else frozenset()
        if more:
            roles = [{"role": role, "db": db} for role, db in sorted(more)]
            raise ChangeRefused(
                "clone-holds-rights",
                f"{clone} has roles that {base} has not, and would lose them: {', '.join(shown(more))}. Nothing was changed.",
                f"In the database {base.database!r} run one of the two: db.grantRolesToUser({base.name!r}, {roles}), or "
                f"db.revokeRolesFromUser({self.pair.clone!r}, {roles}).",
            )

    def _sync(self, base: User, clone: User | None) -> None:
        """A2, the clone's turn: what the base has, and a second reading of it."""
        wanted = base.roles_and_restrictions
        if clone is None:
            password = "".join(secrets.SystemRandom().sample(self.password, len(self.password)))
            self._run(
                base, "create the clone", {"createUser": self.pair.clone, **base.with_password(password), **wanted}
            )
        elif not clone.is_like(base):
            lifted: Document = {"authenticationRestrictions": []} if clone.restrictions else {}
            self._change(base, self.pair.clone, "give the clone its roles", **{**lifted, **wanted})
        found = self._read(self.pair.clone)
        if found is None or not found.is_like(base):
            raise TargetError(
                "clone-differs",
                f"{self.pair.clone!r} does not come to have what {base} has; its password was not changed.",
                f"Compare the two by usersInfo. {base} still logs in.",
            )

    def _change(self, base: User, name: str, what: str, **fields: object) -> None:
        self._run(base, what, {"updateUser": name, **fields})

    def _run(self, base: User, what: str, command: Document) -> None:
        """A command on the database where the server says that the base is."""
        clock.before_change()
        with admins(self.session, what, "userAdmin on the users' database, or userAdminAnyDatabase"):
            self.session.run(base.database, command)
