"""The strategies that are explored, each with its server and what it promises."""

from dataclasses import replace

from common.dual_password import DualPassword
from common.issued_key import IssuedKey
from common.strategy import AlternatingUsers, SingleUser
from testkit.explorer import acts
from testkit.explorer.server import Server
from testkit.explorer.service import Service
from testkit.explorer.store import version_id
from testkit.explorer.world import BASE, Kept, Kind, State, User, Version

_FIRST = Kept((Version(version_id(0), (BASE, "*1", ""), frozenset({"AWSCURRENT"})),))
_ONE_USER = State(_FIRST, _FIRST, users=((BASE, User("*1")),)).renamed()
_ONE_KEY = State(_FIRST, _FIRST, keys=(("*1", ""),)).renamed()
_KEY_ACTS = (
    *acts.ALWAYS,
    acts.HANDMADE,
)  # a key of somebody's typing proves nothing to a service: a rotation heals no such edit

SINGLE_USER = Kind(
    "single-user",
    lambda delivery: SingleUser(Server(delivery)),
    _ONE_USER,
    acts.PASSWORDS,
    gap=True,
    ends_previous=None,
)
SINGLE_USER_BY_ADMIN = Kind(
    "single-user, by an admin",
    lambda delivery: SingleUser(Server(delivery, by_admin=True)),
    _ONE_USER,
    (*acts.PASSWORDS, acts.CHANGE_UNTOLD),
    gap=True,
    ends_previous=None,
    reconciles=True,
)
SINGLE_USER_BY_ADMIN_ALONE = replace(
    SINGLE_USER_BY_ADMIN, name="single-user, by an admin, without the tag", acts=acts.PASSWORDS, reconciles=False
)
ALTERNATING_USERS = Kind(
    "alternating-users",
    lambda delivery: AlternatingUsers(Server(delivery)),
    _ONE_USER,
    (*acts.PASSWORDS, acts.GRANT, acts.DROP),
)
ALTERNATING_UNDER_HISTORY = replace(
    ALTERNATING_USERS,
    name="alternating-users, under a password history",
    make=lambda delivery: AlternatingUsers(Server(delivery, remembers=True)),
)
DUAL_PASSWORD = Kind("dual-password", lambda delivery: DualPassword(Server(delivery)), _ONE_USER, acts.PASSWORDS)
ISSUED_KEY = Kind("issued-key", lambda delivery: IssuedKey(Service(delivery)), _ONE_KEY, _KEY_ACTS, sweeps=True)
ISSUED_KEY_LIMITED = Kind(
    "issued-key, two keys at most",
    lambda delivery: IssuedKey(Service(delivery, limit=2)),
    _ONE_KEY,
    acts.ALWAYS,
    ends_previous="createSecret",
    sweeps=True,
)
ISSUED_KEY_BY_ADMIN = Kind(
    "issued-key, by an admin",
    lambda delivery: IssuedKey(Service(delivery, by_admin=True)),
    _ONE_KEY,
    _KEY_ACTS,
    sweeps=True,
)
KINDS = {
    kind.name: kind
    for kind in (
        SINGLE_USER,
        SINGLE_USER_BY_ADMIN,
        SINGLE_USER_BY_ADMIN_ALONE,
        ALTERNATING_USERS,
        ALTERNATING_UNDER_HISTORY,
        DUAL_PASSWORD,
        ISSUED_KEY,
        ISSUED_KEY_LIMITED,
        ISSUED_KEY_BY_ADMIN,
    )
}
