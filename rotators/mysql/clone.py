"""One turn of two users who alternate (A2, A3): the clone gets what the base has, the password is set last.

MySQL has no role that is an alias and no transaction around GRANT, so each turn compares: what the base has and the
clone lacks is granted, what the base no longer has is revoked, and it is read again before the password is set. A new
clone is locked until then; an existing one, which serves AWSPREVIOUS, never is. A death anywhere leaves at worst a clone
that cannot log in, or one that lacks nothing that it had.
"""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace

from common import clock
from common.errors import ChangeRefused, TakeoverRefused, TargetError
from common.target import Pair
from rotators.mysql import accounts, passwords
from rotators.mysql.accounts import Held, granted, named, read_accounts
from rotators.mysql.errors import method_refused
from rotators.mysql.grants import Right
from rotators.mysql.session import Session

PLUGINS = ("caching_sha2_password", "sha256_password", "mysql_native_password")
PASSES = 3  # a REVOKE of ALL PRIVILEGES takes what was granted singly with it: then it is granted again


@dataclass(frozen=True)
class Turn:
    """A turn, on the admin's session. current: the user whose turn it was; password: pending's."""

    session: Session
    pair: Pair
    current: str
    password: str
    proven: bool

    def take(self, pending: str) -> None:
        """A2 for the user whose turn it is, then A3."""
        base, clone = (read_accounts(self.session, user) for user in (self.pair.base, self.pair.clone))
        self._require_harmless(base, clone)
        if pending == self.pair.clone:
            self._require_takeover({held.host: held for held in base}, clone)
            self._sync(base)
        else:
            self._require_nothing_of_its_own(base, clone)
            self._require_takeover({held.host: held for held in clone}, base)
        names = [named(self.session, pending, held.host) for held in base]
        accounts.change_passwords(self.session, pending, names, self.password, "ACCOUNT UNLOCK")

    def _require_harmless(self, base: list[Held], clone: list[Held]) -> None:
        """W5 and W4: the base is there, neither is the admin, none has powers, each logs in by a password."""
        if self.current not in (self.pair.base, self.pair.clone):
            raise TakeoverRefused("user-not-ours", "AWSCURRENT's user is neither of the two.", "Correct 'username'.")
        for user, found in ((self.pair.base, base), (self.pair.clone, clone)):
            accounts.require_powerless(self.session, user, found)
        if not base:
            raise ChangeRefused(
                "user-missing", f"There is no user {self.pair.base!r}.", "Create it, or correct 'username'."
            )
        for held in base:
            if held.options.plugin not in PLUGINS:
                raise method_refused(self.session.account)

    def _require_takeover(self, current: dict[str, Held], other: list[Held]) -> None:
        """W5: the other user, where it is not proven to be this secret's, holds nothing that current lacks."""
        for held in other if not self.proven else []:
            own = current.get(held.host)
            more = sorted(held.rights - own.rights) if own else []
            if own is None or more:
                raise TakeoverRefused(
                    "user-not-ours",
                    f"No version of this secret logs in as {held.user!r}, which holds what {self.current!r} does not"
                    + (f": {more[0].privilege} ON {more[0].on}." if more else f": an account for {held.host!r}."),
                    "Nothing was changed. If it is this secret's, put a version with its password into the secret, or "
                    "take from it what the other has not; else rename one of the two.",
                )

    def _require_nothing_of_its_own(self, base: list[Held], clone: list[Held]) -> None:
        """A2, the base's turn: what only the clone has would be lost with AWSCURRENT; the base is never touched."""
        by_host = {held.host: held for held in base}
        for held in clone:
            own = by_host.get(held.host)
            more = sorted(held.rights - own.rights) if own else []
            if own is None or more:
                clone_name, base_name = (named(self.session, user, held.host) for user in (held.user, self.pair.base))
                commands = [f"{right.grant(base_name)}, or {right.revoke(clone_name)}" for right in more]
                raise ChangeRefused(
                    "clone-holds-rights",
                    f"{held.user!r} (for the host {held.host!r}) has what {self.pair.base!r} lacks, and would lose it. "
                    "Nothing was changed.",
                    "Run, for each, one of the two: "
                    + "; ".join(commands or [f"CREATE USER {base_name}, or DROP USER {clone_name}"])
                    + ".",
                )

    def _sync(self, base: list[Held]) -> None:
        """A2, the clone's turn: until it has what the base has, by its own reading."""
        for _ in range(PASSES):
            differing = list(self._differences(base, read_accounts(self.session, self.pair.clone)))
            if not differing:
                return
            for what, statement in differing:
                clock.before_change()
                with granted(self.session, what, f"GRANT … WITH GRANT OPTION, so that it may run: {statement}"):
                    self.session.run(statement)
        raise TargetError(
            "clone-differs",
            f"{self.pair.clone!r} does not come to have what {self.pair.base!r} has; its password was not changed.",
            f"Compare SHOW GRANTS and SHOW CREATE USER of the two. {self.pair.base!r} still logs in.",
        )

    def _differences(self, base: list[Held], clone: list[Held]) -> Iterator[tuple[str, str]]:
        """(what it does, the statement) that brings the clone nearer to the base; none where they are equal."""
        by_host = {held.host: held for held in clone}
        for held in base:
            name, own = named(self.session, self.pair.clone, held.host), by_host.pop(held.host, None)
            if own is None:
                yield f"make {self.pair.clone!r}", self._created(name, held)
                own = Held(self.pair.clone, held.host, frozenset(), replace(held.options, roles=frozenset()))
            if own.options.kept != held.options.kept:
                yield f"set options of {self.pair.clone!r}", f"ALTER USER {name} {held.options.instead_of(own.options)}"
            for right in sorted(held.rights - own.rights, key=_roles_first):
                yield f"give {right.privilege} to {self.pair.clone!r}", right.grant(name)
            for right in sorted(own.rights - held.rights):
                yield f"take {right.privilege} from {self.pair.clone!r}", right.revoke(name)
            if own.options.roles != held.options.roles:
                roles = ", ".join(sorted(held.options.roles)) or "NONE"
                yield f"set the default roles of {self.pair.clone!r}", f"ALTER USER {name} DEFAULT ROLE {roles}"
        for host in by_host:
            name = named(self.session, self.pair.clone, host)
            raise ChangeRefused(
                "clone-holds-rights",
                f"{self.pair.clone!r} has an account for the host {host!r}, for which {self.pair.base!r} has none.",
                f"Nothing was changed there. DROP USER {name}, or make {self.pair.base!r} for that host too.",
            )

    def _created(self, name: str, held: Held) -> str:
        """A new clone: locked, by a password that nobody knows, of pending's characters so that policies take it."""
        password = "".join(secrets.SystemRandom().sample(self.password, len(self.password)))
        made = f"CREATE USER IF NOT EXISTS {name} IDENTIFIED"  # two deliveries at once
        if self.session.is_mariadb:
            hashed = passwords.native_hash(self.session, password)
            return f"{made} BY PASSWORD {hashed} {held.options.instead_of(None)} ACCOUNT LOCK"
        by = f"WITH {held.options.plugin} BY {self.session.text(password)}"
        return f"{made} {by} {held.options.instead_of(None)} ACCOUNT LOCK"


def _roles_first(right: Right) -> tuple[bool, Right]:
    """A role is granted before it can be a default one, and a right before the option to pass it on."""
    return right.privilege != "ROLE", right
