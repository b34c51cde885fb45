"""The statements that Redshift documents, for users, rights and sessions; whatever is not here is a syntax error.

Each rule names its page in the Amazon Redshift Database Developer Guide. Where the page's grammar and its examples, or the
page and PostgreSQL's habits, disagree, only what both allow is taken: a statement that passes here passes there.

- ALTER USER: the page puts commas between options, PostgreSQL 8.0 and AWS's own tools (awslabs/amazon-redshift-utils) none:
  one option for each statement.
- VALID UNTIL in ALTER USER comes with PASSWORD only, as on the page, though AWS's tools send it alone as well.
- GRANT ROLE: an example on "DROP ROLE" leaves ROLE out, the grammar on "GRANT" does not: it must be there.
- A role's name may be written `sys:monitor`, a user's `namespace:name`, unquoted ("GRANT", "CREATE USER", examples).
"""

from testkit.redshift.matcher import Grammar, Node
from testkit.redshift.tokens import Token
from testkit.redshift.words import RESERVED, SYSTEM_PERMISSIONS

_NAMES = """
user = identifier [':' identifier]
role = identifier [':' identifier]
group = identifier
database = identifier
schema = identifier
in_database = identifier
column = identifier
policy = identifier
language = identifier
model = identifier
datashare = identifier
new_name = identifier
relation = identifier ['.' identifier ['.' identifier]]
routine = identifier ['.' identifier] '(' [argument ,...] ')'
argument = word { word } ['(' number [',' number] ')']
word = identifier | TIMESTAMP | WITH | WITHOUT
external = identifier | string
iam_role = string | DEFAULT | ALL
"""

# "CREATE USER", "ALTER USER", "DROP USER".
_USERS = """
create_user = CREATE USER user [WITH] PASSWORD password { create_option }
password = DISABLE | string
until = VALID UNTIL string
createdb = CREATEDB | NOCREATEDB
createuser = CREATEUSER | NOCREATEUSER
syslog = SYSLOG ACCESS (RESTRICTED | UNRESTRICTED)
limit = CONNECTION LIMIT (number | UNLIMITED)
timeout = SESSION TIMEOUT number
identity = EXTERNALID external
in_group = IN GROUP group ,...
create_option = createdb | createuser | syslog | in_group | until | limit | timeout | identity
alter_user = ALTER USER user [WITH] alter_option
alter_option = new_password | createdb | createuser | syslog | limit | no_timeout | timeout | rename | setting | reset | identity
new_password = PASSWORD password [until]
no_timeout = RESET SESSION TIMEOUT
rename = RENAME TO new_name
setting = SET parameter (TO | '=') (DEFAULT | value ,...)
reset = RESET parameter
parameter = identifier ['.' identifier]
value = identifier | string | ['-'] number | TRUE | FALSE | ON | OFF
drop_user = DROP USER [IF EXISTS] user ,...
"""

# "CREATE GROUP", "ALTER GROUP", "DROP GROUP", "CREATE ROLE", "ALTER ROLE", "DROP ROLE".
_GROUPS = """
create_group = CREATE GROUP group [[WITH] USER user ,...]
alter_group = ALTER GROUP group (add_users | drop_users | rename)
add_users = ADD USER user ,...
drop_users = DROP USER user ,...
drop_group = DROP GROUP group
create_role = CREATE ROLE role [identity]
alter_role = ALTER ROLE role [WITH] (rename | OWNER TO user | EXTERNALID TO external)
drop_role = DROP ROLE role [FORCE | RESTRICT]
"""

# "GRANT", "REVOKE" (permissions on objects, on columns, scoped, ASSUMEROLE, datashares, models).
_RIGHTS = """
grantee = PUBLIC | ROLE role | GROUP group | user [WITH GRANT OPTION]
loser = PUBLIC | ROLE role | GROUP group | user
plain_grantee = PUBLIC | ROLE role | GROUP group | user
scoped_grantee = ROLE role | user [WITH GRANT OPTION]
scoped_loser = ROLE role | user
option_for = GRANT OPTION FOR
rights = privilege ,... | all
all = ALL [PRIVILEGES]
privilege = SELECT | INSERT | UPDATE | DELETE | DROP | REFERENCES | ALTER | TRUNCATE | CREATE | USAGE | TEMPORARY | TEMP | EXECUTE
tables = [TABLE] relation ,... | ALL TABLES IN SCHEMA schema ,...
routines = FUNCTION routine ,... | ALL FUNCTIONS IN SCHEMA schema ,... | PROCEDURE routine ,... | ALL PROCEDURES IN SCHEMA schema ,...
on_database = DATABASE database ,...
on_schema = SCHEMA schema ,...
on_language = LANGUAGE language ,...
on_object = on_database | on_schema | on_language | routines | tables
grant_on = GRANT rights ON on_object TO grantee ,...
revoke_on = REVOKE [option_for] rights ON on_object FROM loser ,... [RESTRICT]
column_rights = column_right ,...
column_right = (SELECT | UPDATE | ALL [PRIVILEGES]) '(' column ,... ')'
grant_columns = GRANT column_rights ON [TABLE] relation ,... TO plain_grantee ,...
revoke_columns = REVOKE column_rights ON [TABLE] relation ,... FROM loser ,... [RESTRICT]
scope = SCHEMAS | TABLES | FUNCTIONS | PROCEDURES | LANGUAGES
scope_place = SCHEMA schema [DATABASE in_database] | DATABASE database
grant_scoped = GRANT rights FOR scope IN scope_place TO scoped_grantee ,...
revoke_scoped = REVOKE [option_for] rights FOR scope IN scope_place FROM scoped_loser ,...
command = ALL | COPY | UNLOAD | EXTERNAL FUNCTION | CREATE MODEL
grant_assumerole = GRANT ASSUMEROLE ON iam_role ,... TO plain_grantee ,... FOR command ,...
revoke_assumerole = REVOKE ASSUMEROLE ON iam_role ,... FROM loser ,... FOR command ,...
share_right = ALTER | SHARE
grant_datashare = GRANT share_right ON DATASHARE datashare TO grantee ,...
revoke_datashare = REVOKE share_right ON DATASHARE datashare FROM loser ,...
grant_model = GRANT (EXECUTE | all) ON MODEL model ,... TO grantee ,...
revoke_model = REVOKE [option_for] (EXECUTE | all) ON MODEL model ,... FROM loser ,... [RESTRICT]
external_right = SELECT | ALTER | DROP | DELETE | INSERT | CREATE
grant_external = GRANT (external_right ,... | all) ON EXTERNAL (TABLE relation ,... | SCHEMA schema ,...) TO (PUBLIC | IAM_ROLE external ,...) [WITH GRANT OPTION]
revoke_external = REVOKE [option_for] (external_right ,... | all) ON EXTERNAL (TABLE relation ,... | SCHEMA schema ,...) FROM (PUBLIC | IAM_ROLE external ,...)
"""

# "GRANT", "REVOKE" (roles, system permissions, EXPLAIN and IGNORE RLS), "ALTER DEFAULT PRIVILEGES", and the pages
# "ATTACH RLS POLICY", "DETACH RLS POLICY", "ATTACH MASKING POLICY", "DETACH MASKING POLICY".
_ROLES = """
to_role = ROLE role
granted_role = ROLE role
member = ROLE role | user [WITH ADMIN OPTION]
past_member = user
grant_role = GRANT granted_role ,... TO member ,...
admin_for = ADMIN OPTION FOR
revoke_role = REVOKE [admin_for] granted_role ,... FROM past_member ,...
revoke_role_from_role = REVOKE granted_role ,... FROM to_role ,...
grant_system = GRANT (system ,... | all) TO to_role ,...
revoke_system = REVOKE (system ,... | all) FROM to_role ,...
grant_rls = GRANT (EXPLAIN RLS | IGNORE RLS | EXPLAIN MASKING) TO to_role
revoke_rls = REVOKE (EXPLAIN RLS | IGNORE RLS | EXPLAIN MASKING) FROM to_role
grant_policy = GRANT SELECT ON [TABLE] relation ,... TO (RLS | MASKING) POLICY policy ,...
revoke_policy = REVOKE SELECT ON [TABLE] relation ,... FROM (RLS | MASKING) POLICY policy ,...
default_privileges = ALTER DEFAULT PRIVILEGES [FOR USER user ,...] [IN SCHEMA schema ,...] (grant_default | revoke_default)
default_kind = TABLES | FUNCTIONS | PROCEDURES
grant_default = GRANT rights ON default_kind TO grantee ,...
revoke_default = REVOKE [option_for] rights ON default_kind FROM loser ,... [RESTRICT]
policy_user = PUBLIC | ROLE role | user
attach_rls = ATTACH RLS POLICY policy ON [TABLE] relation ,... TO policy_user ,...
detach_rls = DETACH RLS POLICY policy ON [TABLE] relation ,... FROM policy_user ,...
inputs = USING '(' column ,... ')'
outputs = '(' column ,... ')'
attach_masking = ATTACH MASKING POLICY policy ON relation outputs [inputs] TO policy_user [PRIORITY number]
detach_masking = DETACH MASKING POLICY policy ON relation outputs FROM policy_user
"""

# "SET", "RESET", "SHOW", "SHOW GRANTS", "SET SESSION AUTHORIZATION", "SET SESSION CHARACTERISTICS", "BEGIN", "COMMIT", "END",
# "ROLLBACK", "ABORT".
_SESSION = """
set = SET [SESSION | LOCAL] parameter (TO | '=') (DEFAULT | value ,...)
reset_session = RESET (parameter | ALL)
show = SHOW (parameter | ALL)
show_grants = SHOW GRANTS (FOR (ROLE role | user) [FROM DATABASE database] | ON shown_object [FOR loser]) [LIMIT number]
shown_object = DATABASE database | SCHEMA relation | FUNCTION routine | TABLE relation
set_authorization = SET [LOCAL] SESSION AUTHORIZATION (DEFAULT | user)
characteristics = SET SESSION CHARACTERISTICS AS TRANSACTION isolation
isolation = ISOLATION LEVEL level | READ WRITE | READ ONLY
level = SERIALIZABLE | READ UNCOMMITTED | READ COMMITTED | REPEATABLE READ
begin = (BEGIN [WORK | TRANSACTION] | START TRANSACTION) { isolation }
commit = (COMMIT | END) [WORK | TRANSACTION]
rollback = (ROLLBACK | ABORT) [WORK | TRANSACTION]
"""

GRAMMAR = Grammar(RESERVED)
for _rules in (_NAMES, _USERS, _GROUPS, _RIGHTS, _ROLES, _SESSION):
    GRAMMAR.add(_rules)
GRAMMAR.add("system = " + " | ".join(SYSTEM_PERMISSIONS))

_STATEMENTS = {
    ("CREATE", "USER"): "create_user", ("ALTER", "USER"): "alter_user", ("DROP", "USER"): "drop_user",
    ("CREATE", "GROUP"): "create_group", ("ALTER", "GROUP"): "alter_group", ("DROP", "GROUP"): "drop_group",
    ("CREATE", "ROLE"): "create_role", ("ALTER", "ROLE"): "alter_role", ("DROP", "ROLE"): "drop_role",
    ("ALTER", "DEFAULT"): "default_privileges", ("GRANT",): "any_grant", ("REVOKE",): "any_revoke",
    ("ATTACH", "RLS"): "attach_rls", ("DETACH", "RLS"): "detach_rls",
    ("ATTACH",): "attach_masking", ("DETACH",): "detach_masking",
    ("SET",): "any_set", ("RESET",): "reset_session", ("SHOW", "GRANTS"): "show_grants", ("SHOW",): "show",
    ("BEGIN",): "begin", ("START",): "begin", ("COMMIT",): "commit", ("END",): "commit",
    ("ROLLBACK",): "rollback", ("ABORT",): "rollback",
}  # fmt: skip
GRAMMAR.add("""
any_grant = grant_role | grant_scoped | grant_assumerole | grant_datashare | grant_model | grant_external | grant_policy | grant_columns | grant_on | grant_rls | grant_system
any_revoke = revoke_role | revoke_role_from_role | revoke_scoped | revoke_assumerole | revoke_datashare | revoke_model | revoke_external | revoke_policy | revoke_columns | revoke_on | revoke_rls | revoke_system
any_set = characteristics | set_authorization | set
""")


def parse(tokens: list[Token]) -> Node | None:
    """The structure of one statement; None where it is of a kind that is not described here (a query, a table's DDL).

    Raises Refused, 42601, where Redshift documents the kind, but not this form of it.
    """
    head = tuple(token.value.upper() if token.kind == "word" else "" for token in tokens[:2])
    rule = _STATEMENTS.get(head) or _STATEMENTS.get(head[:1])
    if rule is None:
        return None
    node = GRAMMAR.parse(rule, tokens)
    return node.parts[0] if rule.startswith("any_") else node
