/**
 * The object that replaces `process.env`. Inside a scope it shows that scope; outside, the real environment. It holds
 * no key itself, and writes in a scope never reach the real environment.
 */

import { defineVariable, type EnvironmentScope } from './environment-scope.ts';
import { inspect } from './node-runtime.ts';

export type CurrentScope = () => EnvironmentScope | undefined;

/**
 * Covered variables can be read by name (`env.X`, `X in env`, `Object.hasOwn`, `getOwnPropertyDescriptor`), assigned
 * and deleted, but are never enumerated, whoever set them. The same applies to hidden variables. So enumeration, spread,
 * `JSON.stringify`, `util.inspect` and child processes do not see them.
 */
export function createEnvironmentView(
  real: NodeJS.ProcessEnv,
  currentScope: CurrentScope,
): NodeJS.ProcessEnv {
  // `util.inspect` bypasses the proxy and reads its target. This method makes it print the view.
  const target: NodeJS.ProcessEnv = Object.defineProperty({}, inspect.custom, {
    value: () => ({ ...view }),
    enumerable: false,
    configurable: true,
  });

  const view: NodeJS.ProcessEnv = new Proxy(target, {
    get(_target, name) {
      const scope = currentScope();
      if (scope === undefined) return Reflect.get(real, name);
      return scope.covers(name) ? scope.readKey(name) : Reflect.get(scope.others(real), name);
    },

    has(_target, name) {
      const scope = currentScope();
      if (scope === undefined) return Reflect.has(real, name);
      return scope.covers(name) ? scope.hasKey(name) : Reflect.has(scope.others(real), name);
    },

    set(_target, name, value: unknown, receiver) {
      const scope = currentScope();
      // For an object that inherits from the environment (`Object.create(process.env)`), set the property on that object.
      if (receiver !== view) return Reflect.set({}, name, value, receiver);
      if (scope === undefined) return Reflect.set(real, name, value);
      return write(scope, name, value);
    },

    deleteProperty(_target, name) {
      const scope = currentScope();
      if (scope === undefined) return Reflect.deleteProperty(real, name);
      if (!scope.covers(name)) return Reflect.deleteProperty(scope.othersForWriting(real), name);
      scope.deleteKey(name);
      return true;
    },

    defineProperty(_target, name, descriptor) {
      const scope = currentScope();
      if (scope === undefined) return Reflect.defineProperty(real, name, descriptor);
      const { value, writable, enumerable, configurable } = descriptor;
      if (!('value' in descriptor) || !writable || !enumerable || !configurable) {
        // Node rejects it too. A getter would also stay after the request and could return another request's value.
        throw new TypeError(
          "'process.env' only accepts a configurable, writable, and enumerable data descriptor",
        );
      }
      return write(scope, name, value);
    },

    getOwnPropertyDescriptor(_target, name) {
      const scope = currentScope();
      if (scope === undefined || !scope.covers(name)) {
        const descriptor = Reflect.getOwnPropertyDescriptor(scope?.others(real) ?? real, name);
        if (descriptor === undefined) return;
        const enumerable = descriptor.enumerable === true && (scope?.isEnumerable(name) ?? true);
        // A proxy must not report a non-configurable property that its target lacks; `real` can be a frozen object.
        return { ...descriptor, enumerable, configurable: true };
      }
      const value = scope.readKey(name);
      return value === undefined
        ? undefined
        : { value, writable: true, enumerable: false, configurable: true };
    },

    ownKeys() {
      const scope = currentScope();
      if (scope === undefined) return Reflect.ownKeys(real);
      return Reflect.ownKeys(scope.others(real)).filter((name) => scope.isEnumerable(name));
    },

    getPrototypeOf: () => Reflect.getPrototypeOf(real),

    setPrototypeOf(_target, prototype) {
      return currentScope() === undefined && Reflect.setPrototypeOf(real, prototype);
    },

    // The real environment cannot be frozen either.
    preventExtensions: () => false,
  });

  function write(scope: EnvironmentScope, name: string | symbol, value: unknown): boolean {
    // A template string throws the same TypeError for a symbol as the real environment.
    const variable = stringify(name);
    const text = stringify(value);
    if (!scope.covers(variable)) return defineVariable(scope.othersForWriting(real), variable, text);
    scope.writeKey(variable, text);
    return true;
  }

  return view;
}

function stringify(value: unknown): string {
  return `${value}`;
}
