"""The catalog: Redshift's views and tables that the stand-in has, with the columns of AWS's pages, and the page's name.

views.sql makes them; a test compares. The pages are of the Amazon Redshift Database Developer Guide. The tables that Redshift
took over from PostgreSQL ("System catalog tables") have no pages with columns; AWS refers to PostgreSQL 8.0's "System
Catalogs" for them. Redshift's own further columns there are left out, since AWS does not document them.
"""

# By the view's name: the page's, and the columns.
CATALOG: dict[str, tuple[str, str]] = {
    "svv_user_info": (
        "SVV_USER_INFO",
        "user_name user_id createdb superuser catalog_update connection_limit syslog_access last_ddl_timestamp session_timeout external_user_id",
    ),
    "svl_user_info": (
        "SVL_USER_INFO",
        "usename usesysid usecreatedb usesuper usecatupd useconnlimit syslogaccess last_ddl_ts sessiontimeout external_id",
    ),
    "pg_user_info": (
        "PG_USER_INFO",
        "usename usesysid usecreatedb usesuper usecatupd passwd valuntil useconfig useconnlimit",
    ),
    "svv_user_grants": ("SVV_USER_GRANTS", "user_id user_name role_id role_name admin_option"),
    "svv_role_grants": ("SVV_ROLE_GRANTS", "role_id role_name granted_role_id granted_role_name"),
    "svv_roles": ("SVV_ROLES", "role_id role_name role_owner external_id"),
    "svv_relation_privileges": (
        "SVV_RELATION_PRIVILEGES",
        "namespace_name relation_name privilege_type identity_id identity_name identity_type admin_option",
    ),
    "svv_column_privileges": (
        "SVV_COLUMN_PRIVILEGES",
        "namespace_name relation_name column_name privilege_type identity_id identity_name identity_type",
    ),
    "svv_schema_privileges": (
        "SVV_SCHEMA_PRIVILEGES",
        "namespace_name privilege_type identity_id identity_name identity_type admin_option privilege_scope",
    ),
    "svv_database_privileges": (
        "SVV_DATABASE_PRIVILEGES",
        "database_name privilege_type identity_id identity_name identity_type admin_option privilege_scope",
    ),
    "svv_function_privileges": (
        "SVV_FUNCTION_PRIVILEGES",
        "namespace_name function_name argument_types privilege_type identity_id identity_name identity_type admin_option",
    ),
    "svv_language_privileges": (
        "SVV_LANGUAGE_PRIVILEGES",
        "language_name privilege_type identity_id identity_name identity_type admin_option",
    ),
    # grantee_name is in the page's example, not in its list.
    "svv_default_privileges": (
        "SVV_DEFAULT_PRIVILEGES",
        "schema_name object_type owner_id owner_name owner_type privilege_type grantee_id grantee_name grantee_type admin_option",
    ),
    "svv_system_privileges": ("SVV_SYSTEM_PRIVILEGES", "system_privilege identity_id identity_name identity_type"),
    "svv_iam_privileges": ("SVV_IAM_PRIVILEGES", "iam_arn command_type identity_id identity_name identity_type"),
    "svv_datashare_privileges": (
        "SVV_DATASHARE_PRIVILEGES",
        "datashare_name privilege_type identity_id identity_name identity_type admin_option",
    ),
    "svv_ml_model_privileges": (
        "SVV_ML_MODEL_PRIVILEGES",
        "namespace_name model_name model_version privilege_type identity_id identity_name identity_type admin_option",
    ),
    "svv_rls_attached_policy": (
        "SVV_RLS_ATTACHED_POLICY",
        "relschema relname relkind polname grantor grantee granteekind is_pol_on is_rls_on rls_conjunction_type",
    ),
    "svv_attached_masking_policy": (
        "SVV_ATTACHED_MASKING_POLICY",
        "policy_name schema_name table_name table_type grantor grantee grantee_type priority input_columns output_columns is_masking_datashare_on",
    ),
    "svv_external_schemas": ("SVV_EXTERNAL_SCHEMAS", "esoid eskind schemaname esowner databasename esoptions"),
    "svv_identity_providers": ("SVV_IDENTITY_PROVIDERS", "uid name type instanceid namespc params enabled"),
    "svv_redshift_databases": (
        "SVV_REDSHIFT_DATABASES",
        "database_name database_owner database_type database_acl database_options database_isolation_level",
    ),
    "pg_database_info": (
        "PG_DATABASE_INFO",
        "datname datid datdba encoding datistemplate datallowconn datlastsysoid datvacuumxid datfrozenxid dattablespace datconfig datacl datconnlimit",
    ),
    "pg_default_acl": ("PG_DEFAULT_ACL", "oid defacluser defaclnamespace defaclobjtype defaclacl"),
    "pg_proc_info": (
        "PG_PROC_INFO",
        (
            "prooid proname pronamespace proowner prolang proisagg prosecdef proisstrict proretset provolatile pronargs prorettype proargtypes "
            "proargnames prosrc probin proacl prokind proargmodes proallargtypes"
        ),
    ),
    "pg_user": ("PostgreSQL 8.0: pg_user", "usename usesysid usecreatedb usesuper usecatupd passwd valuntil useconfig"),
    "pg_group": ("PostgreSQL 8.0: pg_group", "groname grosysid grolist"),
    "pg_database": (
        "PostgreSQL 8.0: pg_database",
        "oid datname datdba encoding datistemplate datallowconn datlastsysoid datvacuumxid datfrozenxid dattablespace datconfig datacl",
    ),
    "pg_namespace": ("PostgreSQL 8.0: pg_namespace", "oid nspname nspowner nspacl"),
    "pg_class": (
        "PostgreSQL 8.0: pg_class",
        (
            "oid relname relnamespace reltype relowner relam relfilenode reltablespace relpages reltuples reltoastrelid reltoastidxid relhasindex "
            "relisshared relkind relnatts relchecks reltriggers relukeys relfkeys relrefs relhasoids relhaspkey relhasrules relhassubclass relacl"
        ),
    ),
    "pg_attribute": (
        "PostgreSQL 8.0: pg_attribute",
        "attrelid attname atttypid attlen attnum attndims atttypmod attbyval attstorage attalign attnotnull atthasdef attisdropped attislocal attinhcount",
    ),
    "pg_proc": (
        "PostgreSQL 8.0: pg_proc",
        (
            "oid proname pronamespace proowner prolang proisagg prosecdef proisstrict proretset provolatile pronargs prorettype proargtypes "
            "proargnames prosrc probin proacl"
        ),
    ),
    "pg_language": (
        "PostgreSQL 8.0: pg_language",
        "oid lanname lanispl lanpltrusted lanplcallfoid lanvalidator lanacl",
    ),
    "pg_tables": (
        "PostgreSQL 8.0: pg_tables",
        "schemaname tablename tableowner tablespace hasindexes hasrules hastriggers",
    ),
    "pg_views": ("PostgreSQL 8.0: pg_views", "schemaname viewname viewowner definition"),
}
# Prefixes of the catalog's names ("System tables and views", "System catalog tables"): what is not above is refused.
PREFIXES = ("pg_", "svv_", "svl_", "svcs_", "stv_", "stl_", "sys_", "information_schema")
