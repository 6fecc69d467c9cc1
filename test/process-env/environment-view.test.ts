import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { env } from 'node:process';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { inspect, isDeepStrictEqual } from 'node:util';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { EnvironmentScope } from '../../lib/process-env/environment-scope.ts';
import { installScopedEnvironment } from '../../lib/process-env/scoped-environment.ts';
import { newProviderKey } from '../support/start-world.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { inScope, openScope } from './open-scope.ts';

const users = newProviderKey('sk-user-');
const operators = newProviderKey('sk-operator-');

/** The real environment, referenced before wrapping: what native code or a new worker would read. */
const real = process.env;

beforeAll(() => void installScopedEnvironment());

beforeEach(() => {
  real.OPENAI_API_KEY = operators;
  real.GEMINI_API_KEY = operators;
  real.ORDINARY = 'as it is';
});

afterEach(() => {
  // Nothing that a test did inside a scope may change the environment of the process.
  expect(real.OPENAI_API_KEY).toBe(operators);
  expect(real.GEMINI_API_KEY).toBe(operators);
  expect(real.ORDINARY).toBe('as it is');
  expect(real.ADDED).toBeUndefined();
});

describe('reading', () => {
  it('returns the user’s key inside a scope, through every way to reach the environment', async () => {
    await inScope({ OPENAI_API_KEY: users }, async () => {
      const { OPENAI_API_KEY } = process.env;
      expect(OPENAI_API_KEY).toBe(users);
      expect(env.OPENAI_API_KEY).toBe(users);
      expect(globalThis.process.env.OPENAI_API_KEY).toBe(users);
      expect((await import('node:process')).env.OPENAI_API_KEY).toBe(users);
      expect(process.getBuiltinModule('node:process').env.OPENAI_API_KEY).toBe(users);
      expect('OPENAI_API_KEY' in process.env).toBe(true);
      expect(Object.hasOwn(process.env, 'OPENAI_API_KEY')).toBe(true);
      const descriptor = Object.getOwnPropertyDescriptor(process.env, 'OPENAI_API_KEY');
      expect(descriptor).toMatchObject({ value: users, enumerable: false });
    });
  });

  it('returns undefined, not the operator’s key, for a provider without a key of the user', async () => {
    await inScope({ OPENAI_API_KEY: users }, () => {
      expect(process.env.GEMINI_API_KEY).toBeUndefined();
      expect('GEMINI_API_KEY' in process.env).toBe(false);
      expect(Object.hasOwn(process.env, 'GEMINI_API_KEY')).toBe(false);
      expect(Object.getOwnPropertyDescriptor(process.env, 'GEMINI_API_KEY')).toBeUndefined();
    });
  });

  it('shows ordinary variables unchanged', async () => {
    await inScope({ OPENAI_API_KEY: users }, () => {
      expect(process.env.ORDINARY).toBe('as it is');
      expect(process.env.NOT_SET).toBeUndefined();
      expect(String(process.env)).toBe('[object Object]');
    });
  });

  it('shows the real environment outside a scope, before and after one', async () => {
    expect(process.env.OPENAI_API_KEY).toBe(operators);
    await inScope({ OPENAI_API_KEY: users }, nextTurn);
    expect(process.env.OPENAI_API_KEY).toBe(operators);
    expect({ ...process.env }).toEqual({ ...real });
    expect(inspect(process.env)).toBe(inspect({ ...real }));
    process.env.OUTSIDE = 'set';
    expect(real.OUTSIDE).toBe('set');
    delete process.env.OUTSIDE;
    expect(real.OUTSIDE).toBeUndefined();
  });

  it('gives a nested scope its own keys, and the outer scope its own keys afterwards', async () => {
    const inner = newProviderKey('sk-inner-');
    await inScope({ OPENAI_API_KEY: users }, async () => {
      await inScope({ OPENAI_API_KEY: inner }, () => expect(process.env.OPENAI_API_KEY).toBe(inner));
      expect(process.env.OPENAI_API_KEY).toBe(users);
    });
  });
});

describe('enumerating the environment', () => {
  const listings: readonly (readonly [string, () => unknown])[] = [
    ['Object.keys', () => Object.keys(process.env)],
    ['Reflect.ownKeys', () => Reflect.ownKeys(process.env)],
    ['Object.entries', () => Object.entries(process.env)],
    ['Object.getOwnPropertyDescriptors', () => Object.getOwnPropertyDescriptors(process.env)],
    ['spreading', () => ({ ...process.env })],
    ['Object.assign', () => Object.assign({}, process.env)],
    ['JSON.stringify', () => JSON.stringify(process.env)],
    ['util.inspect', () => inspect(process.env)],
    ['util.inspect with everything', () => inspect(process.env, { showHidden: true, showProxy: true })],
    ['util.inspect without custom', () => inspect(process.env, { customInspect: false, showHidden: true })],
    ['util.inspect of process', () => inspect(process, { depth: 4, showHidden: true })],
    ['a diagnostic report', () => JSON.stringify(process.report.getReport())],
    ['an inheriting object', () => namesWithForIn(Object.create(process.env))],
    ['for in', () => namesWithForIn(process.env)],
    ['structuredClone of a copy', () => structuredClone({ ...process.env })],
    ['an error that holds it', () => inspect(Object.assign(new Error('boom'), { env: process.env }))],
    ['a timer made in the scope', () => inspect(unreferencedTimer(), { depth: 9, showHidden: true })],
  ];

  it.each(listings)('%s contains no key of the user', async (_name, list) => {
    await inScope({ OPENAI_API_KEY: users }, () => {
      const text = inspect(list(), { depth: 9, maxArrayLength: null, maxStringLength: null });
      expect(text).not.toContain(users);
    });
  });

  it.each(listings.filter(([name]) => !/report|process|timer/.test(name)))(
    '%s contains no provider variable at all, not even the operator’s',
    async (_name, list) => {
      await inScope({ OPENAI_API_KEY: users }, () => {
        process.env.EXA_API_KEY = newProviderKey('assigned-');
        const text = inspect(list(), { depth: 9, maxArrayLength: null, maxStringLength: null });
        expect(text).not.toContain('sk-operator-');
        expect(text).not.toMatch(/OPENAI_API_KEY|GEMINI_API_KEY|EXA_API_KEY|assigned-/);
      });
    },
  );

  it('the environment itself cannot be cloned, like any proxy', async () => {
    expect(() => structuredClone(process.env)).toThrow();
    await inScope({ OPENAI_API_KEY: users }, () => expect(() => structuredClone(process.env)).toThrow());
  });

  it('ordinary variables are still listed', async () => {
    await inScope({ OPENAI_API_KEY: users }, () => {
      const { OPENAI_API_KEY: _, GEMINI_API_KEY: __, ...ordinary } = real;
      expect({ ...process.env }).toEqual(ordinary);
      expect(isDeepStrictEqual({ ...process.env }, ordinary)).toBe(true);
      expect(JSON.parse(JSON.stringify(process.env))).toEqual(ordinary);
      expect(inspect(process.env)).toBe(inspect(ordinary));
    });
  });
});

describe('writing inside a scope', () => {
  it('changes only the view of that scope', async () => {
    const other = openScope({ OPENAI_API_KEY: 'other' });
    await inScope({ OPENAI_API_KEY: users }, () => {
      process.env.OPENAI_API_KEY = 'mine';
      process.env.ORDINARY = 'changed';
      process.env.ADDED = 'here';
      delete process.env.PATH;
      expect(process.env.OPENAI_API_KEY).toBe('mine');
      expect(process.env.ORDINARY).toBe('changed');
      expect({ ...process.env }).toMatchObject({ ADDED: 'here' });
      expect('PATH' in process.env).toBe(false);
      other.run(() => {
        expect(process.env.OPENAI_API_KEY).toBe('other');
        expect(process.env.ORDINARY).toBe('as it is');
        expect(process.env.ADDED).toBeUndefined();
        expect(process.env.PATH).toBe(real.PATH);
      });
    });
    expect(process.env.PATH).toBeDefined();
  });

  it('isolates deletes, definitions and Object.assign', async () => {
    await inScope({ OPENAI_API_KEY: users, EXA_API_KEY: users }, () => {
      delete process.env.OPENAI_API_KEY;
      expect(process.env.OPENAI_API_KEY).toBeUndefined();
      const descriptor = { writable: true, enumerable: true, configurable: true };
      Object.defineProperty(process.env, 'ADDED', { ...descriptor, value: 7 });
      Object.defineProperty(process.env, 'EXA_API_KEY', { ...descriptor, value: 'defined' });
      expect(process.env.ADDED).toBe('7');
      expect(process.env.EXA_API_KEY).toBe('defined');
      Object.assign(process.env, { ORDINARY: 'assigned', GEMINI_API_KEY: 'assigned' });
      expect(process.env.ORDINARY).toBe('assigned');
      expect(process.env.GEMINI_API_KEY).toBe('assigned');
    });
  });

  it('supports the old pattern of saving, setting and restoring a variable', async () => {
    await inScope({}, async () => {
      const saved = process.env.OPENAI_API_KEY;
      process.env.OPENAI_API_KEY = 'set by the old code';
      await nextTurn();
      expect(process.env.OPENAI_API_KEY).toBe('set by the old code');
      if (saved === undefined) delete process.env.OPENAI_API_KEY;
      else process.env.OPENAI_API_KEY = saved;
      expect(process.env.OPENAI_API_KEY).toBeUndefined();
    });
  });

  it('converts values to strings and rejects what Node rejects, with the same error', async () => {
    const odd = [undefined, null, 1, true, ['a', 'b'], { a: 1 }];
    const throwers: readonly (() => unknown)[] = [
      () => Reflect.set(process.env, 'ADDED', Symbol('x')),
      () => Reflect.set(process.env, Symbol('x'), 'x'),
      () => Object.defineProperty(process.env, 'ADDED', { get: () => 'x' }),
      () => Object.defineProperty(process.env, 'ADDED', { value: 'x' }),
      () => Object.freeze(process.env),
      () => Object.preventExtensions(process.env),
    ];
    await inScope({}, () => {
      for (const value of odd) {
        Reflect.set(process.env, 'ADDED', value);
        expect(process.env.ADDED).toBe(`${value}`);
      }
      for (const thrower of throwers) expect(thrower).toThrow(TypeError);
    });
    for (const thrower of throwers) expect(thrower).toThrow(TypeError);
  });

  it('accepts any name: numbers, the empty name, __proto__, constructor', async () => {
    await inScope({}, () => {
      for (const name of ['7', 'with space', '__proto__', 'constructor', 'toString']) {
        process.env[name] = 'text';
        expect(process.env[name]).toBe('text');
        expect(Object.keys(process.env)).toContain(name);
        delete process.env[name];
        expect(Object.keys(process.env)).not.toContain(name);
      }
    });
    expect(Object.keys(process.env)).not.toContain('__proto__');
  });

  it('supports an object that inherits from the environment to add a variable for a child process', async () => {
    await inScope({ OPENAI_API_KEY: users }, () => {
      const inheriting = Object.create(process.env);
      inheriting.ADDED = 'x';
      inheriting.OPENAI_API_KEY = 'for the child';
      expect(namesWithForIn(inheriting)).toContain('ADDED');
      expect(namesWithForIn(inheriting)).toContain('PATH');
      expect(process.env.ADDED).toBeUndefined();
      expect(process.env.OPENAI_API_KEY).toBe(users);
    });
  });

  it('does not let one request change the prototype for all requests', async () => {
    await inScope({}, () => {
      expect(Reflect.setPrototypeOf(process.env, { ADDED: 'x' })).toBe(false);
    });
    expect(process.env.ADDED).toBeUndefined();
  });

  it('limits variables loaded by process.loadEnvFile to the scope', async () => {
    const file = join(await temporaryDirectory(), '.env');
    writeFileSync(file, 'ADDED=from the file\nORDINARY=from the file\nOPENAI_API_KEY=from the file\n');
    await inScope({ OPENAI_API_KEY: users }, () => {
      process.loadEnvFile(file);
      expect(process.env.ADDED).toBe('from the file');
      expect(process.env.ORDINARY).toBe('as it is');
      expect(process.env.OPENAI_API_KEY).toBe(users);
    });
    expect(real.ADDED).toBeUndefined();
    process.loadEnvFile(file);
    expect(process.env.ADDED).toBe('from the file');
    delete process.env.ADDED;
  });
});

describe('replacing the whole environment', () => {
  it('inside a scope affects only that scope', async () => {
    const other = openScope({ OPENAI_API_KEY: 'other' });
    await inScope({ OPENAI_API_KEY: users }, async () => {
      process.env = { ...process.env, ADDED: 'x', NUMBER: `${1}` };
      await nextTurn();
      expect(process.env.ADDED).toBe('x');
      expect(env.ADDED).toBe('x');
      // The spread contains no keys, but code that reads one still gets it.
      expect(process.env.OPENAI_API_KEY).toBe(users);
      expect(process.env.GEMINI_API_KEY).toBeUndefined();
      other.run(() => {
        expect(process.env.OPENAI_API_KEY).toBe('other');
        expect(process.env.ADDED).toBeUndefined();
      });
      process.env = {};
      expect(Object.keys(process.env)).toEqual([]);
      process.env = { OPENAI_API_KEY: 'mine' };
      expect(process.env.OPENAI_API_KEY).toBe('mine');
      expect(Object.keys(process.env)).toEqual([]);
    });
    expect(process.env.OPENAI_API_KEY).toBe(operators);
  });

  it('and assigning the saved environment restores the former state', async () => {
    await inScope({ OPENAI_API_KEY: users }, () => {
      process.env.ADDED = 'before';
      const saved = process.env;
      process.env = { ...saved, ADDED: 'between', OPENAI_API_KEY: 'between' };
      process.env = { ...process.env, MORE: 'x' };
      expect(process.env.ADDED).toBe('between');
      expect(process.env.OPENAI_API_KEY).toBe(users);
      process.env = saved;
      expect(process.env.ADDED).toBe('before');
      expect(process.env.MORE).toBeUndefined();
      expect(process.env.OPENAI_API_KEY).toBe(users);
    });
  });

  it('cannot bypass the view: the property can be neither redefined nor deleted', async () => {
    await inScope({ OPENAI_API_KEY: users }, () => {
      expect(() => Object.defineProperty(process, 'env', { value: {} })).toThrow(TypeError);
      expect(Reflect.deleteProperty(process, 'env')).toBe(false);
      expect(process.env.OPENAI_API_KEY).toBe(users);
    });
  });

  it('through globalThis.process affects only that scope', async () => {
    const other = openScope({ OPENAI_API_KEY: 'other' });
    const { process: genuine } = globalThis;
    const scope = openScope({ OPENAI_API_KEY: users });
    await scope.run(async () => {
      globalThis.process = Object.create(genuine, { env: { value: { OPENAI_API_KEY: 'mine' } } });
      await nextTurn();
      expect(process.env.OPENAI_API_KEY).toBe('mine');
      other.run(() => expect(process.env.OPENAI_API_KEY).toBe('other'));
    });
    expect(globalThis.process).toBe(genuine);
    scope.end();
    scope.run(() => expect(process.env.OPENAI_API_KEY).toBeUndefined());
  });

  it('outside a scope works as in Node', () => {
    const saved = process.env;
    process.env = { OPENAI_API_KEY: operators, ONLY: 'this' };
    expect({ ...process.env }).toEqual({ OPENAI_API_KEY: operators, ONLY: 'this' });
    expect({ ...saved }).toEqual({ ...real });
    openScope({}).run(() => expect({ ...process.env }).toEqual({ ONLY: 'this' }));
    process.env = Object.freeze({ ONLY: 'frozen' });
    expect({ ...process.env }).toEqual({ ONLY: 'frozen' });
    process.env = saved;
    expect(process.env).toBe(saved);
    expect({ ...process.env }).toEqual({ ...real });
    Reflect.set(process, 'env', undefined);
    expect(process.env.ORDINARY).toBeUndefined();
    process.env = real;
    expect(process.env).toBe(saved);
  });

  it.each([
    ['a proxy around it', () => new Proxy(process.env, {})],
    ['an object that inherits from it', () => Object.create(process.env)],
  ])('outside a scope by %s still gives each scope its own view', (_name, wrap) => {
    const saved = process.env;
    process.env = wrap();
    expect(process.env.ORDINARY).toBe('as it is');
    expect(process.env.OPENAI_API_KEY).toBe(operators);
    openScope({ OPENAI_API_KEY: users }).run(() => {
      expect(process.env.OPENAI_API_KEY).toBe(users);
      expect(process.env.GEMINI_API_KEY).toBeUndefined();
      expect(process.env.ORDINARY).toBe('as it is');
      process.env.ADDED = 'here';
      expect(process.env.ADDED).toBe('here');
    });
    process.env = saved;
  });
});

describe('after the scope has ended', () => {
  it('late callbacks read undefined: no key of this user, another user or the operator', async () => {
    const scope = openScope({ OPENAI_API_KEY: users });
    const late: (() => unknown)[] = [];
    let interval: unknown = 'not yet';
    const [timer, copy] = scope.run(() => {
      const held = process.env;
      process.env.GEMINI_API_KEY = 'assigned by the request';
      late.push(
        () => held.OPENAI_API_KEY,
        () => env.OPENAI_API_KEY,
        () => process.env.GEMINI_API_KEY,
      );
      return [setInterval(() => (interval = process.env.OPENAI_API_KEY), 1), { ...process.env }];
    });
    scope.end();
    await openScope({ OPENAI_API_KEY: 'next user' }).run(async () => {
      while (interval === 'not yet') await nextTurn();
    });
    clearInterval(timer);
    expect(interval).toBeUndefined();
    scope.run(() => {
      for (const read of late) expect(read()).toBeUndefined();
      process.env.OPENAI_API_KEY = 'too late';
      expect(process.env.OPENAI_API_KEY).toBeUndefined();
      process.env = { OPENAI_API_KEY: 'too late' };
      expect(process.env.OPENAI_API_KEY).toBeUndefined();
      expect('OPENAI_API_KEY' in process.env).toBe(false);
      process.env.ADDED = 'late';
    });
    expect(JSON.stringify(copy)).not.toContain(users);
  });

  it('a replaced environment of the request reads undefined too', () => {
    const scope = openScope({ OPENAI_API_KEY: users });
    scope.run(() => {
      const saved = process.env;
      process.env = { ...saved, GEMINI_API_KEY: 'mine' };
      scope.end();
      expect(process.env.OPENAI_API_KEY).toBeUndefined();
      expect(process.env.GEMINI_API_KEY).toBeUndefined();
      process.env = saved;
      expect(process.env.OPENAI_API_KEY).toBeUndefined();
    });
  });
});

it('wraps the process once: a second installation returns the first', () => {
  const view = process.env;
  expect(installScopedEnvironment()).toBe(installScopedEnvironment());
  expect(process.env).toBe(view);
});

function namesWithForIn(object: object): readonly string[] {
  const names: string[] = [];
  for (const name in object) names.push(name);
  return names;
}

function unreferencedTimer(): NodeJS.Timeout {
  return setTimeout(() => {}, 1).unref();
}

it('tells once that a scope has ended, however often it is ended', () => {
  let ends = 0;
  const onEnd = () => {
    ends += 1;
  };
  const scope = new EnvironmentScope({ covered: new Set(), keys: new Map(), onEnd });
  scope.end();
  scope.end();
  expect(ends).toBe(1);
});
