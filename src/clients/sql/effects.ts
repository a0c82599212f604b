import { effectOfFunction } from './functions.js';
import { alterations } from './objects.js';
import type { Effect } from './statement.js';
import { isNode, items, type Node, nameOf, textOf, unwrap } from './tree.js';

const fixed: Readonly<Record<string, Effect>> = {
  InsertStmt: 'changes-rows',
  UpdateStmt: 'changes-rows',
  MergeStmt: 'changes-rows',
  RefreshMatViewStmt: 'changes-rows',
  DeleteStmt: 'throws-rows-away',
  TruncateStmt: 'throws-rows-away',
  DropdbStmt: 'throws-rows-away',
  DropOwnedStmt: 'throws-rows-away',
  TransactionStmt: 'transaction',
  VariableShowStmt: 'reads',
  SelectStmt: 'reads',
  ExplainStmt: 'reads',
  LockingClause: 'locks',
  LockStmt: 'locks',
  VacuumStmt: 'locks',
  ClusterStmt: 'locks',
  DiscardStmt: 'session',
  ListenStmt: 'session',
  UnlistenStmt: 'session',
  DeallocateStmt: 'session',
  ConstraintsSetStmt: 'session',
  DeclareCursorStmt: 'session',
  FetchStmt: 'session',
  ClosePortalStmt: 'session',
  DoStmt: 'opaque',
  CallStmt: 'opaque',
  ExecuteStmt: 'opaque',
  PrepareStmt: 'opaque',
  NotifyStmt: 'opaque',
  LoadStmt: 'opaque',
  CheckPointStmt: 'opaque',
  AlterSystemStmt: 'opaque',
};

/** Beginnings of the names of nodes that change what objects there are or what they allow. */
const schemaNodes =
  /^(Create|Alter|Drop|Define|Comment|Grant|Rename|SecLabel|Reassign|Reindex|Import|Index|View|Rule|CompositeType)\w*Stmt$/;

/** What one node does by itself, without what is below it. Empty for expressions and their like. */
export function effectsOfNode(type: string, node: Node): Effect[] {
  if (Object.hasOwn(fixed, type)) {
    const effect = fixed[type];
    return effect === undefined ? [] : [effect];
  }
  switch (type) {
    case 'MergeWhenClause':
      return textOf(node, 'commandType') === 'CMD_DELETE' ? ['throws-rows-away'] : [];
    case 'IntoClause':
      return ['changes-schema'];
    case 'FuncCall': {
      const effect = effectOfFunction(nameOf(node.funcname));
      return effect === null ? [] : [effect];
    }
    case 'VariableSetStmt':
      return [
        /^(TRANSACTION|SESSION CHARACTERISTICS)/.test(textOf(node, 'name') ?? '') ? 'transaction' : 'session',
      ];
    case 'CopyStmt':
      // A file or a program is the server's, not the session's.
      return [
        ...(node.is_from === true ? (['changes-rows'] as const) : (['reads'] as const)),
        ...(node.is_program === true || textOf(node, 'filename') !== null ? (['opaque'] as const) : []),
      ];
    case 'AlterTableStmt':
      return alterations(node).some(({ subtype }) => subtype === 'AT_DropColumn')
        ? ['throws-rows-away', 'changes-schema']
        : ['changes-schema'];
    case 'DropStmt':
      return dropsRows(node) ? ['throws-rows-away', 'changes-schema'] : ['changes-schema'];
    default:
      if (schemaNodes.test(type)) return ['changes-schema'];
      return type.endsWith('Stmt') ? ['opaque'] : [];
  }
}

/** Rows go with their tables, with what holds tables, and with CASCADE from a type to the columns of that type. */
function dropsRows(node: Node): boolean {
  switch (textOf(node, 'removeType')) {
    case 'OBJECT_TABLE':
    case 'OBJECT_MATVIEW':
    case 'OBJECT_SCHEMA':
    case 'OBJECT_EXTENSION':
      return true;
    case 'OBJECT_TYPE':
    case 'OBJECT_DOMAIN':
      return textOf(node, 'behavior') === 'DROP_CASCADE';
    default:
      return false;
  }
}

/** Whether what stands below a statement is carried out with it. A function's body or a rule's action is not. */
export function carriesOut(type: string, node: Node): boolean {
  if (type === 'ExplainStmt') return analyzes(node);
  return !['CreateFunctionStmt', 'RuleStmt', 'PrepareStmt', 'CreatePolicyStmt', 'ViewStmt'].includes(type);
}

/** EXPLAIN ANALYZE carries the statement out, unless it says ANALYZE OFF. The last mention counts. */
function analyzes(node: Node): boolean {
  let on = false;
  for (const option of items(node, 'options')) {
    const entry = unwrap(option)?.node;
    if (textOf(entry, 'defname') !== 'analyze') continue;
    const arg = unwrap(entry?.arg)?.node;
    const value =
      arg === undefined
        ? 'on'
        : (textOf(arg, 'sval') ?? String(arg.ival ?? (isNode(arg) && arg.boolval === true ? 1 : 0)));
    on = !['off', 'false', '0', 'no'].includes(value.toLowerCase());
  }
  return on;
}
