/** Reads nodes of a syntax tree. */
import type { Node } from 'oxc-parser';

/** The expression without type assertions, parentheses, `await` and `?.` around it. */
export function bare(node: Node): Node {
  switch (node.type) {
    case 'TSAsExpression':
    case 'TSSatisfiesExpression':
    case 'TSNonNullExpression':
    case 'TSTypeAssertion':
    case 'ParenthesizedExpression':
    case 'ChainExpression':
      return bare(node.expression);
    case 'AwaitExpression':
      return bare(node.argument);
    default:
      return node;
  }
}

/** `a.name`, `a['name']` or `` a[`name`] ``; undefined when the name is computed. */
export function memberName(node: Node): string | undefined {
  if (node.type !== 'MemberExpression') return undefined;
  if (!node.computed) return node.property.type === 'PrivateIdentifier' ? undefined : node.property.name;
  return textOf(node.property);
}

function textOf(node: Node): string | undefined {
  if (node.type === 'Literal' && typeof node.value === 'string') return node.value;
  if (node.type === 'TemplateLiteral' && node.expressions.length === 0)
    return node.quasis[0]?.value.cooked ?? undefined;
  return undefined;
}

/** The `x` of `require('x')` or `await import('x')`. */
export function requiredModule(node: Node): string | undefined {
  const asked = bare(node);
  if (asked.type === 'ImportExpression') return textOf(asked.source);
  if (asked.type !== 'CallExpression' || asked.callee.type !== 'Identifier') return undefined;
  if (asked.callee.name !== 'require') return undefined;
  const [argument] = asked.arguments;
  return argument && textOf(argument);
}

/** The properties that a destructuring pattern reads, each with its variable if that is a plain name. */
export function takenNames(
  pattern: Node,
): readonly { readonly name: string; readonly as: string | undefined }[] {
  if (pattern.type !== 'ObjectPattern') return [];
  return pattern.properties.flatMap((property) => {
    if (property.type !== 'Property') return [];
    const name =
      property.key.type === 'Identifier' && !property.computed ? property.key.name : textOf(property.key);
    const value = property.value.type === 'AssignmentPattern' ? property.value.left : property.value;
    return name === undefined ? [] : [{ name, as: value.type === 'Identifier' ? value.name : undefined }];
  });
}

/** The expressions that a value can come from: both sides of `a ?? b`, both branches of a condition. */
export function sources(node: Node): readonly Node[] {
  const value = bare(node);
  if (value.type === 'LogicalExpression') return [...sources(value.left), ...sources(value.right)];
  if (value.type === 'ConditionalExpression')
    return [...sources(value.consequent), ...sources(value.alternate)];
  return [value];
}
