"""One turn of two users who alternate (A2, A3): the clone gets what the base has, the password is set last.

MySQL has no role that is an alias and no transaction around GRANT, so each turn compares: what the base has and the
clone lacks is granted, what the base no longer has is revoked, and it is read again before the password is set. A new
clone is locked until then; an existing one, which serves AWSPREVIOUS, never is. A death anywhere leaves at worst a new clone
that cannot log in, or an old one between what it had and what it is to have: AWSCURRENT is the other one.
"""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from common import clock
from common.errors import ChangeRefused, TakeoverRefused, TargetError
from common.target import Pair, Proven
from rotators.mysql import accounts, passwords
from rotators.mysql.accounts import Held, granted, named, read_accounts
from rotators.mysql.errors import VOID
from rotators.mysql.grants import Right, beyond
from rotators.mysql.options import Options
from rotators.mysql.session import Session

PASSES = 3  # a REVOKE of ALL PRIVILEGES takes what was granted singly with it: then it is granted again


@dataclass(frozen=True)
class Turn:
    """A turn, on the admin's session. current: the user whose turn it was; password: pending's.

    proven: the hosts of the accounts that have logged in
    """

    session: Session
    pair: Pair
    current: str
    password: str = field(repr=False)
    proven: Proven

    def take(self, pending: str) -> None:
        """A2 for the user whose turn it is, then A3."""
        base, clone = (read_accounts(self.session, user) for user in (self.pair.base, self.pair.clone))
        self._require_harmless(base, clone)
        if pending == self.pair.clone:
            own = accounts.own_account(self.pair.base, base, self.proven.current)
            # The clone gets what each of the base's accounts has, with a password that the secret's readers know.
            accounts.require_no_more_elsewhere(self.session, own, base)
            self._require_takeover(own, clone)
            self._sync(base)
        else:
            own = accounts.own_account(self.pair.clone, clone, self.proven.current)
            self._require_nothing_of_its_own(base, clone)
            self._require_takeover(own, base)
        names = [named(self.session, pending, held.host) for held in base]
        # An expiry that has come ends with the new password.
        accounts.change_passwords(self.session, pending, names, self.password, "ACCOUNT UNLOCK")

    def _require_harmless(self, base: list[Held], clone: list[Held]) -> None:
        """W5 and W4: the base is there, neither is the admin, none has powers or is a role, each logs in by a password."""
        if self.current not in (self.pair.base, self.pair.clone):
            raise TakeoverRefused("user-not-ours", "AWSCURRENT's user is neither of the two.", "Correct 'username'.")
        for user, found in ((self.pair.base, base), (self.pair.clone, clone)):
            accounts.require_powerless(self.session, user, found)
        if not base:
            raise ChangeRefused(
                "user-missing", f"There is no user {self.pair.base!r}.", "Create it, or correct 'username'."
            )
        accounts.require_password_logins(base)
        if accounts.is_a_role(self.session, self.pair.clone):
            raise TakeoverRefused(
                "user-not-ours",
                f"{self.pair.clone!r} is a role that somebody has: all of them would get what {self.pair.base!r} has.",
                "Nothing was changed. Rename the role, or rotate with the strategy single-user.",
            )

    def _require_takeover(self, own: Held, other: list[Held]) -> None:
        """W5: no account of the other user, but the one that has logged in, holds what current's own lacks."""
        for held in other:
            more = beyond(held.rights, own.rights)
            if more and held.host != self.proven.other:
                raise TakeoverRefused(
                    "user-not-ours",
                    f"No version of this secret logs in as {held.user!r} for the host {held.host!r}, which holds what "
                    f"{own.user!r} does not: {_shown(more[0])}.",
                    "Nothing was changed. If it is this secret's, put a version with its password into the secret, or "
                    "take from it what the other has not; else rename one of the two.",
                )

    def _require_nothing_of_its_own(self, base: list[Held], clone: list[Held]) -> None:
        """A2, the base's turn: what only the clone has would be lost with AWSCURRENT; the base is never touched."""
        by_host = {held.host: held for held in base}
        for held in clone:
            own = by_host.get(held.host)
            clone_name, base_name = (named(self.session, user, held.host) for user in (held.user, self.pair.base))
            commands = [f"CREATE USER {base_name}, or DROP USER {clone_name}"] if own is None else []
            more = beyond(held.rights, own.rights) if own else []
            commands += [f"{right.more(base_name)}, or {right.less(clone_name)}" for right in more]
            if own and held.options.roles - own.options.roles:
                roles = ", ".join(sorted(held.options.roles))
                commands.append(f"SET DEFAULT ROLE {roles} TO {base_name}, or SET DEFAULT ROLE NONE TO {clone_name}")
            if commands:
                raise ChangeRefused(
                    "clone-holds-rights",
                    f"{held.user!r} (for the host {held.host!r}) has what {self.pair.base!r} lacks, and would lose it. "
                    "Nothing was changed.",
                    f"Run, for each, one of the two: {'; '.join(commands)}.",
                )

    def _sync(self, base: list[Held]) -> None:
        """A2, the clone's turn: until it has what the base has, by its own reading."""
        void: set[Right] = set()  # on what is gone: the server keeps such rights, and gives them to nobody
        for _ in range(PASSES):
            clone = read_accounts(self.session, self.pair.clone)
            differing = list(self._differences([_without(held, void) for held in base], clone))
            if not differing:
                return
            for change in differing:
                clock.before_change()
                with granted(self.session, change.what, change.remedy):
                    if self._make(change) and change.right:
                        void.add(change.right)
        raise TargetError(
            "clone-differs",
            f"{self.pair.clone!r} does not come to have what {self.pair.base!r} has; its password was not changed.",
            f"Compare SHOW GRANTS and SHOW CREATE USER of the two. {self.pair.base!r} still logs in.",
        )

    def _make(self, change: "_Change") -> bool:
        """Run it; whether it was about a right on what is gone."""
        if isinstance(change.statement, str):
            return self.session.attempt(change.statement, *(VOID if change.right else ())) is not None
        change.statement()
        return False

    def _differences(self, base: list[Held], clone: list[Held]) -> "Iterator[_Change]":
        """What brings the clone nearer to the base; nothing where they are equal."""
        by_host = {held.host: held for held in clone}
        for held in base:
            name, own = named(self.session, self.pair.clone, held.host), by_host.pop(held.host, None)
            if own is None:
                yield _Change(f"make {self.pair.clone!r}", lambda name=name, held=held: self._create(name, held))  # type: ignore[misc]
                own = Held(self.pair.clone, held.host, frozenset(), replace(held.options, roles=frozenset()))
            if own.options.expired:
                own = replace(own, options=replace(own.options, kept=_as_if_not_expired(own.options, held.options)))
            if own.options.kept != held.options.kept:
                yield _Change(
                    f"set options of {self.pair.clone!r}", f"ALTER USER {name} {held.options.instead_of(own.options)}"
                )
            yield from self._rights(name, held.rights, own.rights)
            if own.options.roles != held.options.roles and _roles(own.rights) == _roles(held.rights):
                roles = ", ".join(sorted(held.options.roles)) or "NONE"
                yield _Change(
                    f"set the default roles of {self.pair.clone!r}", f"ALTER USER {name} DEFAULT ROLE {roles}"
                )
        for host in by_host:
            name = named(self.session, self.pair.clone, host)
            raise ChangeRefused(
                "clone-holds-rights",
                f"{self.pair.clone!r} has an account for the host {host!r}, for which {self.pair.base!r} has none.",
                f"Nothing was changed there. DROP USER {name}, or make {self.pair.base!r} for that host too.",
            )

    def _rights(self, name: str, wanted: frozenset[Right], found: frozenset[Right]) -> "Iterator[_Change]":
        """Give what is wanted, take what is not; a restriction ends with the right that it restricts."""
        ending = {right.privilege for right in found - wanted if right.on == "*.*"}
        for right in sorted(wanted - found, key=_roles_first):
            yield _Change(f"give {right.privilege} to {self.pair.clone!r}", right.grant(name), right)
        for right in sorted(found - wanted):
            if not (right.restricted and right.privilege in ending):
                yield _Change(f"take {right.privilege} from {self.pair.clone!r}", right.revoke(name))

    def _create(self, name: str, held: Held) -> None:
        """A new clone: locked, by a password that nobody knows, of pending's characters so that policies take it."""
        password = "".join(secrets.SystemRandom().sample(self.password, len(self.password)))
        passwords.create(
            self.session, name, held.options.plugin, password, f"{held.options.instead_of(None)} ACCOUNT LOCK"
        )


@dataclass(frozen=True)
class _Change:
    """What is done, in words; the statement, or what runs it; the right that it gives."""

    what: str
    statement: str | Callable[[], None]
    right: Right | None = None

    @property
    def remedy(self) -> str:
        """What lets an admin do it."""
        if self.right and self.right.privilege == "DEFAULT ROLE":
            return "GRANT UPDATE ON mysql.* TO {admin}"
        return f"GRANT … WITH GRANT OPTION, so that it may run: {self.statement if isinstance(self.statement, str) else 'CREATE USER'}"


def _without(held: Held, void: set[Right]) -> Held:
    return replace(held, rights=held.rights - void)


def _as_if_not_expired(clone: Options, base: Options) -> tuple[tuple[str, str], ...]:
    """SHOW CREATE USER says PASSWORD EXPIRE of an expiry that has come, and no longer how often it comes: as the base's."""
    return tuple((name, dict(base.kept)[name] if name == "PASSWORD EXPIRE" else value) for name, value in clone.kept)


def _roles(rights: frozenset[Right]) -> set[str]:
    return {right.on for right in rights if right.privilege == "ROLE"}


def _shown(right: Right) -> str:
    return f"{right.privilege} ON {right.on}" + (", without a restriction" if right.restricted else "")


def _roles_first(right: Right) -> tuple[bool, Right]:
    """A role is granted before it can be a default one, and a right before the option to pass it on."""
    return right.privilege != "ROLE", right
