import type { Effect } from './statement.js';

const known: Readonly<Record<string, Effect>> = {
  nextval: 'changes-rows',
  setval: 'changes-rows',
  lo_creat: 'changes-rows',
  lo_create: 'changes-rows',
  lo_from_bytea: 'changes-rows',
  lo_import: 'changes-rows',
  lo_put: 'changes-rows',
  lowrite: 'changes-rows',
  lo_truncate: 'throws-rows-away',
  lo_truncate64: 'throws-rows-away',
  lo_unlink: 'throws-rows-away',
  set_config: 'session',
  lo_export: 'opaque',
  // Run SQL that stands in their arguments.
  query_to_xml: 'opaque',
  query_to_xmlschema: 'opaque',
  query_to_xml_and_xmlschema: 'opaque',
  ts_stat: 'opaque',
  ts_rewrite: 'opaque',
  crosstab: 'opaque',
  connectby: 'opaque',
  xpath_table: 'opaque',
  // Act on other sessions or on the server.
  pg_notify: 'opaque',
  pg_terminate_backend: 'opaque',
  pg_cancel_backend: 'opaque',
  pg_reload_conf: 'opaque',
  pg_rotate_logfile: 'opaque',
  pg_promote: 'opaque',
  pg_switch_wal: 'opaque',
  pg_create_restore_point: 'opaque',
  pg_logical_emit_message: 'opaque',
  pg_log_backend_memory_contexts: 'opaque',
  pg_export_snapshot: 'opaque',
  pg_import_system_collations: 'opaque',
  pg_copy_logical_replication_slot: 'opaque',
  pg_copy_physical_replication_slot: 'opaque',
  pg_create_logical_replication_slot: 'opaque',
  pg_create_physical_replication_slot: 'opaque',
  pg_drop_replication_slot: 'opaque',
  gin_clean_pending_list: 'opaque',
};

const families: readonly (readonly [string, Effect])[] = [
  ['pg_advisory_', 'locks'],
  ['pg_try_advisory_', 'locks'],
  ['dblink', 'opaque'],
  ['crosstab', 'opaque'],
  ['pg_file_', 'opaque'],
  ['pg_stat_reset', 'opaque'],
  ['pg_backup_', 'opaque'],
  ['pg_wal_replay_', 'opaque'],
  ['pg_replication_', 'opaque'],
  ['pg_logical_slot_', 'opaque'],
  ['pg_restore_', 'opaque'],
  ['pg_clear_', 'opaque'],
  ['brin_', 'opaque'],
];

/**
 * What a call of PostgreSQL's own functions does besides returning a value (documentation of PostgreSQL,
 * chapter Functions and Operators). Judged by the last part of the name, whatever its schema.
 * @returns null for a function that is not known to do anything: which is no proof for one of the database's own
 */
export function effectOfFunction(name: string): Effect | null {
  const last = name.split('.').at(-1) ?? name;
  if (Object.hasOwn(known, last)) return known[last] ?? null;
  return families.find(([beginning]) => last.startsWith(beginning))?.[1] ?? null;
}
