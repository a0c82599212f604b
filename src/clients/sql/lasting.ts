import { items, type Node, nameOf, textOf, unwrap } from './tree.js';

/**
 * Functions of PostgreSQL and its usual extensions whose effect a rollback does not undo (documentation of
 * PostgreSQL: "Sequence Manipulation Functions", "System Administration Functions", "dblink", "adminpack").
 * `pg_notify` is none of them: what it sends is delivered at the commit.
 */
const functions = new RegExp(
  `^(?:${[
    'nextval|setval',
    'lo_export|pg_logical_emit_message',
    'dblink\\w*|pg_file_\\w+|pg_background_\\w+|http|http_\\w+|aws_\\w+',
    'pg_terminate_backend|pg_cancel_backend|pg_reload_conf|pg_rotate_logfile|pg_promote',
    'pg_switch_wal|pg_create_restore_point|pg_start_backup|pg_stop_backup|pg_backup_\\w+|pg_wal_replay_\\w+',
    'pg_stat_reset\\w*|pg_stat_statements_reset|pg_restore_\\w+|pg_clear_\\w+',
    'pg_replication_\\w+|pg_logical_slot_\\w+|pg_(?:create|copy)_(?:logical|physical)_replication_slot|pg_drop_replication_slot',
  ].join('|')})$`,
  'i',
);

/** What of one node a rollback does not undo, in SQL's words. */
export function lastingOf(type: string, node: Node): string[] {
  switch (type) {
    case 'FuncCall': {
      const name = nameOf(node.funcname);
      return functions.test(name.split('.').at(-1) ?? name) ? [name] : [];
    }
    case 'CopyStmt':
      if (node.is_program === true) return [`COPY ${node.is_from === true ? 'FROM' : 'TO'} PROGRAM`];
      return node.is_from !== true && textOf(node, 'filename') !== null ? ['COPY TO a file'] : [];
    case 'DoStmt':
      return items(node, 'args').flatMap((argument) => lastingIn(bodyOf(argument)));
    default:
      return [];
  }
}

function bodyOf(argument: unknown): string {
  const option = unwrap(argument)?.node;
  return textOf(option, 'defname') === 'as' ? (textOf(unwrap(option?.arg)?.node, 'sval') ?? '') : '';
}

/** What a body calls by name; it may be built of strings that name nothing, and then nobody can tell. */
function lastingIn(body: string): string[] {
  const called = [...body.matchAll(/\b([a-z_]\w*)\s*\(/gi)].map(([, name = '']) => name);
  const program = /\bcopy\b[^;]*\b(from|to)\s+program\b/i.exec(body);
  return [
    ...new Set(called.filter((name) => functions.test(name))),
    ...(program === null ? [] : [`COPY ${(program[1] ?? '').toUpperCase()} PROGRAM`]),
  ];
}
