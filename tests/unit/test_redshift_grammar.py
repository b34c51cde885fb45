"""The grammar of the stand-in for Redshift takes what AWS documents, and nothing that only PostgreSQL knows."""

import pytest
import sqlglot
from sqlglot import exp

from testkit.redshift import passwords
from testkit.redshift.errors import Refused
from testkit.redshift.grammar import parse
from testkit.redshift.names import Names
from testkit.redshift.tokens import tokenize
from testkit.redshift.translate import translate

# Statements in the forms of AWS's pages, by page; names are ours.
DOCUMENTED = {
    "CREATE USER": [
        "create user dbuser with password 'abcD1234' createdb connection limit 30",
        "create user dbuser with password 'abcD1234' valid until '2027-06-10'",
        "create user slashpass password 'md50c983d1a624280812631c5389e60d48c'",
        "CREATE USER admin PASSWORD 'sha256|Mypassword1'",
        "CREATE USER dbuser password 'abcD1234' SESSION TIMEOUT 120",
        'CREATE USER myco_aad:bob PASSWORD DISABLE EXTERNALID "ABC123"',
        "CREATE USER a PASSWORD DISABLE IN GROUP one, two SYSLOG ACCESS UNRESTRICTED CONNECTION LIMIT UNLIMITED NOCREATEUSER",
    ],
    "ALTER USER": [
        "alter user admin createdb",
        "alter user adminuser password 'adminPass9' valid until '2027-12-31 23:59'",
        "alter user dbuser rename to dwuser",
        "alter user dwuser connection limit unlimited",
        "ALTER USER dbuser SESSION TIMEOUT 300",
        "ALTER USER dbuser RESET SESSION TIMEOUT",
        "alter user dbuser set search_path to a, b",
        "alter user dbuser reset query_group",
        "alter user dbuser password disable",
        "alter user dbuser syslog access restricted",
    ],
    "DROP USER": ["drop user if exists danny", "drop user a, b"],
    "CREATE GROUP": ["create group admin_group with user admin1, admin2", "create group g"],
    "ALTER GROUP": ["alter group g add user dwuser", "alter group g drop user a, b", "alter group g rename to h"],
    "DROP GROUP": ["drop group guests"],
    "CREATE ROLE": ["CREATE ROLE r", 'CREATE ROLE r EXTERNALID "ABC123"'],
    "ALTER ROLE": [
        "ALTER ROLE r WITH RENAME TO s",
        "ALTER ROLE r WITH OWNER TO user1",
        'ALTER ROLE r EXTERNALID TO "XYZ"',
    ],
    "DROP ROLE": ["DROP ROLE r FORCE", "DROP ROLE r"],
    "GRANT": [
        "grant select on table sales to fred",
        "grant select on all tables in schema qa_tickit to fred",
        "grant all on schema qa_tickit to group qa_users",
        "grant all on table qa_tickit.sales to group qa_users, group ro_users",
        "grant drop, alter, truncate on table qa_tickit.sales to group qa_users",
        "grant select on table employees to HR with grant option",
        "grant create, temp on database tickit to fred",
        "grant execute on function pyudf(varchar(10), int) to role r, public",
        "grant execute on all procedures in schema s to fred",
        "grant usage on language plpythonu to fred",
        "grant select (cust_name, cust_phone), update (cust_contact_preference) on cust_profile to user1",
        "grant all (cust_name) on cust_profile to group admin_group",
        "grant assumerole on 'arn:aws:iam::123456789012:role/Role' to reg_user1 for copy, unload",
        "grant assumerole on all to role r for all",
        "GRANT ROLE sample_role1 TO user1 WITH ADMIN OPTION",
        "GRANT ROLE sample_role1, ROLE b TO ROLE sample_role2, user1",
        "GRANT ROLE sys:monitor TO user1",
        "GRANT CREATE USER, DROP USER, CREATE OR REPLACE FUNCTION, ACCESS SYSTEM TABLE TO ROLE sample_role1",
        "GRANT SHARE ON DATASHARE salesshare TO fred",
        "GRANT CREATE ON EXTERNAL SCHEMA s TO IAM_ROLE 'arn'",
        "GRANT USAGE FOR SCHEMAS IN DATABASE dev TO ROLE r",
        "GRANT SELECT, INSERT FOR TABLES IN SCHEMA s DATABASE dev TO bob WITH GRANT OPTION",
        "GRANT EXECUTE FOR FUNCTIONS IN SCHEMA s TO ROLE r",
        "GRANT EXPLAIN RLS TO ROLE r",
        "GRANT IGNORE RLS TO ROLE r",
        "GRANT SELECT ON lookup TO RLS POLICY p",
    ],
    "REVOKE": [
        "revoke grant option for select on t from bob",
        "revoke all on all tables in schema public from group guest",
        "revoke select (a) on t from bob",
        "REVOKE ADMIN OPTION FOR ROLE r FROM user1",
        "REVOKE ROLE a FROM ROLE b",
        "REVOKE CREATE USER FROM ROLE r",
        "REVOKE SELECT FOR TABLES IN SCHEMA s FROM bob",
        "REVOKE ASSUMEROLE ON 'arn' FROM bob FOR COPY",
        "revoke usage on schema s from public restrict",
    ],
    "ALTER DEFAULT PRIVILEGES": [
        "alter default privileges in schema tickit grant select on tables to group report_readers",
        "alter default privileges for user a, b grant insert on tables to group r",
        "alter default privileges revoke execute on procedures from bob",
    ],
    "policies": [
        "ATTACH RLS POLICY p ON tickit TO ROLE analyst, ROLE dbadmin",
        "DETACH RLS POLICY p ON TABLE tickit FROM bob, PUBLIC",
        "ATTACH MASKING POLICY m ON credit_cards (card) USING (a, b) TO ROLE analytics PRIORITY 10",
        "DETACH MASKING POLICY m ON credit_cards (card) FROM PUBLIC",
    ],
    "sessions": [
        "set search_path to '$user', public",
        "set session query_group to 'x'",
        "set local statement_timeout = 1000",
        "reset all",
        "show search_path",
        "show grants for role r limit 10",
        "show grants on table public.t for bob",
        "set session authorization bob",
        "begin read write",
        "start transaction isolation level serializable",
        "commit work",
        "abort transaction",
    ],
}
ONLY_POSTGRES = [
    "GRANT role1 TO bob",
    "GRANT role1, role2 TO bob WITH ADMIN OPTION",
    "GRANT ROLE role1 TO bob WITH INHERIT TRUE",
    "GRANT SELECT ON SEQUENCE s TO bob",
    "GRANT CONNECT ON DATABASE dev TO bob",
    "GRANT SELECT ON t TO bob GRANTED BY alice",
    "GRANT MAINTAIN ON t TO bob",
    "GRANT SET ON PARAMETER work_mem TO bob",
    "GRANT SELECT FOR TABLES IN SCHEMA s TO GROUP g",
    "REVOKE SELECT ON t FROM bob CASCADE",
    "ALTER ROLE bob PASSWORD 'abcD1234'",
    "ALTER ROLE bob SET search_path TO a",
    "ALTER USER bob CREATEDB CREATEUSER",
    "ALTER USER bob CREATEDB, CREATEUSER",
    "ALTER USER bob VALID UNTIL 'infinity'",
    "ALTER USER bob WITH ENCRYPTED PASSWORD 'abcD1234'",
    "ALTER USER bob SUPERUSER",
    "ALTER USER CURRENT_USER PASSWORD 'abcD1234'",
    "ALTER USER bob IN DATABASE dev SET search_path TO a",
    "CREATE USER bob",
    "CREATE USER IF NOT EXISTS bob PASSWORD DISABLE",
    "CREATE USER bob LOGIN PASSWORD 'abcD1234'",
    "CREATE USER bob PASSWORD NULL",
    "CREATE ROLE r LOGIN",
    "CREATE GROUP g ROLE a",
    "DROP GROUP IF EXISTS g",
    "DROP ROLE IF EXISTS r",
    "DROP USER bob CASCADE",
    "DROP OWNED BY bob",
    "REASSIGN OWNED BY bob TO alice",
    "DO $$ BEGIN END $$",
    "SET ROLE bob",
    "RESET ROLE",
    "DISCARD ALL",
    "LISTEN x",
    "PREPARE p AS SELECT 1",
    "SAVEPOINT a",
    "ROLLBACK TO SAVEPOINT a",
    "INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING",
    "INSERT INTO t VALUES (1) RETURNING a",
    "SELECT * FROM t, LATERAL (SELECT 1) AS x",
    "SELECT array_agg(a) FROM t",
    "SELECT count(*) FILTER (WHERE a > 1) FROM t",
    "SELECT ARRAY[1, 2]",
    "SELECT * FROM unnest(a)",
    "SELECT (aclexplode(relacl)).* FROM pg_class",
    "SELECT pg_has_role('a', 'b', 'member')",
    "SELECT 'bob'::regrole",
    "SELECT 1 -- a comment",
    "SELECT /* a comment */ 1",
    "SELECT 'an end",
    "SELECT E'a'",
    "SELECT * FROM pg_authid",
    "SELECT * FROM pg_roles",
    "SELECT * FROM pg_auth_members",
    "SELECT * FROM pg_shdepend",
    "SELECT * FROM pg_db_role_setting",
    "SELECT * FROM pg_catalog.pg_shadow_of_ours",
    "SELECT * FROM redshift_catalog.identities",
    "SET lock_timeout TO 1000",
    "SET idle_in_transaction_session_timeout TO 1000",
]


@pytest.mark.parametrize("statement", [one for page in DOCUMENTED.values() for one in page])
def test_what_aws_documents_is_taken(statement: str) -> None:
    """A statement in a documented form has a structure; with a semicolon too."""
    assert parse(tokenize(statement)) is not None


@pytest.mark.parametrize("statement", ONLY_POSTGRES)
def test_what_only_postgres_knows_is_refused(statement: str) -> None:
    """A statement that Redshift does not document is refused with a server's code: syntax, or something not there."""
    with pytest.raises(Refused) as refused:
        translate(tokenize(statement), Names(case_sensitive=False))
    assert refused.value.sqlstate in {"42601", "42883", "42704", "42P01"}


def test_sqlglot_agrees_where_it_knows_a_statement(caplog: pytest.LogCaptureFixture) -> None:
    """Where sqlglot's Redshift dialect has a structure for a statement, it is of the same kind; it has for many of them."""
    caplog.set_level("CRITICAL", "sqlglot")  # else it tells of each that it does not look into
    kinds: dict[str, type[exp.Expr]] = {
        "GRANT": exp.Grant, "REVOKE": exp.Revoke, "SET": exp.Set, "BEGIN": exp.Transaction, "START": exp.Transaction,
        "COMMIT": exp.Commit, "DROP": exp.Drop, "CREATE": exp.Create, "ALTER": exp.Alter,
    }  # fmt: skip
    agreed = 0
    for statement in [one for page in DOCUMENTED.values() for one in page]:
        first = statement.split()[0].upper()
        try:
            known = sqlglot.parse_one(statement, read="redshift")
        except sqlglot.errors.ParseError:
            continue
        if not isinstance(known, exp.Command) and first in kinds:
            assert isinstance(known, kinds[first]), statement
            agreed += 1
    assert agreed >= 10


@pytest.mark.parametrize(
    ("password", "allowed"),
    [
        ("abcD1234", True),
        ("aB3" + "x" * 61, True),
        ("aB3" + "x" * 62, False),
        ("abC1234", False),
        ("abcd1234", False),
        ("ABCD1234", False),
        ("abcdEFGH", False),
        *((f"abcD1234{one}", False) for one in "'\"\\/@ é\x7f"),
        ("abcD1234!#$%&()*+,-.:;<=>?[]^_`{|}~", True),
        ("md5" + "g" * 32, False),
        ("md5" + "0" * 32, True),
        ("md5" + "A" * 32, True),
    ],
)
def test_the_password_policy(password: str, *, allowed: bool) -> None:
    """Plaintext meets the policy of "CREATE USER"; an MD5 hash has its shape only."""
    if allowed:
        assert passwords.options("bob", password)[0] == "password"
    else:
        with pytest.raises(Refused):
            passwords.options("bob", password)


def test_a_plaintext_password_becomes_the_documented_hash() -> None:
    """AWS's own example: password ez of user1."""
    assert passwords.md5("user1", "ez") == "md5153c434b4b77c89e6b94f12c5393af5b"


@pytest.mark.parametrize(
    ("statement", "keep", "expected"),
    [
        ('CREATE GROUP "MyGroup"', False, "mygroup"),
        ('CREATE GROUP "MyGroup"', True, "MyGroup"),
        ("CREATE GROUP MyGroup", True, "mygroup"),
        ('CREATE USER "MyUser" PASSWORD DISABLE', False, "MyUser"),
        ("CREATE USER MyUser PASSWORD DISABLE", True, "myuser"),
        ('CREATE ROLE "MyRole"', False, "myrole"),
        ('ALTER USER "A" RENAME TO "B"', False, "B"),
        ('GRANT USAGE ON SCHEMA "MySchema" TO "Bob"', False, 'SCHEMA "myschema" TO "Bob"'),
        ('GRANT USAGE ON SCHEMA "MySchema" TO "Bob"', True, 'SCHEMA "MySchema" TO "Bob"'),
        ('SELECT "A" FROM "T"', False, 'SELECT "a" FROM "t"'),
        ('SELECT "A" FROM "T"', True, 'SELECT "A" FROM "T"'),
    ],
)
def test_the_case_of_names(statement: str, *, keep: bool, expected: str) -> None:
    """Quoted names are folded unless the setting is on; users' names never are."""
    assert expected in translate(tokenize(statement), Names(keep))[0].sql


def test_a_backslash_in_a_string_escapes() -> None:
    """As on the page "CREATE USER": a backslash is written twice; an apostrophe may be written twice as well."""
    assert translate(tokenize(r"SELECT 'a\\b''c'"), Names(case_sensitive=False))[0].sql == r"SELECT 'a\b''c'"
