"""A stand-in for Amazon Redshift, of which no server can be had outside AWS.

A proxy (testkit/servers/redshift.py) takes clients' connections as a Redshift cluster does, and puts a real PostgreSQL server
behind them. What a client sends is cut into tokens (tokens), must fit the grammar that AWS documents (grammar), and is
translated (translate) for PostgreSQL, where users, memberships, rights and logins are real. What PostgreSQL lacks is noted there
(functions.sql); the views of Redshift's catalog are computed from both (views.sql, catalog).

It is stricter than Redshift rather than laxer: what AWS does not document is refused, since nobody here can try it. Where it
falls short, it says 0A000 "does not emulate", or differs as follows:

- Rights that PostgreSQL does not know are noted and shown, but let nobody do anything: see rights.py.
- An owner's own rights on his objects are not in the svv_ views. AWS's pages say "explicitly granted"; a cluster may show them.
- svv_relation_privileges shows ALTER and TRUNCATE, which GRANT documents and the view's page does not list.
- svv_function_privileges shows procedures too, as PostgreSQL 8.0's catalog has them in one table; the page is silent.
- Policies, models, datashares, external schemas and identity providers need not exist, or never do.
- A user who has something in another database cannot be dropped; on a cluster he can.
- Names have 63 bytes at most (Redshift: 127); sessions run at PostgreSQL's isolation level unless BEGIN says one.
- last_ddl_timestamp is always null, sessions do not time out when idle, ids of users begin at 16384.
- pg_user's valuntil is a timestamptz (abstime on a cluster): CAST(valuntil AS timestamp) reads it in both.
- Lists of rights in relacl and the like have PostgreSQL 17's letters, where D is TRUNCATE (DROP on a cluster): use the svv_ views.
- Texts of errors are PostgreSQL's or ours, unless AWS documents them.
"""
