"""Two users by turns on the stand-in for Redshift: the promoted one has every right of the base, in every database."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import psycopg2
import pytest
from psycopg2 import sql

from rotators.libpq.session import Session
from testkit.servers.postgres import find_binaries
from testkit.servers.redshift import RedshiftServer, redshift_server
from testkit.simulator import Simulator
from tests.integration.redshift.world import ADMIN, World, make_admin, make_world
from tests.integration.world import FIRST, dies_once, quoted

NAMES = ["base", "Upper Case", "qu\"o'te", "ünïcødé % {x}"]
# Of each view of rights: what is compared (all but whose it is), and which column says whose.
VIEWS = {
    "svv_relation_privileges": ("namespace_name, relation_name, privilege_type, admin_option", "identity_name"),
    "svv_column_privileges": ("namespace_name, relation_name, column_name, privilege_type", "identity_name"),
    "svv_schema_privileges": ("namespace_name, privilege_type, privilege_scope, admin_option", "identity_name"),
    "svv_database_privileges": ("database_name, privilege_type, privilege_scope, admin_option", "identity_name"),
    "svv_function_privileges": ("namespace_name, function_name, argument_types, privilege_type, admin_option", "identity_name"),
    "svv_language_privileges": ("language_name, privilege_type, admin_option", "identity_name"),
    "svv_default_privileges": ("owner_name, schema_name, object_type, privilege_type, admin_option", "grantee_name"),
    "svv_iam_privileges": ("iam_arn, command_type", "identity_name"),
    "svv_datashare_privileges": ("datashare_name, privilege_type, admin_option", "identity_name"),
    "svv_rls_attached_policy": ("polname, relschema, relname", "grantee"),
    "svv_user_grants": ("role_name, admin_option", "user_name"),
    "svv_user_info": ("createdb, superuser, connection_limit, syslog_access, session_timeout", "user_name"),
    "pg_user": ("usecreatedb, coalesce(CAST(valuntil AS timestamp), 'infinity'), useconfig", "usename"),
}  # fmt: skip


def catalog(world: World, user: str) -> dict[str, list[tuple[object, ...]]]:
    """All that the catalog says of a user, in every database, but who it is."""
    found: dict[str, list[tuple[object, ...]]] = {}
    for dbname in ("dev", "sales"):
        opened = world.server.connect(dbname=dbname)
        with closing(opened), opened.cursor() as cursor:
            for view, (columns, whose) in VIEWS.items():
                cursor.execute(sql.SQL(f"SELECT {columns} FROM {view} WHERE {whose} = {{}}").format(sql.Literal(user)))
                # RULE and TRIGGER come with ALL, are named by no GRANT, and allow nothing.
                rows = [row for row in cursor.fetchall() if not {"RULE", "TRIGGER"} & {*map(str, row)}]
                found[f"{dbname}: {view}"] = sorted(rows, key=repr)
    groups = sql.SQL("SELECT groname FROM pg_group, pg_user WHERE usesysid = ANY(grolist) AND usename = {}")
    found["groups"] = sorted(world.server.run(groups.format(sql.Literal(user))))
    return found


@dataclass(frozen=True)
class Kind:
    """A kind of right: where it is seen, what gives it to {app}, changes it, and takes it."""

    view: str
    give: str
    change: str
    take: str
    dbname: str = "dev"


def grants(view: str, body: str, dbname: str = "dev") -> Kind:
    """Of a right with a GRANT OPTION."""
    given = f"GRANT {body} TO {{app}}"
    return Kind(view, given, f"{given} WITH GRANT OPTION", f"REVOKE {body} FROM {{app}}", dbname)


DEFAULT = "ALTER DEFAULT PRIVILEGES FOR USER alt_owner"
KINDS = {
    "table": grants("svv_relation_privileges", "SELECT, DROP ON TABLE alt.whole"),
    "view": grants("svv_relation_privileges", "SELECT ON alt.shown"),
    "all on a table": grants("svv_relation_privileges", "ALL ON TABLE alt.parts"),
    "table elsewhere": grants("svv_relation_privileges", "DELETE ON TABLE public.orders", "sales"),
    "schema": grants("svv_schema_privileges", "CREATE ON SCHEMA alt"),
    "schema's tables": grants("svv_schema_privileges", "SELECT FOR TABLES IN SCHEMA alt"),
    "database": grants("svv_database_privileges", "TEMP ON DATABASE sales"),
    "database's functions": grants("svv_database_privileges", "EXECUTE FOR FUNCTIONS IN DATABASE dev"),
    "function": grants("svv_function_privileges", "EXECUTE ON FUNCTION alt.twice(integer, character varying)"),
    "procedure": grants("svv_function_privileges", "EXECUTE ON PROCEDURE alt.act(integer)"),
    "language": grants("svv_language_privileges", "USAGE ON LANGUAGE sql"),
    "column": Kind(
        "svv_column_privileges",
        "GRANT SELECT (a), UPDATE (b) ON alt.parts TO {app}",
        "REVOKE SELECT (a) ON alt.parts FROM {app}; GRANT SELECT (b) ON alt.parts TO {app}",
        "REVOKE SELECT (b), UPDATE (b) ON alt.parts FROM {app}",
    ),
    "default for a schema": Kind(
        "svv_default_privileges",
        f"{DEFAULT} IN SCHEMA alt GRANT SELECT ON TABLES TO {{app}}",
        f"{DEFAULT} IN SCHEMA alt GRANT SELECT ON TABLES TO {{app}} WITH GRANT OPTION",
        f"{DEFAULT} IN SCHEMA alt REVOKE SELECT ON TABLES FROM {{app}}",
    ),
    "default for all": Kind(
        "svv_default_privileges",
        f"{DEFAULT} GRANT INSERT ON TABLES TO {{app}}",
        f"{DEFAULT} GRANT EXECUTE ON FUNCTIONS TO {{app}}",
        f"{DEFAULT} REVOKE INSERT ON TABLES FROM {{app}}; {DEFAULT} REVOKE EXECUTE ON FUNCTIONS FROM {{app}}",
    ),
    "role": Kind(
        "svv_user_grants",
        "GRANT ROLE alt_role TO {app}",
        "GRANT ROLE alt_role TO {app} WITH ADMIN OPTION",
        "REVOKE ROLE alt_role FROM {app}",
    ),
    "group": Kind(
        "groups",
        "ALTER GROUP alt_group ADD USER {app}",
        "ALTER GROUP alt_group DROP USER {app}; ALTER GROUP alt_other ADD USER {app}",
        "ALTER GROUP alt_other DROP USER {app}",
    ),
    "IAM role": Kind(
        "svv_iam_privileges",
        "GRANT ASSUMEROLE ON 'arn:aws:iam::123456789012:role/load' TO {app} FOR COPY",
        "GRANT ASSUMEROLE ON DEFAULT TO {app} FOR EXTERNAL FUNCTION",
        "REVOKE ASSUMEROLE ON 'arn:aws:iam::123456789012:role/load' FROM {app} FOR COPY; "
        "REVOKE ASSUMEROLE ON DEFAULT FROM {app} FOR EXTERNAL FUNCTION",
    ),
    "datashare": Kind(
        "svv_datashare_privileges",
        "GRANT SHARE ON DATASHARE outward TO {app} WITH GRANT OPTION",
        "GRANT ALTER ON DATASHARE outward TO {app}; REVOKE SHARE ON DATASHARE outward FROM {app}; GRANT SHARE ON DATASHARE outward TO {app}",
        "REVOKE SHARE ON DATASHARE outward FROM {app}; REVOKE ALTER ON DATASHARE outward FROM {app}",
    ),
    "RLS policy": Kind(
        "svv_rls_attached_policy",
        "ATTACH RLS POLICY mine ON alt.whole TO {app}",
        "ATTACH RLS POLICY also ON alt.parts TO {app}",
        "DETACH RLS POLICY mine ON alt.whole FROM {app}; DETACH RLS POLICY also ON alt.parts FROM {app}",
    ),
    "attributes": Kind(
        "svv_user_info",
        "ALTER USER {app} CREATEDB; ALTER USER {app} CONNECTION LIMIT 7; ALTER USER {app} SESSION TIMEOUT 600",
        "ALTER USER {app} SYSLOG ACCESS UNRESTRICTED; ALTER USER {app} CONNECTION LIMIT 8",
        "ALTER USER {app} NOCREATEDB; ALTER USER {app} CONNECTION LIMIT UNLIMITED; ALTER USER {app} RESET SESSION TIMEOUT; "
        "ALTER USER {app} SYSLOG ACCESS RESTRICTED",
    ),
    "settings": Kind(
        "pg_user",
        'ALTER USER {app} SET search_path TO alt, "and, this"; ALTER USER {app} SET statement_timeout TO 1000000',
        "ALTER USER {app} SET search_path TO public",
        "ALTER USER {app} RESET search_path; ALTER USER {app} RESET statement_timeout",
    ),
}


@pytest.fixture(autouse=True)
def objects(cluster: RedshiftServer) -> Iterator[None]:
    """What rights are on, in two databases; owned by one who does not rotate."""
    cluster.create_user("alt_owner", "Owner-1-PASSWORD")
    cluster.run("CREATE ROLE alt_role; CREATE GROUP alt_group; CREATE GROUP alt_other")
    cluster.run("CREATE DATABASE sales")
    for statement in (
        "CREATE SCHEMA alt",
        "CREATE TABLE alt.whole (i int)",
        "CREATE VIEW alt.shown AS SELECT i FROM alt.whole",
        "CREATE TABLE alt.parts (a int, b int)",
        "GRANT USAGE ON SCHEMA alt TO GROUP alt_group",
        "GRANT SELECT ON alt.whole TO ROLE alt_role",
    ):
        cluster.run(statement)
    for statement in (
        "CREATE FUNCTION alt.twice(integer, varchar) RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        "CREATE PROCEDURE alt.act(integer) LANGUAGE sql AS 'SELECT 1'",
        "REVOKE EXECUTE ON ALL ROUTINES IN SCHEMA alt FROM PUBLIC",
    ):
        cluster.behind(statement)
    cluster.run("CREATE TABLE public.orders (i int)", dbname="sales")
    yield
    cluster.behind("DROP SCHEMA alt CASCADE")
    cluster.behind("DROP DATABASE sales WITH (FORCE)")


def everything(world: World) -> None:
    """A right of every kind."""
    for kind in KINDS.values():
        world.run(kind.give, dbname=kind.dbname)


@pytest.mark.parametrize("user", NAMES)
def test_four_turns_with_every_right(
    cluster: RedshiftServer, aws: Simulator, monkeypatch: pytest.MonkeyPatch, user: str
) -> None:
    """The clone's and the base's turns: the same by the catalog of each database, the same by doing; both log in."""
    monkeypatch.setenv("SECRETS_MANAGER_ENDPOINT", aws.endpoint)
    admin_arn = make_admin(cluster, aws)
    monkeypatch.setenv("ADMIN_SECRETS", admin_arn)
    world = make_world(cluster, aws, user, masterarn=admin_arn)
    everything(world)
    world.run("GRANT SELECT, INSERT ON alt.whole TO {app}")
    listed = catalog(world, user)
    for turn in range(4):
        world.rotated()
        assert world.value()["username"] == (user if turn % 2 else f"{user}_clone")
        assert catalog(world, world.value()["username"]) == listed
        assert catalog(world, user) == listed
        world.run("SELECT i FROM alt.whole; INSERT INTO alt.whole VALUES (1)", stage="AWSCURRENT")
        world.run("DELETE FROM public.orders", stage="AWSCURRENT", dbname="sales")
        with pytest.raises(psycopg2.Error):
            world.run("DELETE FROM alt.whole", stage="AWSCURRENT")
        assert world.logs_in("AWSPREVIOUS")


@pytest.mark.parametrize("which", KINDS)
def test_granted_changed_revoked(pair: World, which: str) -> None:
    """What happens to the base between two rotations is so for the clone after the next one."""
    kind = KINDS[which]
    name = kind.view if kind.view == "groups" else f"{kind.dbname}: {kind.view}"
    before = catalog(pair, pair.user)
    seen = [before[name]]
    for statement in (kind.give, kind.change, kind.take):
        pair.run(statement, dbname=kind.dbname)
        listed = catalog(pair, pair.user)
        assert listed[name] != seen[-1], "the statement changes what the view shows"
        seen.append(listed[name])
        pair.rotated()
        assert pair.value()["username"] == f"{pair.user}_clone"
        assert catalog(pair, f"{pair.user}_clone") == listed == catalog(pair, pair.user)
        pair.rotated()
    assert listed == before


def test_what_is_inherited_stays_inherited(pair: World) -> None:
    """By a group, a role, PUBLIC: the clone is in the group, and has no right of its own."""
    pair.run("ALTER GROUP alt_group ADD USER {app}; GRANT ROLE alt_role TO {app}; GRANT SELECT ON alt.parts TO PUBLIC")
    pair.rotated()
    listed = catalog(pair, f"{pair.user}_clone")
    assert listed["dev: svv_relation_privileges"] == listed["dev: svv_schema_privileges"] == []
    pair.run("SELECT i FROM alt.whole; SELECT a FROM alt.parts", stage="AWSCURRENT")
    pair.run("REVOKE SELECT ON alt.whole FROM ROLE alt_role")
    with pytest.raises(psycopg2.Error):
        pair.run("SELECT i FROM alt.whole", stage="AWSCURRENT")


def test_what_is_the_cluster_s_is_given_once(pair: World) -> None:
    """Groups, roles, IAM roles: in the admin's own database, in the transaction that sets the password; taken likewise."""
    role = "ASSUMEROLE ON 'arn:aws:iam::123456789012:role/load'"
    give = f"ALTER GROUP alt_group ADD USER {{app}}; GRANT ROLE alt_role TO {{app}}; GRANT {role} TO {{app}} FOR COPY"
    take = f"ALTER GROUP alt_group DROP USER {{app}}; REVOKE ROLE alt_role FROM {{app}}; REVOKE {role} FROM {{app}} FOR COPY"
    pair.run("GRANT SELECT ON public.orders TO {app}", dbname="sales")
    for change, words in (
        (give, ("ADD USER", "GRANT ROLE", "GRANT ASSUME")),
        (take, ("DROP USER", "REVOKE ROLE", "REVOKE ASSUME")),
    ):
        pair.run(change)
        before = len(pair.server.statements_of(ADMIN))
        pair.rotated()
        made = pair.server.statements_of(ADMIN)[before:]
        last = len(made) - made[::-1].index("BEGIN")
        for word in words:
            assert [index >= last for index, statement in enumerate(made) if word in statement] == [True], word
        pair.rotated()


def test_budget(pair: World) -> None:
    """Eleven calls; three logins, and one for each further database; none of them refused; no password in a log."""
    pair.rotated()
    rotation = pair.rotated()
    assert len(pair.aws.calls_by("keyturn")) == 11
    assert pair.server_saw() == {"logins": 4, "failed": 0}
    logs = pair.server.log.read_text() + pair.server.behind_it.log.read_text() + rotation.log
    assert pair.value()["password"] not in logs
    pair.server.run("DROP DATABASE sales")
    pair.rotated()
    assert pair.server_saw() == {"logins": 3, "failed": 0}
    pair.server.run("CREATE DATABASE sales")


def test_valid_until_is_the_base_s(pair: World) -> None:
    """The clone's is set with its password; one that is past is refused."""
    pair.run("ALTER USER {app} PASSWORD 'Canary-first-PASSWORD-1' VALID UNTIL '2037-01-02 03:04:05'")
    pair.put(password="Canary-first-PASSWORD-1")
    pair.rotated()
    assert catalog(pair, pair.user)["dev: pg_user"] == catalog(pair, f"{pair.user}_clone")["dev: pg_user"]
    pair.rotated()
    pair.server.behind(f"ALTER ROLE {pair.user} VALID UNTIL 'infinity'")
    pair.rotated()
    assert catalog(pair, pair.user)["dev: pg_user"] == catalog(pair, f"{pair.user}_clone")["dev: pg_user"]
    pair.server.behind(f"ALTER ROLE {pair.user} VALID UNTIL '2020-01-01'")
    pair.refused("user-expired")


def test_rights_on_a_table_and_on_its_columns(pair: World) -> None:
    """A REVOKE on the table takes the rights on its columns with it: they are granted again."""
    pair.run("GRANT SELECT ON alt.parts TO {app}; GRANT SELECT (a) ON alt.parts TO {app}")
    pair.rotated()
    pair.rotated()
    pair.run("REVOKE SELECT ON alt.parts FROM {app}; GRANT SELECT (a) ON alt.parts TO {app}")
    listed = catalog(pair, pair.user)
    pair.rotated()
    assert catalog(pair, f"{pair.user}_clone") == listed


@pytest.mark.parametrize("case_sensitive", [False, True])
@pytest.mark.usefixtures("cluster")
def test_names_with_capitals(aws: Simulator, monkeypatch: pytest.MonkeyPatch, *, case_sensitive: bool) -> None:
    """Of users, tables and databases, whatever the cluster and its users set for the case of names."""
    binaries = find_binaries()
    assert binaries is not None, "as `cluster` has one"
    monkeypatch.setenv("SECRETS_MANAGER_ENDPOINT", aws.endpoint)
    with redshift_server(binaries, case_sensitive=case_sensitive, shows_owners=True) as server:
        monkeypatch.setenv("TLS_CA_FILE", str(server.ca_file))
        admin_arn = make_admin(server, aws)
        monkeypatch.setenv("ADMIN_SECRETS", admin_arn)
        world = make_world(server, aws, "MixedCase", masterarn=admin_arn)
        if case_sensitive:
            server.run('CREATE DATABASE "Sales"')
        for statement in (
            'CREATE SCHEMA "Alt"',
            'CREATE TABLE "Alt"."Whole" ("I" int)',
            'CREATE GROUP "Group"',
            'ALTER GROUP "Group" ADD USER "MixedCase"',
            'GRANT USAGE ON SCHEMA "Alt" TO "MixedCase"',
            'GRANT SELECT ("I") ON "Alt"."Whole" TO "MixedCase"',
        ):
            exactly(server, statement)
        for _ in range(4):
            world.rotated()
            value = world.value()
            exactly(server, 'SELECT "I" FROM "Alt"."Whole"', value["username"], value["password"])
            groups = "SELECT usename FROM pg_group, pg_user WHERE usesysid = ANY(grolist) AND groname = 'Group'"
            assert set(server.run(groups)) == {("MixedCase",), ("MixedCase_clone",)}


def exactly(server: RedshiftServer, statement: str, *login: str) -> None:
    """Run a statement whose names keep their case, as the superuser or as this user and password.

    The setting comes in a message of its own: names are folded when a message is read, before any of it is run
    """
    opened = server.connect(*login)
    with closing(opened), opened.cursor() as cursor:
        cursor.execute("SET enable_case_sensitive_identifier TO true")
        cursor.execute(statement)


def test_a_death_after_each_statement_of_the_first_rotation(pair: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever was done by then: the retry promotes a user with every right, and until then nobody logs in as it."""
    everything(pair)
    made, number = Session.run, [0, 0]
    clone = f"{pair.user}_clone"
    listed = catalog(pair, pair.user)

    class Died(Exception):
        pass

    def dying(session: Session, statement: sql.Composable) -> list[tuple[object, ...]]:
        answer = made(session, statement)
        text = statement.as_string(session.connection)
        if text.split(maxsplit=1)[0] in {"CREATE", "GRANT", "REVOKE", "ALTER", "ATTACH", "COMMIT"}:
            number[0] += 1
            if number[0] == number[1]:
                raise Died
        return answer

    monkeypatch.setattr(Session, "run", dying)
    deaths = 0
    while True:
        deaths += 1
        number[:] = [0, deaths]
        rotation = pair.rotated()
        assert catalog(pair, clone) == listed
        if len(rotation.runs) == 4:
            break
        pair.rotated()
        pair.server.drop_identities(keep=pair.server.identities() - {clone})
    assert deaths > 15


def test_a_new_clone_cannot_log_in_until_it_is_ready(pair: World) -> None:
    """It has no password; a later try gives it one."""
    pair.run("GRANT SELECT ON alt.whole TO {app}")
    pair.server.behind("ALTER TABLE alt.whole RENAME TO kept; CREATE VIEW alt.whole AS SELECT * FROM alt.kept")
    deaths = dies_once(pair, "setSecret", "after")
    rotation = pair.rotated()
    assert deaths
    assert rotation.succeeded
    made = [statement for user, statement in pair.server.record.statements if user == ADMIN]
    create = next(i for i, statement in enumerate(made) if statement.startswith("CREATE USER"))
    assert made[create].endswith("PASSWORD DISABLE")
    assert not any("PASSWORD 'md5" in statement for statement in made[:create])


class TestRefused:
    """Before anything is changed."""

    def test_what_only_the_clone_has(self, pair: World) -> None:
        """The base's turn would lose it: both remedies are named, for each database."""
        pair.rotated()
        pair.run("GRANT DELETE ON alt.whole TO {clone}; ALTER USER {clone} CREATEDB")
        pair.run("GRANT SELECT ON public.orders TO {clone}", dbname="sales")
        error = pair.refused("clone-holds-rights")
        base, clone = quoted(pair.user), quoted(f"{pair.user}_clone")
        assert (
            f'GRANT DELETE ON TABLE "alt"."whole" TO {base}, or REVOKE DELETE ON TABLE "alt"."whole" FROM {clone}'
            in error
        )
        assert f'"public"."orders" TO {base}' in error
        assert f"ALTER USER {base} CREATEDB, or ALTER USER {clone} NOCREATEDB" in error
        assert pair.logs_in()
        assert pair.logs_in("AWSPREVIOUS")
        pair.run("REVOKE DELETE ON alt.whole FROM {clone}; ALTER USER {clone} NOCREATEDB")
        pair.run("REVOKE SELECT ON public.orders FROM {clone}", dbname="sales")
        pair.rotated()

    def test_w5_somebody_else_s_user_of_the_clone_s_name(self, pair: World) -> None:
        """Who may write a secret gains no other user by it, wherever that one holds something."""
        clone = f"{pair.user}_clone"
        pair.server.create_user(clone, "somebody-elses")
        pair.run("GRANT SELECT ON public.orders TO {clone}", dbname="sales")
        pair.refused("user-not-ours")
        pair.run("REVOKE SELECT ON public.orders FROM {clone}; ALTER USER {clone} CREATEDB", dbname="sales")
        pair.refused("user-not-ours")
        assert pair.server.accepts(clone, "somebody-elses")

    @pytest.mark.parametrize("power", ["ALTER USER {app} CREATEUSER", "GRANT ROLE sys:superuser TO {app}", "by a role"])
    def test_w5_powers(self, pair: World, power: str) -> None:
        """An admin never makes a second superuser, by whatever way."""
        if power == "by a role":
            pair.run("GRANT ROLE sys:secadmin TO ROLE alt_role")
            power = "GRANT ROLE alt_role TO {app}"
        pair.run(power)
        pair.refused("user-is-superuser")
        assert f"{pair.user}_clone" not in pair.server.identities()

    @pytest.mark.parametrize("whose", ["app", "clone"])
    @pytest.mark.parametrize(
        "what",
        [
            "TABLE alt.whole",
            "SCHEMA alt",
            "TABLE public.orders",
            "ROLE alt_role",
            "DATABASE sales",
            "FUNCTION",
            "DEFAULT",
        ],
    )
    def test_owned_objects(self, pair: World, whose: str, what: str) -> None:
        """An owner's rights cannot be had twice on Redshift; the error names what is owned, and what to do."""
        pair.rotated()
        user = pair.user if whose == "app" else f"{pair.user}_clone"
        if what == "FUNCTION":
            pair.server.behind(f"ALTER FUNCTION alt.twice(integer, varchar) OWNER TO {user}")
        elif what == "DEFAULT":
            pair.run(f"ALTER DEFAULT PRIVILEGES FOR USER {{{whose}}} IN SCHEMA alt GRANT SELECT ON TABLES TO alt_owner")
        else:
            pair.run(f"ALTER {what} OWNER TO {{{whose}}}", dbname="sales" if "orders" in what else "dev")
        error = pair.refused("user-owns-objects")
        assert "alt" in error or "orders" in error or "sales" in error
        assert pair.logs_in()

    def test_w5_somebody_else_s_user_who_owns_a_role(self, pair: World) -> None:
        """It could be granted to anybody."""
        clone = f"{pair.user}_clone"
        pair.server.create_user(clone, "somebody-elses")
        pair.run("ALTER ROLE alt_role OWNER TO {clone}")
        pair.refused("user-owns-objects")
        assert pair.server.accepts(clone, "somebody-elses")

    def test_settings_and_limits_that_only_the_clone_has(self, pair: World) -> None:
        """The base's turn would promote it with less; what it has more is no hindrance."""
        pair.rotated()
        pair.run("ALTER USER {clone} SET search_path TO alt; ALTER USER {clone} CONNECTION LIMIT 50")
        pair.run("ALTER USER {app} CONNECTION LIMIT 7; ALTER USER {app} SET query_group TO 'mine'")
        error = pair.refused("clone-holds-rights")
        assert "RESET search_path" in error
        assert "CONNECTION LIMIT 7" in error
        pair.run("ALTER USER {clone} RESET search_path; ALTER USER {clone} CONNECTION LIMIT 7")
        pair.rotated()

    def test_a_right_that_cannot_be_given(self, pair: World) -> None:
        """Said before anything is changed, in whatever database the rest is."""
        pair.server.behind('CREATE TYPE alt."odd; type" AS (i int)')
        pair.server.behind("CREATE FUNCTION alt.odd(alt.\"odd; type\") RETURNS int LANGUAGE sql AS 'SELECT 1'")
        pair.server.behind(f'GRANT EXECUTE ON FUNCTION alt.odd(alt."odd; type") TO {pair.user}')
        pair.run("GRANT SELECT ON public.orders TO {app}", dbname="sales")
        pair.refused("right-unknown")
        assert f"{pair.user}_clone" not in pair.server.identities()

    def test_what_the_clone_has_granted_on(self, pair: World) -> None:
        """It cannot be taken from it before that is taken back; the error says so."""
        pair.run("GRANT USAGE ON SCHEMA alt TO {app}; GRANT SELECT ON alt.whole TO {app} WITH GRANT OPTION")
        pair.rotated()
        pair.run("GRANT SELECT ON alt.whole TO alt_owner", stage="AWSCURRENT")
        pair.rotated()
        pair.run("REVOKE GRANT OPTION FOR SELECT ON alt.whole FROM {app}")
        pair.refused("grants-depend")
        assert pair.logs_in()

    def test_a_masking_policy_of_its_own(self, pair: World) -> None:
        """Attached to the user itself: the clone would see what is masked."""
        pair.run("ATTACH MASKING POLICY hide ON alt.parts (a) TO {app} PRIORITY 5")
        assert "GRANT ROLE" in pair.refused("right-unknown")
        assert f"{pair.user}_clone" not in pair.server.identities()
        pair.run("DETACH MASKING POLICY hide ON alt.parts (a) FROM {app}")
        pair.run(
            "ATTACH MASKING POLICY hide ON alt.parts (a) TO ROLE alt_role PRIORITY 5; GRANT ROLE alt_role TO {app}"
        )
        pair.rotated()

    def test_an_admin_who_is_no_superuser(self, pair: World) -> None:
        """What it may not is said, and what lets it."""
        pair.run("ALTER USER world_admin NOCREATEUSER")
        error = pair.refused("admin-lacks-right")
        assert 'ALTER USER "world_admin" CREATEUSER' in error
        assert pair.logs_in()

    def test_a_right_that_somebody_else_has_granted(self, pair: World) -> None:
        """Nobody but its grantor can take it: the clone is not promoted, nor is its password changed."""
        pair.rotated()
        pair.rotated()
        pair.server.create_user("grantor", "Grantor-1-PASSWORD")
        pair.run("GRANT USAGE ON SCHEMA alt TO grantor; GRANT SELECT ON alt.whole TO grantor WITH GRANT OPTION")
        pair.server.run(f"GRANT SELECT ON alt.whole TO {pair.user}_clone", ("grantor", "Grantor-1-PASSWORD"))
        assert "SET SESSION AUTHORIZATION" in pair.refused("clone-differs")
        assert pair.logs_in()
        assert pair.logs_in("AWSPREVIOUS")


def test_going_back_and_forth_from_single_user(pair: World) -> None:
    """The strategies share the secret; the password of the one who is current is what changes."""
    pair.tag(strategy="single-user")
    assert pair.rotated().case("setSecret") == "S1"
    assert not pair.server.accepts(pair.user, FIRST)
    pair.tag(strategy="alternating-users")
    pair.rotated()
    assert pair.value()["username"] == f"{pair.user}_clone"
