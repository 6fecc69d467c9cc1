import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { env } from 'node:process';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { inspect, isDeepStrictEqual } from 'node:util';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { installScopedEnvironment } from '../../lib/process-env/scoped-environment.ts';
import { newProviderKey } from '../support/start-world.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { inScope, openScope } from './open-scope.ts';

const users = newProviderKey('sk-user-');
const operators = newProviderKey('sk-operator-');

/** The environment itself, taken before it is wrapped: what a native reader or a new worker would see. */
const real = process.env;

beforeAll(() => void installScopedEnvironment());

beforeEach(() => {
  real.OPENAI_API_KEY = operators;
  real.GEMINI_API_KEY = operators;
  real.ORDINARY = 'as it is';
});

afterEach(() => {
  // Whatever a test did inside a scope, the environment of the process is what it was.
  expect(real.OPENAI_API_KEY).toBe(operators);
  expect(real.GEMINI_API_KEY).toBe(operators);
  expect(real.ORDINARY).toBe('as it is');
  expect(real.ADDED).toBeUndefined();
});

describe('reading', () => {
  it('gives the user’s key inside a scope, through every way to the environment', async () => {
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

  it('gives undefined, and not the operator’s key, for a provider the user has no key for', async () => {
    await inScope({ OPENAI_API_KEY: users }, () => {
      expect(process.env.GEMINI_API_KEY).toBeUndefined();
      expect('GEMINI_API_KEY' in process.env).toBe(false);
      expect(Object.hasOwn(process.env, 'GEMINI_API_KEY')).toBe(false);
      expect(Object.getOwnPropertyDescriptor(process.env, 'GEMINI_API_KEY')).toBeUndefined();
    });
  });

  it('shows ordinary variables as they are', async () => {
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

  it('gives an inner scope its own keys, and the outer one its own again', async () => {
    const inner = newProviderKey('sk-inner-');
    await inScope({ OPENAI_API_KEY: users }, async () => {
      await inScope({ OPENAI_API_KEY: inner }, () => expect(process.env.OPENAI_API_KEY).toBe(inner));
      expect(process.env.OPENAI_API_KEY).toBe(users);
    });
  });
});

describe('what lists the environment', () => {
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

  it.each(listings)('%s has no key of the user', async (_name, list) => {
    await inScope({ OPENAI_API_KEY: users }, () => {
      const text = inspect(list(), { depth: 9, maxArrayLength: null, maxStringLength: null });
      expect(text).not.toContain(users);
    });
  });

  it.each(listings.filter(([name]) => !/report|process|timer/.test(name)))(
    '%s has no provider variable at all, not the operator’s either',
    async (_name, list) => {
      await inScope({ OPENAI_API_KEY: users }, () => {
        process.env.EXA_API_KEY = newProviderKey('assigned-');
        const text = inspect(list(), { depth: 9, maxArrayLength: null, maxStringLength: null });
        expect(text).not.toContain('sk-operator-');
        expect(text).not.toMatch(/OPENAI_API_KEY|GEMINI_API_KEY|EXA_API_KEY|assigned-/);
      });
    },
  );

  it('cannot be cloned itself, as no proxy can', async () => {
    expect(() => structuredClone(process.env)).toThrow();
    await inScope({ OPENAI_API_KEY: users }, () => expect(() => structuredClone(process.env)).toThrow());
  });

  it('still lists the ordinary variables', async () => {
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
  it('changes that scope’s view and nobody else’s', async () => {
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

  it('keeps apart what is deleted, defined and assigned as a whole', async () => {
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

  it('runs the old approach, save, set and restore, to the old result', async () => {
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

  it('turns values into text and refuses what Node refuses, with the same error', async () => {
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

  it('takes any name: numbers, an empty one, __proto__, constructor', async () => {
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

  it('lets an object inherit from the environment, as code does to add a variable for a child', async () => {
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

  it('does not let one request change the prototype for all', async () => {
    await inScope({}, () => {
      expect(Reflect.setPrototypeOf(process.env, { ADDED: 'x' })).toBe(false);
    });
    expect(process.env.ADDED).toBeUndefined();
  });

  it('keeps what Node reads in a file of variables to the scope', async () => {
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

describe('replacing the environment as a whole', () => {
  it('inside a scope is seen by that scope alone', async () => {
    const other = openScope({ OPENAI_API_KEY: 'other' });
    await inScope({ OPENAI_API_KEY: users }, async () => {
      process.env = { ...process.env, ADDED: 'x', NUMBER: `${1}` };
      await nextTurn();
      expect(process.env.ADDED).toBe('x');
      expect(env.ADDED).toBe('x');
      // The spread has no keys in it; the code that reads one goes on working all the same.
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

  it('and putting the saved one back restores what was there before', async () => {
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

  it('cannot be forced: the property is neither redefined nor deleted', async () => {
    await inScope({ OPENAI_API_KEY: users }, () => {
      expect(() => Object.defineProperty(process, 'env', { value: {} })).toThrow(TypeError);
      expect(Reflect.deleteProperty(process, 'env')).toBe(false);
      expect(process.env.OPENAI_API_KEY).toBe(users);
    });
  });

  it('by way of globalThis.process is seen by that scope alone too', async () => {
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

  it('outside a scope is what it always was', () => {
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
  ])('outside a scope by %s still gives each scope its view', (_name, wrap) => {
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

describe('when the scope has ended', () => {
  it('late callbacks read undefined: no key, no other user’s, not the operator’s', async () => {
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

  it('ends what a replaced environment of the request reads, too', () => {
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

it('wraps the process once: a second installation is the first', () => {
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
