/**
 * Functions of pg_catalog that change no rows and no objects, whatever they are called with: those that drivers,
 * SQLAlchemy, Alembic and migrations read with (documentation of PostgreSQL, chapter Functions and Operators; a test
 * looks each one up in a real server). Some hold locks or set up the session. Whatever is not here may do anything.
 */
const functions: ReadonlySet<string> = new Set(
  `
  col_description current_database current_schema current_schemas current_setting format_type has_any_column_privilege
  has_column_privilege has_database_privilege has_function_privilege has_schema_privilege has_sequence_privilege
  has_table_privilege has_type_privilege obj_description pg_backend_pid pg_char_to_encoding pg_collation_for
  pg_collation_is_visible pg_column_size pg_database_size pg_encoding_to_char pg_function_is_visible
  pg_get_constraintdef pg_get_expr pg_get_function_arguments pg_get_function_identity_arguments
  pg_get_function_result pg_get_functiondef pg_get_indexdef pg_get_keywords pg_get_partition_constraintdef
  pg_get_partkeydef pg_get_ruledef pg_get_serial_sequence pg_get_statisticsobjdef pg_get_triggerdef pg_get_userbyid
  pg_get_viewdef pg_has_role pg_index_column_has_property pg_index_has_property pg_indexam_has_property
  pg_indexes_size pg_is_in_recovery pg_is_other_temp_schema pg_my_temp_schema pg_opclass_is_visible
  pg_operator_is_visible pg_partition_ancestors pg_partition_root pg_partition_tree pg_postmaster_start_time
  pg_relation_size pg_sequence_last_value pg_sequence_parameters pg_size_pretty pg_sleep pg_statistics_obj_is_visible
  pg_table_is_visible pg_table_size pg_total_relation_size pg_ts_config_is_visible pg_type_is_visible pg_typeof
  row_security_active shobj_description to_regclass to_regnamespace to_regproc to_regprocedure to_regrole to_regtype
  txid_current txid_current_if_assigned version

  pg_advisory_lock pg_advisory_lock_shared pg_advisory_unlock pg_advisory_unlock_all pg_advisory_unlock_shared
  pg_advisory_xact_lock pg_advisory_xact_lock_shared pg_try_advisory_lock pg_try_advisory_lock_shared
  pg_try_advisory_xact_lock pg_try_advisory_xact_lock_shared set_config

  array_agg avg bool_and bool_or count every json_agg json_object_agg jsonb_agg jsonb_object_agg max min string_agg sum
  cume_dist dense_rank first_value lag last_value lead ntile percent_rank rank row_number percentile_cont
  percentile_disc mode stddev variance

  abs ceil ceiling floor mod power random round sign sqrt trunc gcd lcm width_bucket
  ascii btrim char_length character_length chr concat concat_ws convert_from convert_to decode encode format initcap
  left length like_escape lower lpad ltrim md5 normalize octet_length overlay position quote_ident quote_literal
  quote_nullable regexp_match regexp_matches regexp_replace regexp_split_to_array regexp_split_to_table repeat
  replace reverse right rpad rtrim sha256 sha512 similar_to_escape split_part starts_with strpos substr substring
  to_hex translate upper

  age clock_timestamp date_bin date_part date_trunc extract isfinite make_date make_interval make_time make_timestamp
  make_timestamptz now statement_timestamp timezone to_char to_date to_number to_timestamp transaction_timestamp

  array_append array_cat array_dims array_length array_lower array_ndims array_position array_positions array_prepend
  array_remove array_replace array_to_json array_to_string array_upper cardinality generate_series
  generate_subscripts string_to_array unnest
  json_array_elements json_array_elements_text json_array_length json_build_array json_build_object json_each
  json_each_text json_object_keys json_typeof jsonb_array_elements jsonb_array_elements_text jsonb_array_length
  jsonb_build_array jsonb_build_object jsonb_each jsonb_each_text jsonb_extract_path jsonb_extract_path_text
  jsonb_insert jsonb_object_keys jsonb_path_exists jsonb_path_query jsonb_path_query_array jsonb_pretty jsonb_set
  jsonb_strip_nulls jsonb_typeof row_to_json to_json to_jsonb
  gen_random_uuid plainto_tsquery to_tsquery to_tsvector websearch_to_tsquery
  lower_inc lower_inf isempty upper_inc upper_inf
  `
    .trim()
    .split(/\s+/),
);

/** The names of all of them, for the test that looks them up. */
export const builtInFunctions: readonly string[] = [...functions];

/**
 * The bare name of a function of pg_catalog that is known to change nothing.
 * @param written as the statement has it; without a schema, PostgreSQL finds pg_catalog's first, unless a function of
 * the search path fits the arguments better (documentation, Function Type Resolution)
 * @returns null for every other function
 */
export function builtInName(written: string): string | null {
  const bare = inCatalog(written);
  return bare !== null && functions.has(bare) ? bare : null;
}

/** The bare name of what is in pg_catalog, or in no schema that is written; null for one of another schema. */
export function inCatalog(written: string): string | null {
  const bare = written.startsWith('pg_catalog.') ? written.slice('pg_catalog.'.length) : written;
  return bare.includes('"') || (bare.includes('.') && !bare.startsWith('.')) ? null : bare;
}
