"""Words of Redshift's SQL, as data. Each set names its page in the Amazon Redshift Database Developer Guide."""

# "Reserved words". Not identifiers unless quoted.
RESERVED = frozenset(
    """
    AES128 AES256 ALL ALLOWOVERWRITE ANALYSE ANALYZE AND ANY ARRAY AS ASC AUTHORIZATION AZ64 BACKUP BETWEEN BINARY
    BLANKSASNULL BOTH BYTEDICT BZIP2 CASE CAST CHECK COLLATE COLUMN CONNECT CONSTRAINT CREATE CREDENTIALS CROSS
    CURRENT_DATE CURRENT_TIME CURRENT_TIMESTAMP CURRENT_USER CURRENT_USER_ID DEFAULT DEFERRABLE DEFLATE DEFRAG DELTA
    DELTA32K DESC DISABLE DISTINCT DO ELSE EMPTYASNULL ENABLE ENCODE ENCRYPT ENCRYPTION END EXCEPT EXPLICIT FALSE FOR
    FOREIGN FREEZE FROM FULL GLOBALDICT256 GLOBALDICT64K GRANT GROUP GZIP HAVING IDENTITY IGNORE ILIKE IN INITIALLY
    INNER INTERSECT INTERVAL INTO IS ISNULL JOIN LANGUAGE LEADING LEFT LIKE LIMIT LOCALTIME LOCALTIMESTAMP LUN LUNS LZO
    LZOP MINUS MOSTLY16 MOSTLY32 MOSTLY8 NATURAL NEW NOT NOTNULL NULL NULLS OFF OFFLINE OFFSET OID OLD ON ONLY OPEN OR
    ORDER OUTER OVERLAPS PARALLEL PARTITION PERCENT PERMISSIONS PIVOT PLACING PRIMARY RAW READRATIO RECOVER REFERENCES
    REJECTLOG RESORT RESPECT RESTORE RIGHT SELECT SESSION_USER SIMILAR SNAPSHOT SOME SYSDATE SYSTEM START TABLE TAG TDES
    TEXT255 TEXT32K THEN TIMESTAMP TO TOP TRAILING TRUE TRUNCATECOLUMNS UNION UNIQUE UNNEST UNPIVOT USER USING VERBOSE
    WALLET WHEN WHERE WITH WITHOUT
    """.split()
)

# "Configuration reference" and its pages. What PostgreSQL has too is really set there; the rest is only remembered.
SHARED_SETTINGS = frozenset({"datestyle", "extra_float_digits", "search_path", "statement_timeout", "timezone"})
OWN_SETTINGS = frozenset(
    """
    analyze_threshold_percent cast_super_null_on_error default_geometry_encoding describe_field_name_in_uppercase
    downcase_delimited_identifier enable_case_sensitive_identifier enable_case_sensitive_super_attribute
    enable_result_cache_for_session enable_vacuum_boost error_on_nondeterministic_update json_serialization_enable
    json_serialization_parse_nested_strings max_concurrency_scaling_clusters mv_enable_aqmv_for_session
    navigate_super_null_on_error parse_super_null_on_error pg_federation_repeatable_read query_group
    spectrum_enable_pseudo_columns spectrum_enable_spectrum_oid spectrum_query_maxerror
    stored_proc_log_min_messages wlm_query_slot_count
    """.split()
)
# On no page of AWS's: drivers for PostgreSQL set these on connecting, and Redshift takes them.
DRIVERS_SETTINGS = frozenset({"application_name", "client_encoding"})

# What a SELECT may call. "Leader node-only functions", "System information functions", "Conditional expressions",
# "String functions", "Data type formatting functions", "Aggregate functions", "Window functions" (some of each), and
# three of PostgreSQL's that AWS itself uses on the catalog: array_to_string and pg_get_userbyid (page "PG_DEFAULT_ACL"),
# oidvectortypes (AWS's tools for administrators, awslabs/amazon-redshift-utils).
FUNCTIONS = frozenset(
    """
    current_schema current_schemas has_database_privilege has_schema_privilege has_table_privilege
    current_user session_user user current_database current_setting version pg_backend_pid
    coalesce nvl nullif greatest least
    lower upper trim btrim ltrim rtrim length len char_length replace substring split_part concat strpos position left
    right md5 quote_ident quote_literal lpad rpad reverse ascii chr regexp_substr regexp_replace regexp_count
    to_char to_date to_number cast now getdate date_part extract dateadd datediff date_trunc
    count sum min max avg listagg row_number rank dense_rank
    array_to_string pg_get_userbyid oidvectortypes
    """.split()
)

# "GRANT", granting system permissions to roles.
SYSTEM_PERMISSIONS = (
    "CREATE USER", "DROP USER", "ALTER USER", "CREATE SCHEMA", "DROP SCHEMA", "ALTER DEFAULT PRIVILEGES",
    "ACCESS CATALOG", "ACCESS SYSTEM TABLE", "CREATE TABLE", "DROP TABLE", "ALTER TABLE",
    "CREATE OR REPLACE FUNCTION", "CREATE OR REPLACE EXTERNAL FUNCTION", "DROP FUNCTION",
    "CREATE OR REPLACE PROCEDURE", "DROP PROCEDURE", "CREATE OR REPLACE VIEW", "DROP VIEW", "CREATE MODEL", "DROP MODEL",
    "CREATE DATASHARE", "ALTER DATASHARE", "DROP DATASHARE", "CREATE LIBRARY", "DROP LIBRARY", "CREATE ROLE", "DROP ROLE",
    "TRUNCATE TABLE", "VACUUM", "ANALYZE", "CANCEL",
)  # fmt: skip
