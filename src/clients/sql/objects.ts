import type { NamedObject } from './statement.js';
import { isNode, items, type Node, nameOf, relationName, textOf, unwrap } from './tree.js';

/** `OBJECT_MATVIEW` in SQL's words. */
export function kindOf(objectType: string | null): string {
  if (objectType === 'OBJECT_MATVIEW') return 'materialized view';
  if (objectType === 'OBJECT_TABCONSTRAINT') return 'constraint';
  return (objectType ?? 'object')
    .replace(/^OBJECT_/, '')
    .toLowerCase()
    .replaceAll('_', ' ');
}

/** Nodes whose name is a text field or a list of names. */
const named: Readonly<Record<string, readonly [kind: string, field: string]>> = {
  CreateSchemaStmt: ['schema', 'schemaname'],
  CreateEnumStmt: ['type', 'typeName'],
  CreateRangeStmt: ['type', 'typeName'],
  CreateDomainStmt: ['domain', 'domainname'],
  CreateTrigStmt: ['trigger', 'trigname'],
  CreateEventTrigStmt: ['event trigger', 'trigname'],
  CreateExtensionStmt: ['extension', 'extname'],
  CreatePolicyStmt: ['policy', 'policy_name'],
  RuleStmt: ['rule', 'rulename'],
  CreateRoleStmt: ['role', 'role'],
  CreatedbStmt: ['database', 'dbname'],
  CreateStatsStmt: ['statistics', 'defnames'],
  CreatePublicationStmt: ['publication', 'pubname'],
  CreateSubscriptionStmt: ['subscription', 'subname'],
  CreateForeignServerStmt: ['server', 'servername'],
  CreateFdwStmt: ['foreign data wrapper', 'fdwname'],
  CreateTableSpaceStmt: ['tablespace', 'tablespacename'],
  CreateConversionStmt: ['conversion', 'conversion_name'],
  CreateOpClassStmt: ['operator class', 'opclassname'],
  CreateOpFamilyStmt: ['operator family', 'opfamilyname'],
  CreatePLangStmt: ['language', 'plname'],
  CreateAmStmt: ['access method', 'amname'],
};

/** What one node of the tree creates. */
export function createdBy(type: string, node: Node): NamedObject[] {
  const entry = Object.hasOwn(named, type) ? named[type] : undefined;
  if (entry !== undefined) {
    const [kind, field] = entry;
    return [{ kind, name: textOf(node, field) ?? nameOf(node[field]) }];
  }
  switch (type) {
    case 'CreateStmt':
      return [{ kind: 'table', name: relationName(node.relation) }];
    case 'CreateForeignTableStmt':
      return [{ kind: 'foreign table', name: relationName(isNode(node.base) ? node.base.relation : null) }];
    case 'CreateSeqStmt':
      return [{ kind: 'sequence', name: relationName(node.sequence) }];
    case 'CompositeTypeStmt':
      return [{ kind: 'type', name: relationName(node.typevar) }];
    case 'ViewStmt':
      return [{ kind: 'view', name: relationName(node.view) }];
    case 'IndexStmt':
      return [{ kind: 'index', name: textOf(node, 'idxname') ?? `on ${relationName(node.relation)}` }];
    case 'CreateTableAsStmt':
      return [
        {
          kind: kindOf(textOf(node, 'objtype')),
          name: relationName(isNode(node.into) ? node.into.rel : null),
        },
      ];
    case 'CreateFunctionStmt':
      return [{ kind: node.is_procedure === true ? 'procedure' : 'function', name: nameOf(node.funcname) }];
    case 'DefineStmt':
      return [{ kind: kindOf(textOf(node, 'kind')), name: nameOf(node.defnames) }];
    case 'AlterTableStmt':
      return alterations(node).flatMap(({ subtype, node: command }) => {
        const def = unwrap(command.def);
        if (subtype === 'AT_AddColumn')
          return [{ kind: 'column', name: within(node, textOf(def?.node, 'colname')) }];
        if (subtype === 'AT_AddConstraint')
          return [{ kind: 'constraint', name: within(node, textOf(def?.node, 'conname')) }];
        return [];
      });
    default:
      return [];
  }
}

/** What one node of the tree drops. */
export function droppedBy(type: string, node: Node): NamedObject[] {
  switch (type) {
    case 'DropStmt': {
      const kind = kindOf(textOf(node, 'removeType'));
      return items(node, 'objects').map((object) => ({ kind, name: nameOf(object) }));
    }
    case 'DropdbStmt':
      return [{ kind: 'database', name: textOf(node, 'dbname') ?? '' }];
    case 'DropRoleStmt':
      return items(node, 'roles').map((role) => ({
        kind: 'role',
        name: textOf(unwrap(role)?.node, 'rolename') ?? '',
      }));
    case 'DropTableSpaceStmt':
      return [{ kind: 'tablespace', name: textOf(node, 'tablespacename') ?? '' }];
    case 'DropSubscriptionStmt':
      return [{ kind: 'subscription', name: textOf(node, 'subname') ?? '' }];
    case 'AlterTableStmt':
      return alterations(node).flatMap(({ subtype, node: command }) => {
        const name = within(node, textOf(command, 'name'));
        if (subtype === 'AT_DropColumn') return [{ kind: 'column', name }];
        if (subtype === 'AT_DropConstraint') return [{ kind: 'constraint', name }];
        return [];
      });
    default:
      return [];
  }
}

/** The commands of an ALTER TABLE. */
export function alterations(node: Node): { readonly subtype: string; readonly node: Node }[] {
  return items(node, 'cmds').flatMap((command) => {
    const one = unwrap(command);
    return one === null ? [] : [{ subtype: textOf(one.node, 'subtype') ?? '', node: one.node }];
  });
}

function within(table: Node, name: string | null): string {
  return name === null ? `on ${relationName(table.relation)}` : `${relationName(table.relation)}.${name}`;
}
