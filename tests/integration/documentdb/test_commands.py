"""What the server is told, command by command, and what comes of it: roles, mechanisms, restrictions, databases.

On FerretDB with MongoDB's and DocumentDB's users in front of it (testkit/mongodb), which refuse what these do not know.
"""

import pytest

from common.secret import Secret
from rotators.documentdb.target import DocumentDb
from testkit.mongodb.standin import StandIn
from testkit.mongodb.users import BOTH
from tests.integration.documentdb.world import World, make_world
from tests.integration.world import FIRST

SHA_256 = ("SCRAM-SHA-256",)
RESTRICTIONS = [{"clientSource": ["127.0.0.1/32"]}]


def verbs(world: World) -> list[str]:
    """The names of the commands that were sent, and by whom."""
    return [f"{by}: {next(iter(command))}" for by, _, command in world.server.sent]


def test_single_user(world: World) -> None:
    """S1: looks at itself, and changes its password; nothing else of it."""
    assert world.rotated().case("setSecret") == "S1"
    assert verbs(world) == [f"{world.user}: usersInfo", f"{world.user}: updateUser"]
    (change,) = world.server.commands("updateUser")
    mechanisms = {"mechanisms": sorted(BOTH)} if world.server.users.flavour == "mongodb" else {}
    assert change == {"updateUser": world.user, "pwd": world.value()["password"], **mechanisms}


def test_a_single_user_keeps_its_mechanisms(on_mongodb: World) -> None:
    """A new password without them gets all that the server knows: SCRAM-SHA-1 again, which somebody had taken away."""
    on_mongodb.tag(strategy="single-user")
    on_mongodb.server.user(on_mongodb.user).mechanisms = SHA_256
    on_mongodb.rotated()
    assert on_mongodb.server.user(on_mongodb.user).mechanisms == list(SHA_256)


def test_an_admin_keeps_them_too(on_mongodb: World) -> None:
    """S1b and S5."""
    on_mongodb.tag(strategy="single-user")
    on_mongodb.server.user(on_mongodb.user).mechanisms = SHA_256
    on_mongodb.server.user(on_mongodb.user).may = frozenset()
    assert on_mongodb.rotated().case("setSecret") == "S1b"
    assert on_mongodb.server.user(on_mongodb.user).mechanisms == list(SHA_256)


def test_the_clone_is_made_with_the_base_s_roles_and_the_password_last(pair: World) -> None:
    """A2, A3: createUser with a password that nobody knows, a second reading, then pending's."""
    pair.rotated()
    admin = [line.partition(": ")[2] for line in verbs(pair) if line.startswith(str(pair.admin))]
    lacks = ["usersInfo"] if pair.server.users.flavour == "documentdb" else []  # the question for restrictions, refused
    look = ["usersInfo", *lacks]
    assert admin == [*look, *look, "createUser", *look, "updateUser"]
    (made,), (change,) = pair.server.commands("createUser"), pair.server.commands("updateUser")
    assert made["roles"] == [{"role": "readWrite", "db": "shop"}]
    assert made["pwd"] != change["pwd"] == pair.value()["password"]
    assert set(change) - {"mechanisms"} == {"updateUser", "pwd"}
    assert not pair.server.accepts(f"{pair.user}_clone", made["pwd"])


def test_roles_follow_at_each_turn_of_the_clone(pair: World) -> None:
    """What the base got since, and what it has lost; the base itself is told its password only."""
    for number, roles in enumerate((["read"], ["read", "dbAdmin"], [], ["readWrite"])):
        pair.server.user(pair.user).roles = [{"role": role, "db": f"shop{number}"} for role in roles]
        mark = len(pair.server.sent)
        pair.rotated()
        assert pair.server.user(f"{pair.user}_clone").roles == sorted(
            pair.server.user(pair.user).roles, key=lambda role: role["role"]
        )
        assert len(pair.server.commands("updateUser", mark)) == (2 if number else 1)
        mark = len(pair.server.sent)
        pair.rotated()
        assert [set(one) - {"mechanisms"} for one in pair.server.commands("updateUser", mark)] == [
            {"updateUser", "pwd"}
        ]
        assert pair.logs_in("AWSPREVIOUS")


def test_mechanisms_follow_and_stay(on_mongodb: World) -> None:
    """Named with each password, or the server puts its own: the clone's from the base, the base's as they are."""
    for mechanisms in (SHA_256, BOTH, SHA_256):
        on_mongodb.server.user(on_mongodb.user).mechanisms = mechanisms
        for _ in range(2):
            on_mongodb.rotated()
            for name in (on_mongodb.user, f"{on_mongodb.user}_clone"):
                assert set(on_mongodb.server.user(name).mechanisms) == set(mechanisms), name
    assert all("pwd" in one for one in on_mongodb.server.commands("updateUser") if "mechanisms" in one)


def test_restrictions_follow_and_are_lifted(on_mongodb: World) -> None:
    """Where the clone may log in from: as the base, also when that is anywhere again."""
    server, clone = on_mongodb.server, f"{on_mongodb.user}_clone"
    for restrictions in ([], RESTRICTIONS, [], RESTRICTIONS):
        server.user(on_mongodb.user).restrictions = restrictions
        on_mongodb.rotated()
        assert server.user(clone).restrictions == restrictions
        on_mongodb.rotated()


def test_documentdb_is_not_told_of_restrictions(on_docdb: World) -> None:
    """It knows none; nor is it told mechanisms where it does not show any."""
    for _ in range(3):
        on_docdb.rotated()
    fields = {name for verb in ("createUser", "updateUser") for one in on_docdb.server.commands(verb) for name in one}
    assert fields == {"createUser", "updateUser", "pwd", "roles"}


def test_a_clone_that_does_not_come_to_be_as_the_base(pair: World) -> None:
    """The second reading: its password is not set."""
    pair.rotated()
    pair.rotated()
    pair.server.user(pair.user).roles = [{"role": "read", "db": "other"}]
    update = pair.server.users._update  # noqa: SLF001

    def forgets(command: dict[str, object], by: tuple[str, str]) -> dict[str, object] | None:
        return update({name: value for name, value in command.items() if name != "roles"}, by)

    pair.server.users._update = forgets  # type: ignore[method-assign]  # noqa: SLF001  a server that answers ok and does it not
    assert "still logs in" in pair.refused("clone-differs")
    assert pair.logs_in()
    assert pair.logs_in("AWSPREVIOUS")


class TestDatabases:
    """Where a user is one."""

    def test_a_user_of_another_database_rotates_there(
        self, mongodb: StandIn, on_mongodb: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """MongoDB: every command about it goes to that database, by an admin of `admin`; the clone is made there too."""
        world = make_world(mongodb, on_mongodb.aws, "of_shop", dbname="shop", masterarn=on_mongodb.admin_arn)
        world.tag(strategy="alternating-users")
        monkeypatch.setenv("ADMIN_SECRETS", str(on_mongodb.admin_arn))
        for _ in range(3):
            world.rotated()
            assert world.logs_in()
            assert world.logs_in("AWSPREVIOUS")
        assert {database for _, database, _ in mongodb.sent} == {"shop"}
        assert {database for name, database in mongodb.users.known if name.startswith("of_shop")} == {"shop"}
        world.tag(strategy="single-user")
        assert world.rotated().case("setSecret") == "S1"
        assert {database for _, database, _ in mongodb.sent} == {"shop"}

    def test_documentdb_has_users_of_admin_only(self, on_docdb: World) -> None:
        """Whatever `dbname` says, which is the application's there: the server says that the user is one of `admin`."""
        on_docdb.put(dbname="shop")
        for _ in range(3):
            on_docdb.rotated()
            assert on_docdb.logs_in("AWSPREVIOUS")
        assert DocumentDb().check(Secret(on_docdb.value(), "x")).endswith("@admin")
        assert {name for name, _ in on_docdb.server.users.known} >= {on_docdb.user, f"{on_docdb.user}_clone"}
        on_docdb.tag(strategy="single-user")
        assert on_docdb.rotated().case("setSecret") == "S1"

    def test_documentdb_s_admin_by_another_database_is_still_the_admin(self, on_docdb: World) -> None:
        """W5: `dbname` does not make it somebody else."""
        on_docdb.put(username=on_docdb.admin, password=on_docdb.admin_password, dbname="shop")
        on_docdb.refused("admin-is-the-user")
        assert on_docdb.server.accepts(str(on_docdb.admin), on_docdb.admin_password)


class TestS1b:
    """A user who may not change itself, as any without changeOwnPassword."""

    def test_the_admin_does(self, world: World) -> None:
        """In one login each."""
        world.server.user(world.user).may = frozenset()
        rotation = world.rotated()
        assert rotation.case("setSecret") == "S1b"
        assert world.server_saw() == {"logins": 3, "failed": 0}
        assert len(world.aws.calls_by("keyturn")) == 11
        assert world.logs_in()

    def test_without_an_admin(self, world: World) -> None:
        """What to grant; nothing was changed."""
        world.server.user(world.user).may = frozenset()
        world.put(masterarn=None)
        assert "changeOwnPassword" in world.refused("change-forbidden")
        assert world.server.accepts(world.user, FIRST)

    def test_an_admin_who_may_not_either(self, world: World) -> None:
        """What the admin needs."""
        world.server.user(world.user).may = frozenset()
        world.server.user(str(world.admin)).may = frozenset()
        assert "userAdmin" in world.refused("admin-lacks-right")
        assert world.server.accepts(world.user, FIRST)

    def test_an_admin_of_alternating_users_who_may_not(self, pair: World) -> None:
        """Likewise."""
        pair.server.user(str(pair.admin)).may = frozenset()
        assert "viewUser" in pair.refused("admin-lacks-right")
        assert not pair.server.exists(f"{pair.user}_clone")


class TestW5:
    """Whom an admin does not touch."""

    @pytest.mark.parametrize("role", ["root", "userAdminAnyDatabase", "restore", "backup"])
    def test_a_user_with_power(self, pair: World, role: str) -> None:
        """By a role of its own."""
        pair.server.user(pair.user).roles = [{"role": role, "db": "admin"}]
        assert role in pair.refused("user-is-superuser")
        assert pair.server.accepts(pair.user, FIRST)

    def test_power_by_a_role_that_contains_it(self, on_mongodb: World) -> None:
        """MongoDB says what the user's own roles contain."""
        on_mongodb.server.user(on_mongodb.user).inherited = [{"role": "root", "db": "admin"}]
        on_mongodb.refused("user-is-superuser")

    @pytest.mark.parametrize(("role", "powerful"), [("userAdmin", True), ("dbOwner", True), ("readWrite", False)])
    def test_power_over_admin(self, on_mongodb: World, role: str, powerful: bool) -> None:  # noqa: FBT001
        """The users are kept there."""
        on_mongodb.server.user(on_mongodb.user).roles = [{"role": role, "db": "admin"}]
        if powerful:
            on_mongodb.refused("user-is-superuser")
        else:
            on_mongodb.rotated()

    def test_somebody_else_s_user_with_the_clone_s_name(self, pair: World) -> None:
        """With a role that the base has not: it is not taken over. With no more than the base it is."""
        pair.server.create_user(f"{pair.user}_clone", "its-own-password", roles=["readWrite", "dbAdmin"])
        assert "dbAdmin on shop" in pair.refused("user-not-ours")
        assert pair.server.accepts(f"{pair.user}_clone", "its-own-password")
        pair.server.user(f"{pair.user}_clone").roles = []
        pair.rotated()
        assert pair.server.user(f"{pair.user}_clone").roles == pair.server.user(pair.user).roles

    def test_a_restriction_that_the_other_user_is_spared(self, on_mongodb: World) -> None:
        """Who is not restricted has more."""
        on_mongodb.server.user(on_mongodb.user).restrictions = RESTRICTIONS
        on_mongodb.server.create_user(f"{on_mongodb.user}_clone", "its-own-password")
        assert "authenticationRestrictions" in on_mongodb.refused("user-not-ours")
        assert on_mongodb.server.accepts(f"{on_mongodb.user}_clone", "its-own-password")

    def test_a_clone_with_more_than_its_base(self, pair: World) -> None:
        """Both remedies, on the database of the two; nothing was changed."""
        pair.rotated()
        pair.server.user(f"{pair.user}_clone").roles.append({"role": "dbAdmin", "db": "other"})
        error = pair.refused("clone-holds-rights")
        role = "[{'role': 'dbAdmin', 'db': 'other'}]"
        assert f"db.grantRolesToUser('{pair.user}', {role})" in error
        assert f"db.revokeRolesFromUser('{pair.user}_clone', {role})" in error
        assert pair.logs_in()
        assert pair.logs_in("AWSPREVIOUS")

    def test_a_secret_with_more_power_than_its_clone_s_base_is_not_made(self, pair: World) -> None:
        """A secret of the clone's name only, whose base is somebody else's and has more."""
        pair.server.create_user("theirs", "their-own-password", roles=["readWrite", "dbAdmin"])
        pair.server.create_user("theirs_clone", "known-password", roles=["readWrite"])
        pair.put(username="theirs_clone", password="known-password")
        pair.refused("user-not-ours")
        assert pair.server.accepts("theirs", "their-own-password")
