-- Redshift's views and catalog tables, with exactly the columns of AWS's pages (testkit/redshift/catalog.py names them),
-- computed from what is really granted. (Objects of PostgreSQL's own have oids below 16384.)
-- Owners' own rights are left out: the pages say "explicitly granted".

CREATE FUNCTION spelled(acl aclitem[]) RETURNS text[] LANGUAGE sql STABLE AS $$
    SELECT array_agg(regexp_replace(regexp_replace(one::text, '(group|role):', '\1 '), '\mpostgres\M', 'rdsdb', 'g')) FROM unnest(acl) AS one
$$;

CREATE FUNCTION config_of(role oid) RETURNS text[] LANGUAGE sql STABLE AS $$
    SELECT array_agg(regexp_replace(one, '^redshift\.', '')) FROM pg_catalog.pg_db_role_setting, unnest(setconfig) AS one
    WHERE setrole = role AND setdatabase = 0
$$;

CREATE VIEW pg_user AS
SELECT name::name AS usename, id AS usesysid, rolcreatedb AS usecreatedb, rolsuper AS usesuper, rolsuper AND id < 16384 AS usecatupd,
       '********'::text AS passwd, rolvaliduntil AS valuntil, redshift_catalog.config_of(oid) AS useconfig
FROM identities WHERE type = 'user';

CREATE VIEW pg_user_info AS
SELECT u.*, CASE WHEN rolconnlimit < 0 THEN 'UNLIMITED' ELSE rolconnlimit::text END AS useconnlimit
FROM pg_user AS u JOIN identities ON id = usesysid AND type = 'user';

CREATE VIEW svl_user_info AS
SELECT usename::text AS usename, usesysid, usecreatedb, usesuper, usecatupd, useconnlimit,
       coalesce(notes ->> 'syslog', 'RESTRICTED') AS syslogaccess, NULL::timestamp AS last_ddl_ts,
       coalesce((notes ->> 'timeout')::integer, 0) AS sessiontimeout, notes ->> 'external_id' AS external_id
FROM pg_user_info JOIN identities ON id = usesysid AND type = 'user';

CREATE VIEW svv_user_info AS
SELECT name AS user_name, id AS user_id, rolcreatedb AS createdb, rolsuper AS superuser, rolsuper AND id < 16384 AS catalog_update,
       CASE WHEN rolconnlimit < 0 THEN 'UNLIMITED' ELSE rolconnlimit::text END AS connection_limit,
       coalesce(notes ->> 'syslog', 'RESTRICTED') AS syslog_access, NULL::timestamp AS last_ddl_timestamp,
       coalesce((notes ->> 'timeout')::integer, 0) AS session_timeout, notes ->> 'external_id' AS external_user_id
FROM identities WHERE type = 'user' AND (redshift_catalog.is_superuser(current_user) OR rolname = current_user);

CREATE VIEW pg_group AS
SELECT name::name AS groname, id AS grosysid,
       (SELECT array_agg(member::bigint::integer ORDER BY member) FROM pg_catalog.pg_auth_members WHERE roleid = i.oid) AS grolist
FROM identities AS i WHERE type = 'group';

CREATE VIEW svv_roles AS
SELECT r.id AS role_id, r.name AS role_name, coalesce(o.name, 'rdsdb') AS role_owner, r.notes ->> 'external_id' AS external_id
FROM identities AS r LEFT JOIN identities AS o ON o.oid = (r.notes ->> 'owner')::oid WHERE r.type = 'role';

CREATE VIEW memberships AS
SELECT roleid, r.name AS role_name, member, m.name AS member_name, m.type, bool_or(admin_option) AS admin_option
FROM pg_catalog.pg_auth_members JOIN identities AS r ON r.oid = roleid AND r.type = 'role' JOIN identities AS m ON m.oid = member
GROUP BY 1, 2, 3, 4, 5;

CREATE VIEW svv_user_grants AS
SELECT member::bigint::integer AS user_id, member_name AS user_name, roleid::bigint::integer AS role_id, role_name, admin_option
FROM memberships WHERE type = 'user' AND (redshift_catalog.may(current_user, 'ACCESS SYSTEM TABLE') OR member_name = current_user);

CREATE VIEW svv_role_grants AS
SELECT member::bigint::integer AS role_id, member_name AS role_name, roleid::bigint::integer AS granted_role_id, role_name AS granted_role_name
FROM memberships WHERE type = 'role' AND (redshift_catalog.sees(member) OR redshift_catalog.sees(roleid));

-- What an access control list grants to others than the owner; to him as well where the stand-in is told to show that.
CREATE FUNCTION granted(acl aclitem[], owner oid) RETURNS TABLE (grantee oid, privilege_type text, is_grantable boolean) LANGUAGE sql STABLE AS $$
    SELECT a.grantee, a.privilege_type, bool_or(a.is_grantable) FROM aclexplode(acl) AS a
    WHERE a.grantee <> owner OR current_setting('stand_in.shows_owners', true) = 'on' GROUP BY 1, 2
$$;

CREATE VIEW svv_relation_privileges AS
SELECT nspname::text AS namespace_name, relname::text AS relation_name, g.privilege_type, i.id AS identity_id, i.name AS identity_name,
       i.type AS identity_type, g.is_grantable AND i.type = 'user' AS admin_option
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = relnamespace,
     LATERAL (SELECT * FROM redshift_catalog.granted(relacl, relowner)
              UNION ALL SELECT grantee, 'RULE', is_grantable FROM redshift_catalog.granted(relacl, relowner) WHERE privilege_type = 'TRIGGER'
              UNION ALL SELECT grantee, privilege, admin FROM extra WHERE kind = 'relation' AND object = c.oid) AS g,
     identities AS i
WHERE i.oid = g.grantee AND c.oid >= 16384 AND relkind IN ('r', 'v', 'm', 'p') AND nspname !~ '^pg_|^information_schema$|^redshift_catalog$'
  AND g.privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE', 'REFERENCES', 'DROP', 'ALTER', 'TRUNCATE', 'RULE', 'TRIGGER') AND redshift_catalog.sees_on_relations(g.grantee);

CREATE VIEW svv_column_privileges AS
SELECT nspname::text AS namespace_name, relname::text AS relation_name, attname::text AS column_name, g.privilege_type, i.id AS identity_id,
       i.name AS identity_name, i.type AS identity_type
FROM pg_catalog.pg_attribute JOIN pg_catalog.pg_class AS c ON c.oid = attrelid JOIN pg_catalog.pg_namespace AS n ON n.oid = relnamespace,
     LATERAL redshift_catalog.granted(attacl, relowner) AS g, identities AS i
WHERE i.oid = g.grantee AND c.oid >= 16384 AND nspname !~ '^pg_|^information_schema$|^redshift_catalog$' AND redshift_catalog.sees(g.grantee);

CREATE VIEW svv_schema_privileges AS
SELECT nspname::text AS namespace_name, g.privilege_type, i.id AS identity_id, i.name AS identity_name, i.type AS identity_type,
       g.is_grantable AND i.type = 'user' AS admin_option, g.scope AS privilege_scope
FROM pg_catalog.pg_namespace AS n,
     LATERAL (SELECT *, 'SCHEMA' AS scope FROM redshift_catalog.granted(nspacl, nspowner)
              UNION ALL SELECT grantee, privilege, admin, extra.scope FROM extra WHERE kind = 'schema' AND object = n.oid) AS g,
     identities AS i
WHERE i.oid = g.grantee AND nspname !~ '^pg_|^information_schema$|^redshift_catalog$' AND redshift_catalog.sees(g.grantee);

CREATE VIEW svv_database_privileges AS
SELECT datname::text AS database_name, CASE g.privilege_type WHEN 'TEMPORARY' THEN 'TEMP' ELSE g.privilege_type END AS privilege_type,
       i.id AS identity_id, i.name AS identity_name, i.type AS identity_type, g.is_grantable AND i.type = 'user' AS admin_option, g.scope AS privilege_scope
FROM pg_catalog.pg_database AS d,
     LATERAL (SELECT *, 'DATABASE' AS scope FROM redshift_catalog.granted(datacl, datdba) WHERE privilege_type <> 'CONNECT'
              UNION ALL SELECT (r ->> 'grantee')::oid, r ->> 'privilege', (r ->> 'admin')::boolean, r ->> 'scope'
              FROM jsonb_array_elements(redshift_catalog.database_notes(d.oid)) AS r) AS g,
     identities AS i
WHERE i.oid = g.grantee AND datname NOT IN ('postgres', 'template0', 'template1') AND redshift_catalog.sees(g.grantee);

CREATE VIEW svv_function_privileges AS
SELECT nspname::text AS namespace_name, proname::text AS function_name, oidvectortypes(proargtypes) AS argument_types, g.privilege_type,
       i.id AS identity_id, i.name AS identity_name, i.type AS identity_type, g.is_grantable AND i.type = 'user' AS admin_option
FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_namespace AS n ON n.oid = pronamespace, LATERAL redshift_catalog.granted(proacl, proowner) AS g, identities AS i
WHERE i.oid = g.grantee AND p.oid >= 16384 AND nspname !~ '^pg_|^information_schema$|^redshift_catalog$' AND redshift_catalog.sees(g.grantee);

CREATE VIEW svv_language_privileges AS
SELECT lanname::text AS language_name, g.privilege_type, i.id AS identity_id, i.name AS identity_name, i.type AS identity_type,
       g.is_grantable AND i.type = 'user' AS admin_option
FROM pg_catalog.pg_language, LATERAL redshift_catalog.granted(lanacl, lanowner) AS g, identities AS i
WHERE i.oid = g.grantee AND redshift_catalog.sees(g.grantee);

CREATE VIEW svv_default_privileges AS
SELECT nspname::text AS schema_name, d.object_type, o.id AS owner_id, o.name AS owner_name, 'user'::text AS owner_type, d.privilege_type,
       i.id AS grantee_id, i.name AS grantee_name, i.type AS grantee_type, d.is_grantable AND i.type = 'user' AS admin_option
FROM (SELECT defaclrole AS owner, defaclnamespace AS namespace, CASE defaclobjtype WHEN 'r' THEN 'RELATION' ELSE 'FUNCTION' END AS object_type, g.*
      FROM pg_catalog.pg_default_acl, LATERAL redshift_catalog.granted(defaclacl, defaclrole) AS g
      WHERE NOT (defaclobjtype = 'f' AND defaclnamespace = 0 AND g.grantee = 0)
      UNION ALL SELECT owner, namespace, object_type, grantee, privilege, admin FROM extra_default) AS d
JOIN identities AS o ON o.oid = d.owner JOIN identities AS i ON i.oid = d.grantee LEFT JOIN pg_catalog.pg_namespace AS n ON n.oid = d.namespace
WHERE redshift_catalog.sees(d.grantee);

CREATE VIEW svv_system_privileges AS
SELECT p AS system_privilege, id AS identity_id, name AS identity_name, type AS identity_type
FROM identities, jsonb_array_elements_text(coalesce(notes -> 'system', '[]')) AS p WHERE redshift_catalog.sees(oid);

CREATE VIEW svv_iam_privileges AS
SELECT p ->> 0 AS iam_arn, p ->> 1 AS command_type, id AS identity_id, name AS identity_name, type AS identity_type
FROM identities, jsonb_array_elements(coalesce(notes -> 'iam', '[]')) AS p WHERE redshift_catalog.sees(oid);

CREATE VIEW svv_datashare_privileges AS
SELECT p ->> 0 AS datashare_name, p ->> 1 AS privilege_type, id AS identity_id, name AS identity_name, type AS identity_type,
       bool_or((p ->> 2)::boolean) AS admin_option
FROM identities, jsonb_array_elements(coalesce(notes -> 'datashare', '[]')) AS p WHERE redshift_catalog.sees(oid) GROUP BY 1, 2, 3, 4, 5;

CREATE VIEW svv_ml_model_privileges AS
SELECT ''::text AS namespace_name, ''::text AS model_name, 0 AS model_version, ''::text AS privilege_type, 0 AS identity_id, ''::text AS identity_name,
       ''::text AS identity_type, false AS admin_option WHERE false;

CREATE VIEW svv_rls_attached_policy AS
SELECT nspname::text AS relschema, relname::text AS relname, CASE relkind WHEN 'v' THEN 'view' ELSE 'table' END AS relkind, policy AS polname,
       o.name AS grantor, i.name AS grantee, i.type AS granteekind, true AS is_pol_on, true AS is_rls_on, 'and'::character(3) AS rls_conjunction_type
FROM policies AS p JOIN pg_catalog.pg_class AS c ON c.oid = relation JOIN pg_catalog.pg_namespace AS n ON n.oid = relnamespace
JOIN identities AS i ON i.oid = p.grantee JOIN identities AS o ON o.oid = p.grantor WHERE kind = 'rls';

CREATE VIEW svv_attached_masking_policy AS
SELECT policy AS policy_name, nspname::text AS schema_name, relname::text AS table_name, CASE relkind WHEN 'v' THEN 'view' ELSE 'table' END AS table_type,
       o.name AS grantor, i.name AS grantee, i.type AS grantee_type, priority, inputs AS input_columns, outputs AS output_columns,
       false AS is_masking_datashare_on
FROM policies AS p JOIN pg_catalog.pg_class AS c ON c.oid = relation JOIN pg_catalog.pg_namespace AS n ON n.oid = relnamespace
JOIN identities AS i ON i.oid = p.grantee JOIN identities AS o ON o.oid = p.grantor
WHERE kind = 'masking' AND (redshift_catalog.is_superuser(current_user)
    OR redshift_catalog.grantee('role', 'sys:secadmin') IN (SELECT redshift_catalog.identities_of(current_user)));

CREATE VIEW svv_external_schemas AS
SELECT 0::oid AS esoid, 0 AS eskind, ''::name AS schemaname, 0 AS esowner, ''::text AS databasename, ''::text AS esoptions WHERE false;

CREATE VIEW svv_identity_providers AS
SELECT 0 AS uid, ''::text AS name, ''::text AS type, ''::text AS instanceid, ''::text AS namespc, ''::text AS params, false AS enabled WHERE false;

CREATE VIEW svv_redshift_databases AS
SELECT datname::text AS database_name, datdba::bigint::integer AS database_owner, 'local'::text AS database_type,
       array_to_string(redshift_catalog.spelled(datacl), ',') AS database_acl, ''::text AS database_options, 'Snapshot Isolation'::text AS database_isolation_level
FROM pg_catalog.pg_database WHERE datname NOT IN ('postgres', 'template0', 'template1');

CREATE VIEW pg_database AS
SELECT oid, datname, datdba::bigint::integer AS datdba, encoding, datistemplate, datallowconn, 0::oid AS datlastsysoid, 0 AS datvacuumxid,
       0 AS datfrozenxid, dattablespace, NULL::text[] AS datconfig, redshift_catalog.spelled(datacl) AS datacl
FROM pg_catalog.pg_database WHERE datname <> 'postgres';

CREATE VIEW pg_database_info AS
SELECT datname, oid AS datid, datdba, encoding, datistemplate, datallowconn, datlastsysoid, datvacuumxid, datfrozenxid, dattablespace, datconfig, datacl,
       'UNLIMITED'::text AS datconnlimit
FROM redshift_catalog.pg_database;

CREATE VIEW pg_namespace AS
SELECT oid, nspname, nspowner::bigint::integer AS nspowner, redshift_catalog.spelled(nspacl) AS nspacl
FROM pg_catalog.pg_namespace WHERE nspname <> 'redshift_catalog';

CREATE VIEW pg_class AS
SELECT oid, relname, relnamespace, reltype, relowner::bigint::integer AS relowner, relam, relfilenode, reltablespace, relpages, reltuples, reltoastrelid,
       0::oid AS reltoastidxid, relhasindex, relisshared, relkind, relnatts, relchecks, 0::smallint AS reltriggers, 0::smallint AS relukeys,
       0::smallint AS relfkeys, 0::smallint AS relrefs, false AS relhasoids, false AS relhaspkey, relhasrules, relhassubclass,
       redshift_catalog.spelled(relacl) AS relacl
FROM pg_catalog.pg_class WHERE relnamespace <> 'redshift_catalog'::regnamespace;

CREATE VIEW pg_attribute AS
SELECT attrelid, attname, atttypid, attlen, attnum, attndims, atttypmod, attbyval, attstorage, attalign, attnotnull, atthasdef, attisdropped, attislocal, attinhcount
FROM pg_catalog.pg_attribute;

CREATE VIEW pg_proc AS
SELECT oid, proname, pronamespace, proowner::bigint::integer AS proowner, prolang, prokind = 'a' AS proisagg, prosecdef, proisstrict, proretset, provolatile, pronargs,
       CASE prokind WHEN 'p' THEN 0::oid ELSE prorettype END AS prorettype, proargtypes, proargnames, prosrc, probin, redshift_catalog.spelled(proacl) AS proacl
FROM pg_catalog.pg_proc WHERE pronamespace <> 'redshift_catalog'::regnamespace;

CREATE VIEW pg_proc_info AS
SELECT p.oid AS prooid, p.proname, p.pronamespace, p.proowner, p.prolang, p.proisagg, p.prosecdef, p.proisstrict, p.proretset, p.provolatile, p.pronargs,
       p.prorettype, p.proargtypes, p.proargnames, p.prosrc, p.probin, p.proacl, b.prokind, b.proargmodes, b.proallargtypes
FROM redshift_catalog.pg_proc AS p JOIN pg_catalog.pg_proc AS b USING (oid);

CREATE VIEW pg_language AS
SELECT oid, lanname, lanispl, lanpltrusted, lanplcallfoid, lanvalidator, redshift_catalog.spelled(lanacl) AS lanacl FROM pg_catalog.pg_language;

CREATE VIEW pg_default_acl AS
SELECT oid, defaclrole AS defacluser, defaclnamespace, defaclobjtype, redshift_catalog.spelled(defaclacl) AS defaclacl FROM pg_catalog.pg_default_acl
WHERE redshift_catalog.is_superuser(current_user) OR defaclrole = redshift_catalog.grantee('user', current_user);

CREATE VIEW pg_tables AS
SELECT schemaname, tablename, tableowner, tablespace, hasindexes, hasrules, hastriggers FROM pg_catalog.pg_tables WHERE schemaname <> 'redshift_catalog';

CREATE VIEW pg_views AS
SELECT schemaname, viewname, viewowner, definition FROM pg_catalog.pg_views WHERE schemaname <> 'redshift_catalog';

GRANT SELECT ON ALL TABLES IN SCHEMA redshift_catalog TO PUBLIC;
-- "PG_USER_INFO", "SVL_USER_INFO", "SVV_IDENTITY_PROVIDERS": superusers only. "SVV_RLS_ATTACHED_POLICY": sys:secadmin.
REVOKE SELECT ON pg_user_info, svl_user_info, svv_identity_providers, svv_rls_attached_policy FROM PUBLIC;
GRANT SELECT ON svv_rls_attached_policy TO "role:sys:secadmin";
