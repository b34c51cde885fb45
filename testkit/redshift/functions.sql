-- What PostgreSQL lacks, as functions of a schema that no client names: identities, rights that PostgreSQL does not know,
-- refusals. They act as the server's owner and check who asks (session_user) themselves. Made in template1, so that each
-- database has them. What the whole cluster shares is kept in comments on roles and databases (JSON), for those are shared
-- between databases, transactional, and gone with what they are about; the rest in tables of the database.
--
-- A group g is PostgreSQL's role `group:g`, a role r is `role:r`; both cannot log in. A user is a role of his own name.

CREATE SCHEMA redshift_catalog;
GRANT USAGE ON SCHEMA redshift_catalog TO PUBLIC;
ALTER SCHEMA public OWNER TO postgres;
GRANT CREATE, USAGE ON SCHEMA public TO PUBLIC;  -- "CREATE USER", usage notes
CREATE TRUSTED LANGUAGE plpythonu HANDLER plpgsql_call_handler;
CREATE TRUSTED LANGUAGE exfunc HANDLER plpgsql_call_handler;
SET search_path TO redshift_catalog, pg_catalog;

-- kind: relation, schema. scope: as in privilege_scope, or '' for a relation. Rights that PostgreSQL does not know.
CREATE TABLE extra (kind text, object oid, scope text, privilege text, grantee oid, admin boolean,
    PRIMARY KEY (kind, object, scope, privilege, grantee));
CREATE TABLE extra_default (owner oid, namespace oid, object_type text, privilege text, grantee oid, admin boolean,
    PRIMARY KEY (owner, namespace, object_type, privilege, grantee));
-- grantee 0 is PUBLIC. outputs is '' for a policy on rows.
CREATE TABLE policies (kind text, policy text, relation oid, outputs text, inputs text, grantee oid, grantor oid, priority int,
    PRIMARY KEY (kind, policy, relation, outputs, grantee));

CREATE FUNCTION refuse(code text, message text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = code, MESSAGE = message;
END $$;

CREATE FUNCTION notes(role oid) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT coalesce(pg_catalog.shobj_description(role, 'pg_authid'), '{}')::jsonb
$$;

CREATE FUNCTION database_notes(database oid) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN said LIKE '[%' THEN said::jsonb ELSE '[]' END
    FROM (SELECT pg_catalog.shobj_description(database, 'pg_database') AS said) AS comment
$$;

-- Users, groups, roles and PUBLIC, under the names that Redshift shows.
CREATE VIEW identities AS
SELECT oid, oid::bigint::integer AS id, rolname, rolsuper, rolcreatedb, rolconnlimit, rolvaliduntil, redshift_catalog.notes(oid) AS notes,
       CASE WHEN rolname LIKE 'group:%' THEN 'group' WHEN rolname LIKE 'role:%' THEN 'role' ELSE 'user' END AS type,
       CASE WHEN rolname = 'postgres' THEN 'rdsdb' ELSE regexp_replace(rolname, '^(group|role):', '') END AS name
FROM pg_catalog.pg_roles WHERE rolname !~ '^pg_'
UNION ALL
SELECT 0, 0, 'public', false, false, -1, NULL, '{}', 'public', 'public';

CREATE FUNCTION is_superuser(asked name) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = asked
$$;

-- The roles and groups that a user is in, by whatever way, and himself.
CREATE FUNCTION identities_of(asked name) RETURNS SETOF oid LANGUAGE sql STABLE AS $$
    WITH RECURSIVE mine (id) AS (
        SELECT oid FROM pg_catalog.pg_roles WHERE rolname = asked
        UNION SELECT roleid FROM pg_catalog.pg_auth_members, mine WHERE member = mine.id
    ) SELECT id FROM mine
$$;

-- "System permissions for RBAC": by a role that has the permission, or as a superuser.
CREATE FUNCTION may(asked name, permission text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT redshift_catalog.is_superuser(asked) OR EXISTS (
        SELECT FROM redshift_catalog.identities_of(asked) AS mine WHERE redshift_catalog.notes(mine) -> 'system' ? permission)
$$;

-- Whether the one who asks sees the rights of an identity: "Other users can only see identities they have access to or own."
CREATE FUNCTION has_access(identity oid) RETURNS boolean LANGUAGE sql STABLE COST 10000 AS $$
    SELECT identity IN (SELECT redshift_catalog.identities_of(current_user))
        OR redshift_catalog.notes(identity) ->> 'owner' = (SELECT oid::text FROM pg_catalog.pg_roles WHERE rolname = current_user)
$$;

CREATE FUNCTION sees(identity oid) RETURNS boolean LANGUAGE sql STABLE COST 10000 AS $$
    SELECT redshift_catalog.may(current_user, 'ACCESS SYSTEM TABLE') OR redshift_catalog.has_access(identity)
$$;

-- "SVV_RELATION_PRIVILEGES" alone goes by SYSLOG ACCESS UNRESTRICTED instead of ACCESS SYSTEM TABLE.
CREATE FUNCTION sees_on_relations(identity oid) RETURNS boolean LANGUAGE sql STABLE COST 10000 AS $$
    SELECT redshift_catalog.is_superuser(current_user) OR redshift_catalog.has_access(identity) OR EXISTS (
        SELECT FROM pg_catalog.pg_roles WHERE rolname = current_user AND redshift_catalog.notes(oid) ->> 'syslog' = 'UNRESTRICTED')
$$;

-- PostgreSQL's name of an identity; raises 42704 where there is none.
CREATE FUNCTION rolname(wanted text, named text) RETURNS name LANGUAGE plpgsql STABLE AS $$
DECLARE known name := CASE WHEN wanted = 'user' THEN named ELSE wanted || ':' || named END;
BEGIN
    PERFORM FROM pg_catalog.pg_roles WHERE rolname = known AND known !~ '^pg_';
    IF NOT FOUND THEN
        PERFORM redshift_catalog.refuse('42704', format('%s "%s" does not exist', wanted, named));
    END IF;
    RETURN known;
END $$;

CREATE FUNCTION grantee(wanted text, named text) RETURNS oid LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN wanted = 'public' THEN 0::oid ELSE
        (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = redshift_catalog.rolname(wanted, named)) END
$$;

CREATE FUNCTION need(allowed boolean, what text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF allowed IS NOT TRUE THEN
        PERFORM redshift_catalog.refuse('42501', 'permission denied: ' || what);
    END IF;
END $$;

CREATE FUNCTION note(role name, key text, value jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE said jsonb := redshift_catalog.notes((SELECT oid FROM pg_catalog.pg_roles WHERE rolname = role));
BEGIN
    EXECUTE format('COMMENT ON ROLE %I IS %L', role, jsonb_strip_nulls(said || jsonb_build_object(key, value))::text);
END $$;

-- One option of CREATE USER or ALTER USER, and its value.
CREATE FUNCTION set_option(username name, option text, value jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE text_value text := value #>> '{}';
BEGIN
    CASE option
        WHEN 'password' THEN
            EXECUTE format('ALTER ROLE %I PASSWORD %L', username, text_value);
            PERFORM redshift_catalog.note(username, 'sha256', NULL);
            PERFORM redshift_catalog.note(username, 'disabled', CASE WHEN text_value IS NULL THEN 'true'::jsonb END);
        WHEN 'sha256' THEN
            EXECUTE format('ALTER ROLE %I PASSWORD NULL', username);
            PERFORM redshift_catalog.note(username, 'sha256', 'true');
        WHEN 'until' THEN EXECUTE format('ALTER ROLE %I VALID UNTIL %L', username, text_value);
        WHEN 'createdb' THEN EXECUTE format('ALTER ROLE %I %s', username, CASE WHEN text_value = 'true' THEN 'CREATEDB' ELSE 'NOCREATEDB' END);
        WHEN 'createuser' THEN EXECUTE format('ALTER ROLE %I %s', username, CASE WHEN text_value = 'true' THEN 'SUPERUSER' ELSE 'NOSUPERUSER' END);
        WHEN 'limit' THEN EXECUTE format('ALTER ROLE %I CONNECTION LIMIT %s', username, text_value::integer);
        WHEN 'set' THEN EXECUTE format('ALTER ROLE %I SET %s', username, text_value);
        WHEN 'reset' THEN EXECUTE format('ALTER ROLE %I RESET %s', username, text_value);
        WHEN 'in_group' THEN PERFORM redshift_catalog.join_group(text_value, username);
        WHEN 'rename' THEN
            IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'role:' || text_value) THEN
                PERFORM redshift_catalog.refuse('42710', format('"%s" is the name of a role', text_value));
            END IF;
            EXECUTE format('ALTER ROLE %I RENAME TO %I', username, text_value);
        ELSE PERFORM redshift_catalog.note(username, option, value);  -- syslog, timeout, external_id
    END CASE;
END $$;

CREATE FUNCTION create_user(username text, options jsonb) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE option jsonb;
BEGIN
    PERFORM redshift_catalog.need(redshift_catalog.may(session_user, 'CREATE USER'), 'CREATE USER');
    PERFORM redshift_catalog.need(redshift_catalog.is_superuser(session_user) OR NOT options @> '[["createuser", true]]', 'CREATEUSER');
    IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname IN (username, 'role:' || username)) THEN
        PERFORM redshift_catalog.refuse('42710', format('user "%s" already exists', username));
    END IF;
    EXECUTE format('CREATE ROLE %I LOGIN', username);
    FOR option IN SELECT * FROM jsonb_array_elements(options) LOOP
        PERFORM redshift_catalog.set_option(username, option ->> 0, option -> 1);
    END LOOP;
END $$;

CREATE FUNCTION alter_user(username text, options jsonb) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    option jsonb;
    own_password boolean := username = session_user AND jsonb_array_length(options) = 1
        AND options #>> '{0,0}' IN ('password', 'sha256') AND options #>> '{0,1}' IS NOT NULL;
    known name := redshift_catalog.rolname('user', username);
    said jsonb := redshift_catalog.notes(redshift_catalog.grantee('user', username));
BEGIN
    PERFORM redshift_catalog.need(own_password OR redshift_catalog.may(session_user, 'ALTER USER'), 'ALTER USER');
    IF NOT redshift_catalog.is_superuser(session_user) THEN
        PERFORM redshift_catalog.need(options #>> '{0,0}' <> 'createuser', 'CREATEUSER');
        PERFORM redshift_catalog.need(NOT redshift_catalog.is_superuser(known), 'a superuser');
        -- "Only a superuser can enable or disable passwords."
        PERFORM redshift_catalog.need(options #>> '{0,0}' <> 'password' OR (NOT said ? 'disabled' AND options #>> '{0,1}' IS NOT NULL), 'PASSWORD');
    ELSIF options #>> '{0,0}' = 'password' AND options #>> '{0,1}' IS NULL AND redshift_catalog.is_superuser(known) THEN
        PERFORM redshift_catalog.refuse('42501', 'cannot disable the password of a superuser');
    END IF;
    FOR option IN SELECT * FROM jsonb_array_elements(options) LOOP
        PERFORM redshift_catalog.set_option(known, option ->> 0, option -> 1);
    END LOOP;
END $$;

-- "DROP USER": looks into the current database only. (PostgreSQL then still refuses what is held in others.)
CREATE FUNCTION check_free(wanted text, named text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    id oid := redshift_catalog.grantee(wanted, named);
    here oid := (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database());
    held text[] := array(SELECT deptype FROM pg_catalog.pg_shdepend WHERE refobjid = id AND refclassid = 'pg_authid'::regclass
        AND (dbid = here OR (dbid = 0 AND classid = 'pg_database'::regclass)));
BEGIN
    -- What was noted on objects that are gone.
    DELETE FROM redshift_catalog.extra WHERE object NOT IN (SELECT oid FROM pg_catalog.pg_class UNION ALL SELECT oid FROM pg_catalog.pg_namespace);
    DELETE FROM redshift_catalog.extra_default WHERE namespace <> 0 AND namespace NOT IN (SELECT oid FROM pg_catalog.pg_namespace);
    DELETE FROM redshift_catalog.policies WHERE relation NOT IN (SELECT oid FROM pg_catalog.pg_class);
    IF 'o' = ANY (held) THEN
        PERFORM redshift_catalog.refuse('55006', format('%s "%s" can''t be dropped because the %s owns some object', wanted, named, wanted));
    END IF;
    IF cardinality(held) > 0 OR EXISTS (SELECT FROM redshift_catalog.extra WHERE grantee = id)
        OR EXISTS (SELECT FROM redshift_catalog.extra_default WHERE id IN (grantee, owner))
        OR EXISTS (SELECT FROM redshift_catalog.policies WHERE grantee = id)
        OR EXISTS (SELECT FROM pg_catalog.pg_database AS d, jsonb_array_elements(redshift_catalog.database_notes(d.oid)) AS r WHERE (r ->> 'grantee')::oid = id)
    THEN
        PERFORM redshift_catalog.refuse('55006', format('%s "%s" can''t be dropped because the %s has a privilege on some object', wanted, named, wanted));
    END IF;
END $$;

CREATE FUNCTION drop_user(username text, if_exists boolean) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    PERFORM redshift_catalog.need(redshift_catalog.may(session_user, 'DROP USER'), 'DROP USER');
    IF if_exists AND NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = username) THEN
        RAISE NOTICE 'user "%" does not exist, skipping', username;
        RETURN;
    END IF;
    PERFORM redshift_catalog.check_free('user', username);
    EXECUTE format('DROP ROLE %I', username);
EXCEPTION WHEN dependent_objects_still_exist THEN
    PERFORM redshift_catalog.refuse('0A000', 'the stand-in for Redshift does not emulate that a user is dropped who has something in another database');
END $$;

CREATE FUNCTION join_group(groupname text, username text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('GRANT %I TO %I WITH INHERIT TRUE, SET FALSE', redshift_catalog.rolname('group', groupname), redshift_catalog.rolname('user', username));
END $$;

-- "Only a superuser can create a group."
CREATE FUNCTION create_group(groupname text, members text[]) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE member text;
BEGIN
    PERFORM redshift_catalog.need(redshift_catalog.is_superuser(session_user), 'CREATE GROUP');
    EXECUTE format('CREATE ROLE %I NOLOGIN', 'group:' || groupname);
    FOREACH member IN ARRAY members LOOP PERFORM redshift_catalog.join_group(groupname, member); END LOOP;
END $$;

CREATE FUNCTION alter_group(groupname text, action text, names text[]) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE one text; known name := redshift_catalog.rolname('group', groupname);
BEGIN
    PERFORM redshift_catalog.need(redshift_catalog.is_superuser(session_user), 'ALTER GROUP');
    FOREACH one IN ARRAY names LOOP
        CASE action
            WHEN 'add' THEN PERFORM redshift_catalog.join_group(groupname, one);
            WHEN 'drop' THEN EXECUTE format('REVOKE %I FROM %I', known, redshift_catalog.rolname('user', one));
            ELSE EXECUTE format('ALTER ROLE %I RENAME TO %I', known, 'group:' || one);
        END CASE;
    END LOOP;
END $$;

CREATE FUNCTION drop_group(groupname text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    PERFORM redshift_catalog.need(redshift_catalog.is_superuser(session_user), 'DROP GROUP');
    PERFORM redshift_catalog.check_free('group', groupname);
    EXECUTE format('DROP ROLE %I', 'group:' || groupname);
END $$;

-- "Considerations for role usage in RBAC": a role's name is no user's, and does not begin with sys:.
CREATE FUNCTION create_role(role text, external_id text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    PERFORM redshift_catalog.need(redshift_catalog.may(session_user, 'CREATE ROLE'), 'CREATE ROLE');
    IF role ~ '[:/]' OR EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = role) THEN
        PERFORM redshift_catalog.refuse('42710', format('"%s" cannot be the name of a role', role));
    END IF;
    EXECUTE format('CREATE ROLE %I NOLOGIN', 'role:' || role);
    PERFORM redshift_catalog.note('role:' || role, 'owner', to_jsonb(redshift_catalog.grantee('user', session_user)::text));
    PERFORM redshift_catalog.note('role:' || role, 'external_id', to_jsonb(external_id));
END $$;

-- Who may drop, rename and grant a role: superusers, its owner, those who have it WITH ADMIN OPTION.
CREATE FUNCTION administers(role text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT redshift_catalog.is_superuser(session_user)
        OR redshift_catalog.notes(redshift_catalog.grantee('role', role)) ->> 'owner' = redshift_catalog.grantee('user', session_user)::text
        OR EXISTS (SELECT FROM pg_catalog.pg_auth_members WHERE roleid = redshift_catalog.grantee('role', role)
            AND member = redshift_catalog.grantee('user', session_user) AND admin_option)
$$;

CREATE FUNCTION alter_role(role text, action text, value text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE known name := redshift_catalog.rolname('role', role);
BEGIN
    PERFORM redshift_catalog.need(redshift_catalog.administers(role) AND role !~ '^sys:', 'ALTER ROLE');
    CASE action
        WHEN 'rename' THEN EXECUTE format('ALTER ROLE %I RENAME TO %I', known, 'role:' || value);
        WHEN 'owner' THEN PERFORM redshift_catalog.note(known, 'owner', to_jsonb(redshift_catalog.grantee('user', value)::text));
        ELSE PERFORM redshift_catalog.note(known, 'external_id', to_jsonb(value));
    END CASE;
END $$;

CREATE FUNCTION drop_role(role text, forced boolean) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE known name := redshift_catalog.rolname('role', role); target oid := redshift_catalog.grantee('role', role);
BEGIN
    PERFORM redshift_catalog.need(redshift_catalog.administers(role) AND role !~ '^sys:', 'DROP ROLE');
    IF NOT forced THEN
        IF EXISTS (SELECT FROM pg_catalog.pg_auth_members JOIN redshift_catalog.identities AS i ON i.oid = member WHERE roleid = target AND type = 'user') THEN
            PERFORM redshift_catalog.refuse('2BP01', 'cannot drop this role since it has been granted on a user');
        ELSIF EXISTS (SELECT FROM pg_catalog.pg_auth_members WHERE target IN (roleid, member)) THEN
            PERFORM redshift_catalog.refuse('2BP01', 'cannot drop this role since it depends on another role');
        END IF;
    END IF;
    DELETE FROM redshift_catalog.extra WHERE grantee = target;
    DELETE FROM redshift_catalog.extra_default WHERE grantee = target;
    EXECUTE format('DROP OWNED BY %I', known);
    EXECUTE format('DROP ROLE %I', known);
END $$;

CREATE FUNCTION grant_role(role text, wanted text, member text, admin boolean) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    PERFORM redshift_catalog.need(redshift_catalog.administers(role), 'GRANT ROLE');
    EXECUTE format('GRANT %I TO %I WITH INHERIT TRUE, SET FALSE' || CASE WHEN admin THEN ', ADMIN TRUE' ELSE '' END,
        redshift_catalog.rolname('role', role), redshift_catalog.rolname(wanted, member));
END $$;

CREATE FUNCTION revoke_role(role text, wanted text, member text, admin_only boolean) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    PERFORM redshift_catalog.need(redshift_catalog.administers(role), 'REVOKE ROLE');
    EXECUTE format('REVOKE %s %I FROM %I', CASE WHEN admin_only THEN 'ADMIN OPTION FOR' ELSE '' END,
        redshift_catalog.rolname('role', role), redshift_catalog.rolname(wanted, member));
END $$;

-- Lists in the notes of an identity: system (permissions of a role), iam ([arn, command]), datashare ([share, right, admin]).
CREATE FUNCTION note_list(wanted text, named text, key text, entries jsonb, granted boolean) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    known name := redshift_catalog.rolname(wanted, named);
    had jsonb := coalesce(redshift_catalog.notes(redshift_catalog.grantee(wanted, named)) -> key, '[]');
    rest jsonb := coalesce((SELECT jsonb_agg(one) FROM jsonb_array_elements(had) AS one WHERE NOT entries @> jsonb_build_array(one)), '[]');
BEGIN
    PERFORM redshift_catalog.need(redshift_catalog.is_superuser(session_user), key);
    PERFORM redshift_catalog.note(known, key, CASE WHEN granted THEN rest || entries ELSE rest END);
END $$;

-- Rights that PostgreSQL does not know, on relations and schemas. named: as the client names it, quoted.
CREATE FUNCTION object_oid(wanted text, named text) RETURNS oid LANGUAGE plpgsql STABLE AS $$
DECLARE id oid := CASE WHEN wanted = 'relation' THEN pg_catalog.to_regclass(named)::oid ELSE pg_catalog.to_regnamespace(named)::oid END;
BEGIN
    IF id IS NULL THEN
        PERFORM redshift_catalog.refuse(CASE wanted WHEN 'relation' THEN '42P01' ELSE '3F000' END, format('%s %s does not exist', wanted, named));
    END IF;
    RETURN id;
END $$;

CREATE FUNCTION owns(wanted text, id oid) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT redshift_catalog.is_superuser(session_user) OR redshift_catalog.grantee('user', session_user) =
        CASE wanted WHEN 'relation' THEN (SELECT relowner FROM pg_catalog.pg_class WHERE oid = id)
        WHEN 'schema' THEN (SELECT nspowner FROM pg_catalog.pg_namespace WHERE oid = id)
        ELSE (SELECT datdba FROM pg_catalog.pg_database WHERE oid = id) END
$$;

CREATE FUNCTION grant_extra(wanted text, id oid, in_scope text, rights text[], receiver oid, with_admin boolean) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE one text;
BEGIN
    FOREACH one IN ARRAY rights LOOP
        PERFORM redshift_catalog.need(redshift_catalog.owns(wanted, id) OR EXISTS (SELECT FROM redshift_catalog.extra AS e WHERE e.kind = wanted
            AND e.object = id AND e.scope = in_scope AND e.privilege = one AND e.admin AND e.grantee = redshift_catalog.grantee('user', session_user)), 'GRANT ' || one);
        INSERT INTO redshift_catalog.extra VALUES (wanted, id, in_scope, one, receiver, with_admin)
            ON CONFLICT (kind, object, scope, privilege, grantee) DO UPDATE SET admin = extra.admin OR with_admin;
    END LOOP;
END $$;

CREATE FUNCTION revoke_extra(wanted text, id oid, in_scope text, rights text[], loser oid, option_only boolean) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    PERFORM redshift_catalog.need(redshift_catalog.owns(wanted, id), 'REVOKE');
    UPDATE redshift_catalog.extra SET admin = false WHERE kind = wanted AND object = id AND scope = in_scope AND privilege = ANY (rights) AND grantee = loser;
    IF NOT option_only THEN
        DELETE FROM redshift_catalog.extra WHERE kind = wanted AND object = id AND scope = in_scope AND privilege = ANY (rights) AND grantee = loser;
    END IF;
END $$;

CREATE FUNCTION relations_in(schemaname text) RETURNS SETOF oid LANGUAGE sql STABLE AS $$
    SELECT oid FROM pg_catalog.pg_class WHERE relnamespace = redshift_catalog.object_oid('schema', schemaname) AND relkind IN ('r', 'v', 'm', 'p')
$$;

CREATE FUNCTION change_database(databasename text, in_scope text, rights text[], receiver oid, with_admin boolean, granted boolean) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    id oid := (SELECT oid FROM pg_catalog.pg_database WHERE datname = databasename);
    had jsonb := redshift_catalog.database_notes(id);
    rest jsonb := coalesce((SELECT jsonb_agg(one) FROM jsonb_array_elements(had) AS one
        WHERE NOT (one ->> 'scope' = in_scope AND one ->> 'privilege' = ANY (rights) AND (one ->> 'grantee')::oid = receiver)), '[]');
BEGIN
    IF id IS NULL THEN
        PERFORM redshift_catalog.refuse('3D000', format('database "%s" does not exist', databasename));
    END IF;
    PERFORM redshift_catalog.need(redshift_catalog.owns('database', id), 'GRANT ON DATABASE');
    IF granted THEN
        rest := rest || coalesce((SELECT jsonb_agg(jsonb_build_object('scope', in_scope, 'privilege', one, 'grantee', receiver::text, 'admin', with_admin)) FROM unnest(rights) AS one), '[]');
    END IF;
    EXECUTE format('COMMENT ON DATABASE %I IS %L', databasename, rest::text);
END $$;

CREATE FUNCTION change_default(username text, schemaname text, wanted_type text, rights text[], receiver oid, with_admin boolean, granted boolean) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    one text;
    target oid := redshift_catalog.grantee('user', coalesce(username, session_user));
    space oid := CASE WHEN schemaname IS NULL THEN 0::oid ELSE redshift_catalog.object_oid('schema', schemaname) END;
BEGIN
    PERFORM redshift_catalog.need(coalesce(username, session_user) = session_user OR redshift_catalog.may(session_user, 'ALTER DEFAULT PRIVILEGES'), 'ALTER DEFAULT PRIVILEGES');
    DELETE FROM redshift_catalog.extra_default WHERE owner = target AND namespace = space AND object_type = wanted_type AND privilege = ANY (rights) AND grantee = receiver;
    IF granted THEN
        FOREACH one IN ARRAY rights LOOP
            INSERT INTO redshift_catalog.extra_default VALUES (target, space, wanted_type, one, receiver, with_admin);
        END LOOP;
    END IF;
END $$;

-- "ATTACH RLS POLICY", "ATTACH MASKING POLICY": superusers and those who have sys:secadmin. The policy itself is not looked for.
CREATE FUNCTION attach(wanted text, policyname text, relationname text, out_columns text, in_columns text, receiver oid, level integer, attached boolean) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE target oid := redshift_catalog.object_oid('relation', relationname);
BEGIN
    PERFORM redshift_catalog.need(redshift_catalog.is_superuser(session_user)
        OR redshift_catalog.grantee('role', 'sys:secadmin') IN (SELECT redshift_catalog.identities_of(session_user)), 'sys:secadmin');
    IF attached THEN
        INSERT INTO redshift_catalog.policies VALUES (wanted, policyname, target, out_columns, in_columns, receiver, redshift_catalog.grantee('user', session_user), level);
    ELSE
        DELETE FROM redshift_catalog.policies WHERE kind = wanted AND policy = policyname AND relation = target AND outputs = out_columns AND grantee = receiver;
        IF NOT FOUND THEN
            PERFORM redshift_catalog.refuse('42704', format('policy "%s" is not attached', policyname));
        END IF;
    END IF;
END $$;

-- They act as the server's owner without checking who asks: for the functions above only.
REVOKE EXECUTE ON FUNCTION set_option, note, join_group, check_free FROM PUBLIC;
