"""A stand-in for Amazon Redshift, of which no server can be had outside AWS.

A proxy (testkit/servers/redshift.py) takes clients' connections as a Redshift cluster does, and puts a real PostgreSQL server
behind them. What a client sends is cut into tokens (tokens), must fit the grammar that AWS documents (grammar), and is
translated (translate) for PostgreSQL, where users, memberships, rights and logins are real. What PostgreSQL lacks is noted there
(functions.sql); the views of Redshift's catalog are computed from both (views.sql, catalog).

It is stricter than Redshift rather than laxer: what AWS does not document is refused, since nobody here can try it.
"""
