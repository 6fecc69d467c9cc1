/** A scope ends after the time limit of a function, whether or not its request has ended. */
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { MAX_SCOPE_LIFETIME_MS } from '../../lib/limits.ts';
import { installScopedEnvironment } from '../../lib/process-env/scoped-environment.ts';
import { Secret } from '../../lib/secret.ts';
import { newProviderKey } from '../support/start-world.ts';

const key = newProviderKey();

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());

function open() {
  const onEnd = vi.fn<(read: ReadonlySet<string>) => void>();
  const keys = new Map([['OPENAI_API_KEY', new Secret(key)]]);
  const covered = new Set(['OPENAI_API_KEY', 'GEMINI_API_KEY']);
  return { scope: installScopedEnvironment().open({ covered, keys, onEnd }), onEnd };
}

const read = () => process.env.OPENAI_API_KEY;

it('ends a scope that its request does not end, and reports what was read', () => {
  const { scope, onEnd } = open();
  vi.advanceTimersByTime(MAX_SCOPE_LIFETIME_MS - 1);
  expect(scope.run(read)).toBe(key);
  expect(onEnd).not.toHaveBeenCalled();

  vi.advanceTimersByTime(1);
  expect(scope.run(read)).toBeUndefined();
  scope.run(() => {
    process.env.OPENAI_API_KEY = 'late';
  });
  expect(scope.run(read)).toBeUndefined();
  expect(onEnd.mock.calls).toEqual([[new Set(['OPENAI_API_KEY'])]]);

  scope.end();
  expect(onEnd).toHaveBeenCalledTimes(1);
});

it('keeps no timer once a scope has ended', () => {
  const { scope, onEnd } = open();
  expect(vi.getTimerCount()).toBe(1);
  scope.end();
  expect(vi.getTimerCount()).toBe(0);
  expect(onEnd).toHaveBeenCalledTimes(1);
});

it('opens no timer for a sealed scope', () => {
  const { scope } = open();
  scope.run(() => process.getBuiltinModule('node:dgram').createSocket('udp4').close());
  expect(vi.getTimerCount()).toBe(1);
  scope.end();
});

it('uses the time limit of vercel.json', () => {
  const settings = z
    .object({ functions: z.record(z.string(), z.object({ maxDuration: z.number() })) })
    .parse(JSON.parse(readFileSync('vercel.json', 'utf8')));
  for (const { maxDuration } of Object.values(settings.functions)) {
    expect(maxDuration * 1_000).toBe(MAX_SCOPE_LIFETIME_MS);
  }
});
