"""What the stand-in for Redshift promises to those who test a rotation function against it."""

import itertools
import os
import socket
import time

import psycopg2
import pytest
from psycopg2 import sql
from psycopg2.errorcodes import (
    FEATURE_NOT_SUPPORTED,
    INSUFFICIENT_PRIVILEGE,
    OBJECT_IN_USE,
    QUERY_CANCELED,
    SYNTAX_ERROR,
    UNDEFINED_COLUMN,
    UNDEFINED_OBJECT,
    UNDEFINED_TABLE,
)

from testkit.redshift import wire
from testkit.redshift.catalog import CATALOG
from testkit.redshift.passwords import md5
from testkit.servers.postgres import find_binaries
from testkit.servers.redshift import RedshiftServer, redshift_server

PASSWORD = "abcD1234"
_COUNT = itertools.count()


@pytest.fixture
def name() -> str:
    """A name that no other test has."""
    return f"t{next(_COUNT)}"


@pytest.fixture
def user(redshift: RedshiftServer, name: str) -> str:
    """A user with PASSWORD."""
    redshift.create_user(f"{name}_user", PASSWORD)
    return f"{name}_user"


def refusal(server: RedshiftServer, statement: str, as_user: str | None = None) -> str:
    """The code with which a statement is refused."""
    with pytest.raises(psycopg2.Error) as refused:
        server.run(statement, (as_user, PASSWORD) if as_user else None)
    return str(refused.value.pgcode)


def _login(server: RedshiftServer) -> str:
    """The superuser's login, as libpq reads it."""
    return f"port={server.port} user=awsuser password={server.password} dbname=dev"


# --- the catalog


@pytest.mark.parametrize("view", CATALOG)
def test_each_view_has_the_documented_columns(redshift: RedshiftServer, view: str) -> None:
    """A view of the catalog has the columns of its page, in that order, and no others."""
    opened = redshift.connect()
    with opened.cursor() as cursor:
        cursor.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(view)))
        assert [column.name for column in cursor.description or ()] == CATALOG[view][1].split()
    opened.close()


def test_unknown_views_and_columns_are_refused(redshift: RedshiftServer) -> None:
    """What Redshift's catalog has not, nor PostgreSQL's hidden columns, can be read."""
    assert refusal(redshift, "SELECT * FROM pg_roles") == UNDEFINED_TABLE
    assert refusal(redshift, "SELECT * FROM svv_no_such_view") == UNDEFINED_TABLE
    assert refusal(redshift, "SELECT rolname FROM pg_user") == UNDEFINED_COLUMN
    assert refusal(redshift, "SELECT ctid FROM pg_class") == UNDEFINED_COLUMN
    assert refusal(redshift, "SELECT relrowsecurity FROM pg_class") == UNDEFINED_COLUMN


def test_the_catalog_is_read_with_any_search_path(redshift: RedshiftServer) -> None:
    """Views are found without a search path, and by their schema."""
    assert redshift.run("SET search_path TO ''; SELECT usename FROM pg_user WHERE usename = 'awsuser'") == [
        ("awsuser",)
    ]
    assert redshift.run("SELECT pg_user.usename FROM pg_catalog.pg_user WHERE usesuper AND usesysid > 100") == [
        ("awsuser",)
    ]


def test_the_catalog_and_tables_do_not_mix(redshift: RedshiftServer, name: str) -> None:
    """As on a cluster, where the leader node has the catalog and others the tables."""
    redshift.run(f"CREATE TABLE {name} (a varchar)")
    assert refusal(redshift, f"SELECT * FROM {name}, pg_user WHERE a = usename") == FEATURE_NOT_SUPPORTED


# --- rights: where each kind shows

RELATIONS = "SELECT privilege_type, identity_type, admin_option FROM svv_relation_privileges WHERE identity_name = '{who}' AND relation_name = '{name}'"
RIGHTS = [
    ("SELECT ON {name}", RELATIONS, [("SELECT", "user", False)]),
    ("DROP ON {name}", RELATIONS, [("DROP", "user", False)]),
    ("ALTER, TRUNCATE ON TABLE {name}", RELATIONS, [("ALTER", "user", False), ("TRUNCATE", "user", False)]),
    (
        "ALL ON ALL TABLES IN SCHEMA {name}",
        "SELECT count(*) FROM svv_relation_privileges WHERE identity_name = '{who}' AND namespace_name = '{name}'",
        [(8,)],
    ),
    (
        "SELECT (a), UPDATE (b) ON {name}",
        "SELECT column_name, privilege_type, identity_type FROM svv_column_privileges WHERE identity_name = '{who}'",
        [("a", "SELECT", "user"), ("b", "UPDATE", "user")],
    ),
    (
        "ALL ON SCHEMA {name}",
        "SELECT privilege_type, privilege_scope FROM svv_schema_privileges WHERE identity_name = '{who}'",
        [("ALTER", "SCHEMA"), ("CREATE", "SCHEMA"), ("DROP", "SCHEMA"), ("USAGE", "SCHEMA")],
    ),
    (
        "SELECT FOR TABLES IN SCHEMA {name}",
        "SELECT privilege_type, privilege_scope FROM svv_schema_privileges WHERE identity_name = '{who}'",
        [("SELECT", "TABLES")],
    ),
    (
        "TEMP, USAGE ON DATABASE dev",
        "SELECT database_name, privilege_type, privilege_scope FROM svv_database_privileges WHERE identity_name = '{who}'",
        [("dev", "TEMP", "DATABASE"), ("dev", "USAGE", "DATABASE")],
    ),
    (
        "EXECUTE FOR FUNCTIONS IN DATABASE dev",
        "SELECT database_name, privilege_type, privilege_scope FROM svv_database_privileges WHERE identity_name = '{who}'",
        [("dev", "EXECUTE", "FUNCTIONS")],
    ),
    (
        "EXECUTE ON FUNCTION {name}(int, varchar)",
        "SELECT function_name, argument_types FROM svv_function_privileges WHERE identity_name = '{who}'",
        [("{name}", "integer, character varying")],
    ),
    (
        "USAGE ON LANGUAGE plpythonu",
        "SELECT language_name FROM svv_language_privileges WHERE identity_name = '{who}'",
        [("plpythonu",)],
    ),
    (
        "ASSUMEROLE ON 'arn:aws:iam::123456789012:role/R'",
        "SELECT command_type FROM svv_iam_privileges WHERE identity_name = '{who}'",
        [("COPY",)],
    ),
    (
        "SHARE ON DATASHARE {name}",
        "SELECT datashare_name, privilege_type FROM svv_datashare_privileges WHERE identity_name = '{who}'",
        [("{name}", "SHARE")],
    ),
]


@pytest.mark.parametrize(("right", "query", "expected"), RIGHTS, ids=[right for right, _, _ in RIGHTS])
def test_a_right_shows_while_it_is_granted(
    redshift: RedshiftServer, user: str, right: str, query: str, expected: list[tuple[object, ...]]
) -> None:
    """A right that is granted is in its view, and gone from there when it is revoked; then the user can be dropped."""
    name = user.removesuffix("_user")
    redshift.run(f"CREATE SCHEMA {name}; CREATE TABLE {name}.{name} (a int, b int); CREATE TABLE {name} (a int, b int)")
    redshift.run(f"CREATE FUNCTION {name}(int, varchar) RETURNS int STABLE AS $$ SELECT $1 $$ LANGUAGE sql")
    right, query = right.format(name=name), query.format(who=user, name=name)
    ending = " FOR COPY" if "ASSUMEROLE" in right else ""

    def shown() -> list[tuple[object, ...]]:
        return sorted(redshift.run(query))

    assert shown() in ([], [(0,)])
    redshift.run(f"GRANT {right} TO {user}{ending}")
    assert shown() == [tuple(one.format(name=name) if isinstance(one, str) else one for one in row) for row in expected]
    redshift.run(f"REVOKE {right} FROM {user}{ending}")
    assert shown() in ([], [(0,)])
    redshift.run(f"DROP USER {user}")


def test_procedures_are_told_from_functions(redshift: RedshiftServer, user: str, name: str) -> None:
    """Both show as functions; pg_proc_info tells which is which, and each has a GRANT of its own."""
    redshift.run(f"CREATE PROCEDURE {name}(a int) AS $$ BEGIN END $$ LANGUAGE plpgsql")
    redshift.run(f"GRANT EXECUTE ON PROCEDURE {name}(int) TO {user} WITH GRANT OPTION")
    query = f"SELECT function_name, argument_types, admin_option FROM svv_function_privileges WHERE identity_name = '{user}'"
    assert redshift.run(query) == [(name, "integer", True)]
    kinds = f"SELECT prokind, oidvectortypes(proargtypes), prorettype FROM pg_proc_info WHERE proname = '{name}'"
    assert redshift.run(kinds) == [("p", "integer", 0)]
    with pytest.raises(psycopg2.Error):
        redshift.run(f"GRANT EXECUTE ON FUNCTION {name}(int) TO {user}")


def test_a_right_that_another_has_granted_stays(redshift: RedshiftServer, user: str, name: str) -> None:
    """A superuser revokes what the owner has granted, not what a third has: he must become that third."""
    redshift.create_user(f"{name}_other", PASSWORD)
    redshift.run(f"CREATE TABLE {name} (a int); GRANT SELECT ON {name} TO {name}_other WITH GRANT OPTION")
    redshift.run(f"GRANT SELECT ON {name} TO {user}", (f"{name}_other", PASSWORD))
    redshift.run(f"REVOKE SELECT ON {name} FROM {user}")
    assert redshift.run(RELATIONS.format(who=user, name=name)) == [("SELECT", "user", False)]
    redshift.run(
        f"SET SESSION AUTHORIZATION {name}_other; REVOKE SELECT ON {name} FROM {user}; SET SESSION AUTHORIZATION DEFAULT"
    )
    assert redshift.run(RELATIONS.format(who=user, name=name)) == []


def test_groups_and_roles_are_different_things(redshift: RedshiftServer, user: str, name: str) -> None:
    """A group and a role of one name have rights of their own, and members of their own."""
    redshift.run(
        f"CREATE GROUP {name} WITH USER {user}; CREATE ROLE {name}; GRANT ROLE {name} TO {user} WITH ADMIN OPTION"
    )
    redshift.run(
        f"CREATE TABLE {name} (a int); GRANT SELECT ON {name} TO GROUP {name}; GRANT INSERT ON {name} TO ROLE {name}"
    )
    assert sorted(redshift.run(RELATIONS.format(who=name, name=name))) == [
        ("INSERT", "role", False),
        ("SELECT", "group", False),
    ]
    ids = redshift.run(f"SELECT usesysid FROM pg_user, pg_group WHERE groname = '{name}' AND usesysid = ANY(grolist)")
    assert ids == redshift.run(f"SELECT user_id FROM svv_user_info WHERE user_name = '{user}'")
    assert redshift.run(f"SELECT role_name, admin_option FROM svv_user_grants WHERE user_name = '{user}'") == [
        (name, True)
    ]
    assert redshift.run(f"SELECT * FROM {name}", (user, PASSWORD)) == []
    redshift.run(f"INSERT INTO {name} VALUES (1)", (user, PASSWORD))
    redshift.run(f"ALTER GROUP {name} DROP USER {user}")
    assert refusal(redshift, f"SELECT * FROM {name}", user) == INSUFFICIENT_PRIVILEGE
    assert refusal(redshift, f"GRANT {name} TO {user}") == SYNTAX_ERROR
    assert refusal(redshift, f"GRANT SELECT ON {name} TO GROUP no_such_group") == UNDEFINED_OBJECT


def test_roles_of_roles_and_permissions_of_the_system(redshift: RedshiftServer, user: str, name: str) -> None:
    """A role's roles and permissions show; the permissions let a user who is no superuser administer others."""
    redshift.run(
        f"CREATE ROLE {name}; CREATE ROLE {name}_inner; GRANT ROLE {name}_inner TO ROLE {name}; GRANT ROLE {name} TO {user}"
    )
    redshift.run(f"GRANT ALTER USER, ACCESS SYSTEM TABLE TO ROLE {name}_inner")
    assert redshift.run(f"SELECT granted_role_name FROM svv_role_grants WHERE role_name = '{name}'") == [
        (f"{name}_inner",)
    ]
    assert sorted(
        redshift.run(f"SELECT system_privilege FROM svv_system_privileges WHERE identity_name = '{name}_inner'")
    ) == [
        ("ACCESS SYSTEM TABLE",),
        ("ALTER USER",),
    ]
    redshift.create_user(f"{name}_other", PASSWORD)
    redshift.run(f"ALTER USER {name}_other PASSWORD 'Other1234'", (user, PASSWORD))
    assert redshift.accepts(f"{name}_other", "Other1234")
    assert refusal(redshift, f"ALTER USER {name}_other CREATEUSER", user) == INSUFFICIENT_PRIVILEGE
    assert refusal(redshift, f"CREATE USER {name}_third PASSWORD DISABLE", user) == INSUFFICIENT_PRIVILEGE


def test_default_privileges(redshift: RedshiftServer, user: str, name: str) -> None:
    """Default privileges show for their owner, and act on what he makes from then on."""
    redshift.create_user(f"{name}_owner", PASSWORD)
    head = f"ALTER DEFAULT PRIVILEGES FOR USER {name}_owner IN SCHEMA public"
    redshift.run(
        f"{head} GRANT SELECT, DROP ON TABLES TO {user}; {head} GRANT EXECUTE ON PROCEDURES TO {user} WITH GRANT OPTION"
    )
    query = f"SELECT schema_name, object_type, owner_name, privilege_type, admin_option FROM svv_default_privileges WHERE grantee_name = '{user}'"
    assert sorted(redshift.run(query)) == [
        ("public", "PROCEDURE", f"{name}_owner", "EXECUTE", True),
        ("public", "RELATION", f"{name}_owner", "DROP", False),
        ("public", "RELATION", f"{name}_owner", "SELECT", False),
    ]
    redshift.run(f"CREATE TABLE {name}_made (a int)", (f"{name}_owner", PASSWORD))
    assert redshift.run(f"SELECT * FROM {name}_made", (user, PASSWORD)) == []
    redshift.run(f"{head} REVOKE ALL ON TABLES FROM {user}; {head} REVOKE ALL ON PROCEDURES FROM {user}")
    assert redshift.run(query) == []


def test_policies(redshift: RedshiftServer, user: str, name: str) -> None:
    """Policies on rows and columns show for those whom they are attached to; only sys:secadmin may look."""
    redshift.run(f"CREATE TABLE {name} (a int, b int); ATTACH RLS POLICY p ON {name} TO {user}")
    redshift.run(f"ATTACH MASKING POLICY m ON {name} (a, b) TO {user} PRIORITY 10")
    rows = f"SELECT polname, granteekind, is_pol_on FROM svv_rls_attached_policy WHERE grantee = '{user}'"
    columns = f"SELECT policy_name, priority, output_columns FROM svv_attached_masking_policy WHERE grantee = '{user}'"
    assert redshift.run(rows) == [("p", "user", True)]
    assert redshift.run(columns) == [("m", 10, "a, b")]
    assert refusal(redshift, rows, user) == INSUFFICIENT_PRIVILEGE
    assert redshift.run(columns, (user, PASSWORD)) == []
    redshift.run(f"GRANT ROLE sys:secadmin TO {user}")
    assert redshift.run(rows, (user, PASSWORD)) == [("p", "user", True)]
    redshift.run(f"DETACH RLS POLICY p ON {name} FROM {user}; DETACH MASKING POLICY m ON {name} (a, b) FROM {user}")
    assert redshift.run(rows) + redshift.run(columns) == []


def test_rights_show_in_their_own_database(redshift: RedshiftServer, user: str, name: str) -> None:
    """Rights on relations and schemas show in the current database only, users and rights on databases in each."""
    redshift.run(f"CREATE DATABASE {name}")
    redshift.run(f"CREATE TABLE {name} (a int); GRANT SELECT, DROP ON {name} TO {user}", dbname=name)
    redshift.run(f"GRANT CREATE, ALTER ON DATABASE {name} TO {user}")
    assert len(redshift.run(RELATIONS.format(who=user, name=name), dbname=name)) == 2
    assert redshift.run(RELATIONS.format(who=user, name=name)) == []
    databases = f"SELECT privilege_type FROM svv_database_privileges WHERE identity_name = '{user}'"
    assert sorted(redshift.run(databases)) == sorted(redshift.run(databases, dbname=name)) == [("ALTER",), ("CREATE",)]


def test_ordinary_users_see_little(redshift: RedshiftServer, user: str, name: str) -> None:
    """Who is no superuser sees himself, and the rights of his own identities."""
    redshift.create_user(f"{name}_other", PASSWORD)
    redshift.run(
        f"CREATE TABLE {name} (a int); GRANT SELECT ON {name} TO {user}; GRANT SELECT ON {name} TO {name}_other"
    )
    seen = f"SELECT identity_name FROM svv_relation_privileges WHERE relation_name = '{name}'"
    assert redshift.run(seen, (user, PASSWORD)) == [(user,)]
    redshift.run(f"ALTER USER {user} SYSLOG ACCESS UNRESTRICTED")
    assert len(redshift.run(seen, (user, PASSWORD))) == 2
    assert redshift.run("SELECT user_name FROM svv_user_info", (user, PASSWORD)) == [(user,)]
    assert refusal(redshift, "SELECT * FROM svl_user_info", user) == INSUFFICIENT_PRIVILEGE
    assert refusal(redshift, "SELECT * FROM pg_user_info", user) == INSUFFICIENT_PRIVILEGE


def test_who_has_a_right_or_owns_something_cannot_be_dropped(redshift: RedshiftServer, user: str, name: str) -> None:
    """DROP USER is refused as AWS documents it."""
    redshift.run(f"CREATE TABLE {name} (a int)", (user, PASSWORD))
    with pytest.raises(psycopg2.Error, match="owns some object") as refused:
        redshift.run(f"DROP USER {user}")
    assert refused.value.pgcode == OBJECT_IN_USE
    redshift.run(f"ALTER TABLE {name} OWNER TO awsuser; GRANT DROP ON {name} TO {user}")
    with pytest.raises(psycopg2.Error, match="has a privilege on some object"):
        redshift.run(f"DROP USER {user}")
    redshift.run(f"DROP TABLE {name}; DROP USER {user}")


# --- users and sessions


def test_attributes_of_a_user(redshift: RedshiftServer, name: str) -> None:
    """Each attribute that CREATE USER and ALTER USER set can be read again."""
    redshift.run(
        f"CREATE USER {name} PASSWORD 'abcD1234' CREATEDB SYSLOG ACCESS UNRESTRICTED CONNECTION LIMIT 3 SESSION TIMEOUT 120"
    )
    redshift.run(
        f"ALTER USER {name} PASSWORD 'abcD1234' VALID UNTIL '2099-01-02'; ALTER USER {name} SET query_group TO 'q'"
    )
    redshift.run(f"ALTER USER {name} SET search_path TO a, 'B c'")
    info = f"SELECT usecreatedb, useconnlimit, syslogaccess, sessiontimeout FROM svl_user_info WHERE usename = '{name}'"
    assert redshift.run(info) == [(True, "3", "UNRESTRICTED", 120)]
    ((until, config),) = redshift.run(
        f"SELECT CAST(valuntil AS varchar), useconfig FROM pg_user WHERE usename = '{name}'"
    )
    assert (str(until)[:10], config) == ("2099-01-02", ["query_group=q", 'search_path=a, "B c"'])
    assert redshift.run("SHOW query_group", (name, PASSWORD)) == [("q",)]
    redshift.run(
        f"ALTER USER {name} RESET SESSION TIMEOUT; ALTER USER {name} NOCREATEDB; ALTER USER {name} CONNECTION LIMIT UNLIMITED"
    )
    assert redshift.run(info) == [(False, "UNLIMITED", "UNRESTRICTED", 0)]


def test_logins(redshift: RedshiftServer, user: str) -> None:
    """Passwords are checked for real: a hash's, plaintext's, none; the texts are a server's."""
    assert redshift.accepts(user, PASSWORD)
    with pytest.raises(psycopg2.OperationalError, match=f'password authentication failed for user "{user}"'):
        redshift.connect(user, "Wrong1234")
    redshift.run(f"ALTER USER {user} PASSWORD 'Newer1234'", (user, PASSWORD))
    assert redshift.accepts(user, "Newer1234")
    redshift.run(f"ALTER USER {user} PASSWORD DISABLE")
    assert not redshift.accepts(user, "Newer1234")
    with pytest.raises(psycopg2.OperationalError, match='database "nowhere" does not exist'):
        redshift.connect(dbname="nowhere")


def test_a_sha256_user_is_beyond_libpq(redshift: RedshiftServer, user: str) -> None:
    """A password set as SHA-256 asks for authentication 13, until it is set as MD5 again."""
    redshift.run(f"ALTER USER {user} PASSWORD 'sha256|Mypassword1'")
    with pytest.raises(psycopg2.OperationalError, match="authentication method 13 not supported"):
        redshift.connect(user, "Mypassword1")
    redshift.set_password(user, PASSWORD)
    assert redshift.accepts(user, PASSWORD)


def test_a_user_changes_his_own_password_only(redshift: RedshiftServer, user: str, name: str) -> None:
    """And nothing else of himself; nor may he enable what a superuser has disabled."""
    redshift.create_user(f"{name}_other", PASSWORD)
    assert refusal(redshift, f"ALTER USER {name}_other PASSWORD 'Other1234'", user) == INSUFFICIENT_PRIVILEGE
    assert refusal(redshift, f"ALTER USER {user} CREATEDB", user) == INSUFFICIENT_PRIVILEGE
    assert refusal(redshift, f"ALTER USER {user} PASSWORD DISABLE", user) == INSUFFICIENT_PRIVILEGE
    assert refusal(redshift, f"ALTER USER {name}_nobody PASSWORD 'Other1234'") == UNDEFINED_OBJECT


def test_case_is_folded_unless_the_setting_is_on(redshift: RedshiftServer, name: str) -> None:
    """A group's quoted name is folded, a user's is not; a session may turn the folding off."""
    redshift.run(f'CREATE GROUP "G{name}"; CREATE USER "U{name}" PASSWORD DISABLE')
    assert redshift.run(f"SELECT groname FROM pg_group WHERE groname = 'g{name}'") == [(f"g{name}",)]
    assert redshift.run(f"SELECT usename FROM pg_user WHERE usename = 'U{name}'") == [(f"U{name}",)]
    opened = redshift.connect()
    with opened.cursor() as cursor:
        cursor.execute("SET enable_case_sensitive_identifier TO true")
        cursor.execute(f'CREATE GROUP "H{name}"')
        cursor.execute(f"SELECT 1 FROM pg_group WHERE groname = 'H{name}'")
        assert cursor.fetchall() == [(1,)]
    opened.close()
    redshift.create_user(f"{name}_keeps", PASSWORD)
    redshift.run(f"ALTER USER {name}_keeps SET enable_case_sensitive_identifier TO true")
    redshift.run(f'CREATE TABLE "T{name}" (a int)', (f"{name}_keeps", PASSWORD))
    assert redshift.run(f"SELECT tablename FROM pg_tables WHERE tablename = 'T{name}'") == [(f"T{name}",)]


def test_the_settings_of_a_cluster() -> None:
    """Case of names, TLS for everybody, and whether owners' rights show are options of the stand-in."""
    binaries = find_binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL")
    with redshift_server(binaries, case_sensitive=True, require_ssl=True, shows_owners=True) as server:
        server.run('CREATE GROUP "Kept"')
        assert server.run("SELECT groname FROM pg_group") == [("Kept",)]
        server.run('CREATE TABLE t (a int); GRANT SELECT ON t TO GROUP "Kept"')
        assert ("awsuser",) in server.run("SELECT identity_name FROM svv_relation_privileges WHERE relation_name = 't'")
        with pytest.raises(psycopg2.OperationalError, match="SSL off"):
            psycopg2.connect(
                host="localhost",
                port=server.port,
                user="awsuser",
                password=server.password,
                dbname="dev",
                sslmode="disable",
            )


def test_tls_is_verified_for_localhost(redshift: RedshiftServer) -> None:
    """The proxy's certificate is for localhost, by a root of its own."""
    opened = psycopg2.connect(f"host=localhost sslmode=verify-full sslrootcert={redshift.ca_file} {_login(redshift)}")
    assert opened.info.ssl_in_use
    assert opened.server_version == 80002
    opened.close()
    with pytest.raises(psycopg2.OperationalError, match="certificate"):
        psycopg2.connect(f"host=127.0.0.1 sslmode=verify-full sslrootcert={redshift.ca_file} {_login(redshift)}")


def test_a_refusal_fails_the_transaction(redshift: RedshiftServer, user: str) -> None:
    """A syntax error within a transaction leaves it failed, and nothing of it stays; GRANT and ALTER USER are in it."""
    opened = redshift.connect()
    opened.autocommit = False
    with opened.cursor() as cursor:
        cursor.execute(f"ALTER USER {user} PASSWORD 'Newer1234'")
        cursor.execute(f"GRANT USAGE, ALTER ON SCHEMA public TO {user}")
        with pytest.raises(psycopg2.errors.SyntaxError):
            cursor.execute("SET ROLE bob")
        with pytest.raises(psycopg2.errors.InFailedSqlTransaction):
            cursor.execute("SELECT 1")
    opened.rollback()
    opened.close()
    assert redshift.accepts(user, PASSWORD)
    assert redshift.run(f"SELECT 1 FROM svv_schema_privileges WHERE identity_name = '{user}'") == []


def test_a_client_that_disappears_takes_its_transaction_along(redshift: RedshiftServer, user: str) -> None:
    """What a client has not committed when its connection breaks is rolled back."""
    opened = redshift.connect()
    opened.autocommit = False
    with opened.cursor() as cursor:
        cursor.execute(f"ALTER USER {user} PASSWORD 'Newer1234'")
    with socket.socket(fileno=os.dup(opened.fileno())) as raw:
        raw.shutdown(socket.SHUT_RDWR)
    opened.close()
    for _ in range(50):
        if not redshift.behind(
            "SELECT 1 FROM pg_stat_activity WHERE datname = 'dev' AND state LIKE 'idle in transaction%'"
        ):
            break
        time.sleep(0.02)
    assert redshift.accepts(user, PASSWORD)


def test_errors_speak_of_users_and_groups(redshift: RedshiftServer) -> None:
    """An error names things as Redshift does, and shows nothing of the server behind."""
    for grantee, text in (
        ("nobody", 'user "nobody"'),
        ("GROUP nobody", 'group "nobody"'),
        ("ROLE nobody", 'role "nobody"'),
    ):
        with pytest.raises(psycopg2.Error) as refused:
            redshift.run(f"GRANT USAGE ON SCHEMA public TO {grantee}")
        assert str(refused.value).strip() == f"{text} does not exist"


def test_a_statement_timeout_is_real(redshift: RedshiftServer, name: str) -> None:
    """A statement that waits for a lock longer than the session's statement_timeout is cancelled."""
    redshift.run(f"CREATE TABLE {name} (a int)")
    holder, opened = redshift.connect(), redshift.connect()
    holder.autocommit = False
    with holder.cursor() as holding, opened.cursor() as cursor:
        holding.execute(f"LOCK TABLE {name}")
        cursor.execute("SET statement_timeout TO 100")
        with pytest.raises(psycopg2.Error) as refused:
            cursor.execute(f"SELECT * FROM {name}")
    assert refused.value.pgcode == QUERY_CANCELED
    holder.close()
    opened.close()


def test_several_statements_in_one_query(redshift: RedshiftServer, user: str) -> None:
    """All of them or none."""
    with pytest.raises(psycopg2.Error):
        redshift.run(f"ALTER USER {user} PASSWORD 'Newer1234'; ALTER USER nobody_at_all CREATEDB")
    assert redshift.accepts(user, PASSWORD)


def test_the_extended_protocol_is_refused(redshift: RedshiftServer) -> None:
    """Parse is refused: a function sends simple queries only."""
    opened = psycopg2.connect(f"host=localhost sslmode=disable {_login(redshift)}")
    with socket.socket(fileno=os.dup(opened.fileno())) as raw:
        raw.setblocking(True)  # noqa: FBT003
        raw.sendall(wire.message(b"P", b"\0SELECT 1\0\0\0") + wire.message(b"S", b""))
        answers = list(wire.answers(raw))
    opened.close()
    assert [kind for kind, _ in answers] == [b"E", b"Z"]
    assert FEATURE_NOT_SUPPORTED.encode() in answers[0][1]


def test_the_driver_quotes_as_the_server_reads(redshift: RedshiftServer) -> None:
    """psycopg2 doubles backslashes, since the server does not report standard_conforming_strings."""
    text = "a\\b'c\"d\\'"
    opened = redshift.connect()
    with opened.cursor() as cursor:
        cursor.execute("SELECT %s", (text,))
        assert cursor.fetchall() == [(text,)]
    opened.close()
    assert "\\\\" in redshift.statements[-1]


def test_the_log_has_what_clients_sent(redshift: RedshiftServer, user: str) -> None:
    """Each statement is in the log as it came, a plaintext password included; `statements` and `logins` count."""
    statements, logins = len(redshift.statements), redshift.logins
    redshift.run(f"ALTER USER {user} PASSWORD 'Canary1234'")
    assert (
        redshift.statements_of("awsuser")[-1:]
        == redshift.statements[statements:]
        == [f"ALTER USER {user} PASSWORD 'Canary1234'"]
    )
    assert redshift.accepts(user, "Canary1234")
    assert redshift.logins == logins + 1
    assert "Canary1234" in redshift.log.read_text()
    assert not redshift.accepts(user, md5(user, "Canary1234"))
