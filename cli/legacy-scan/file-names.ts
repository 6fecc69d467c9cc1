/** Which names in a file refer to the process, to its environment, or to an export of a known package. */
import { type Node, type Program, Visitor } from 'oxc-parser';
import type { Kind } from './finding.ts';
import { findPackage } from './known-packages.ts';
import { bare, memberName, requiredModule, takenNames } from './syntax.ts';

export type FileNames = {
  isProcess(node: Node): boolean;
  isEnvironment(node: Node): boolean;
  /** What calling or constructing this creates, if it comes from a known package. */
  madeBy(callee: Node): { readonly kind: Kind; readonly what: string } | undefined;
  /** Variables declared at module level. */
  readonly atTop: ReadonlySet<string>;
};

type Import = { readonly kind: Kind; readonly what: string };

export function readFileNames(program: Program): FileNames {
  const processes = new Set(['process']);
  const environments = new Set<string>();
  const imported = new Map<string, Import>();
  const namespaces = new Map<string, string>();
  const atTop = new Set<string>();

  const isProcess = (node: Node): boolean => {
    const value = bare(node);
    if (value.type === 'Identifier') return processes.has(value.name);
    if (isProcessModule(requiredModule(value))) return true;
    if (value.type !== 'MemberExpression' || memberName(value) !== 'process') return false;
    const object = bare(value.object);
    return object.type === 'Identifier' && ['globalThis', 'global'].includes(object.name);
  };
  const isEnvironment = (node: Node): boolean => {
    const value = bare(node);
    if (value.type === 'Identifier') return environments.has(value.name);
    return value.type === 'MemberExpression' && memberName(value) === 'env' && isProcess(value.object);
  };
  const take = (module: string, name: string, local: string): void => {
    if (isProcessModule(module) && name === 'env') environments.add(local);
    if (isProcessModule(module) && ['default', '*'].includes(name)) processes.add(local);
    const known = findPackage(module);
    if (known === undefined) return;
    if (name === '*') namespaces.set(local, module);
    // A default export of a list of functions (`import _ from 'lodash'`) is used like a namespace.
    if (name === 'default' && known.exports && !known.exports.includes('default'))
      namespaces.set(local, module);
    else if (known.exports?.includes(name) ?? true) imported.set(local, { kind: known.kind, what: module });
  };

  new Visitor({
    ImportDeclaration({ source, specifiers, importKind }) {
      if (importKind === 'type') return;
      for (const specifier of specifiers) {
        if (specifier.type === 'ImportDefaultSpecifier') take(source.value, 'default', specifier.local.name);
        else if (specifier.type === 'ImportNamespaceSpecifier') take(source.value, '*', specifier.local.name);
        else if (specifier.importKind !== 'type') {
          const { imported: name } = specifier;
          take(source.value, name.type === 'Literal' ? name.value : name.name, specifier.local.name);
        }
      }
    },
    VariableDeclarator({ id, init }) {
      if (init === null) return;
      const module = requiredModule(init);
      if (id.type === 'Identifier') {
        if (isEnvironment(init)) environments.add(id.name);
        if (module === undefined) return;
        take(module, 'default', id.name);
        take(module, '*', id.name);
        return;
      }
      for (const { name, as } of takenNames(id)) {
        if (as === undefined) continue;
        if (module !== undefined) take(module, name, as);
        if (name === 'env' && isProcess(init)) environments.add(as);
      }
    },
  }).visit(program);

  for (const statement of program.body) {
    const declaration = statement.type === 'ExportNamedDeclaration' ? statement.declaration : statement;
    if (declaration?.type !== 'VariableDeclaration') continue;
    for (const { id } of declaration.declarations) if (id.type === 'Identifier') atTop.add(id.name);
  }

  return {
    isProcess,
    isEnvironment,
    atTop,
    madeBy(node) {
      const callee = bare(node);
      if (callee.type === 'Identifier') return imported.get(callee.name);
      if (callee.type !== 'MemberExpression') return undefined;
      const object = bare(callee.object);
      const name = memberName(callee);
      if (object.type !== 'Identifier' || name === undefined) return undefined;
      const module = namespaces.get(object.name);
      const known = module === undefined ? undefined : findPackage(module);
      if (known === undefined || module === undefined) return undefined;
      return (known.exports?.includes(name) ?? true) ? { kind: known.kind, what: module } : undefined;
    },
  };
}

function isProcessModule(name: string | undefined): boolean {
  return name === 'process' || name === 'node:process';
}
