import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { modelsInJson } from '../../lib/guards/models-in-json.ts';

const modelsIn = (text: string) => modelsInJson(new TextEncoder().encode(text));

describe('modelsInJson finds every model in a text with', () => {
  test.each<[string, string, readonly string[], boolean]>([
    ['a model', '{"model":"a"}', ['a'], true],
    ['a duplicate member', '{"model":"a","model":"b"}', ['a', 'b'], true],
    ['a member in a different case', '{"model":"a","MODEL":"b"}', ['a', 'b'], true],
    ['an escaped name', '{"m\\u006fdel":"a"}', ['a'], true],
    ['a name in full-width letters', '{"ｍｏｄｅｌ":"a"}', ['a'], false],
    ['an escaped value', '{"model":"\\u0061\\/b"}', ['a/b'], true],
    ['a list', '{"models":["a","b"],"fallback_models":["c"]}', ['a', 'b', 'c'], false],
    ['a nested model', '{"x":[{"y":{"model":"a"}}]}', ['a'], false],
    ['no model', '{"remodel":1,"modeled":{},"x":["model"]}', [], false],
    ['a schema', '{"properties":{"model":{"type":"string"}},"$defs":{"model":{}}}', [], false],
    ['a model inside a schema', '{"properties":{"x":{"model":"a"}}}', ['a'], false],
    ['white space', ' \t\r\n{ "model" \n:\t"a" } ', ['a'], true],
  ])('%s', async (_what, text, models, isNamed) => {
    expect(await modelsIn(text)).toEqual({ models, isNamed });
  });
});

describe('modelsInJson refuses a text that', () => {
  test.each([
    ['holds an object as a model', '{"model":{"id":"a"}}'],
    ['holds a number as a model', '{"model":1}'],
    ['holds null as a model', '{"model":null}'],
    ['nests lists of models', '{"models":[["a"]]}'],
    ['holds an object in a list of models', '{"models":[{"id":"a"}]}'],
    ['is an array', '[{"model":"a"}]'],
    ['is a string', '"model"'],
    ['is empty', ''],
    ['has a comment', '{"model":"a"/* ,"model":"b" */}'],
    ['has a line comment', '{"model":"a"} // "model":"b"'],
    ['has a trailing comma', '{"model":"a",}'],
    ['lacks a comma', '{"model":"a" "x":1}'],
    ['has a second value', '{"model":"a"}{"model":"b"}'],
    ['has a byte order mark', '\ufeff{"model":"a"}'],
    ['has white space that JSON does not allow', '{"model":"a"\u00a0}'],
    ['has a tab in a string', '{"model":"a\tb"}'],
    ['has a bad escape', '{"model":"\\x61"}'],
    ['has a bad number', '{"model":"a","x":01}'],
    ['is not closed', '{"model":"a"'],
    ['nests a million arrays and closes none', '['.repeat(1_000_000)],
    ['nests a million arrays in a member', `{"model":"a","x":${'['.repeat(1_000_000)}`],
    ['nests arrays for four megabytes', `{"model":"a","x":${'['.repeat(2e6)}${']'.repeat(2e6)}}`],
    ['nests objects for four megabytes', `{"model":"a","x":${'{"x":'.repeat(7e5)}1${'}'.repeat(7e5)}}`],
    ['holds two million values', `{"model":"a","x":[${'1,'.repeat(2_000_000)}1]}`],
  ])('%s', async (_what, text) => {
    expect(await modelsIn(text)).toBeUndefined();
  });
});

test('allows 64 levels and refuses more', async () => {
  const nested = (levels: number) => `${'{"x":'.repeat(levels - 1)}{"model":"a"}${'}'.repeat(levels - 1)}`;
  expect((await modelsIn(nested(64)))?.models).toEqual(['a']);
  expect(await modelsIn(nested(65))).toBeUndefined();
});

test('refuses text that is not JSON, and accepts JSON without models', async () => {
  const noise = fc.constantFrom(
    ...'{}[]:,"\\/*-+.eE019tru \n\t\u000b\ufeff\u2028',
    'null',
    '\\u12',
    '\\ud800',
    '//',
  );
  const edits = fc.array(fc.tuple(fc.nat(), fc.nat(2), noise), { maxLength: 2 });
  const json = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 4 }));
  const mutated = fc.tuple(json, edits, fc.constantFrom(0, 1)).map(([value, changes, space]) =>
    changes.reduce(
      (text, [at, removed, added]) => {
        const start = at % (text.length + 1);
        return text.slice(0, start) + added + text.slice(start + removed);
      },
      JSON.stringify(value, null, space),
    ),
  );
  const isObject = (text: string) => {
    try {
      const value: unknown = JSON.parse(text);
      return typeof value === 'object' && value !== null && !Array.isArray(value);
    } catch {
      return false;
    }
  };
  await fc.assert(
    fc.asyncProperty(mutated, async (text) => {
      fc.pre(!/model/i.test(text));
      expect((await modelsIn(text)) !== undefined).toBe(isObject(text));
    }),
    { numRuns: 3000 },
  );
});

test.each([
  ['spaces', ' '],
  ['line breaks', '\n'],
])('reads a body that is padded with megabytes of %s', async (_what, padding) => {
  const text = `{${padding.repeat(4_400_000)}"model":"a"${padding.repeat(20)}}`;
  expect(await modelsIn(text)).toEqual({ models: ['a'], isNamed: true });
});

test.each([
  ['a line break', '\n'],
  ['a tab', '\t'],
])('refuses a string with many times %s in it, which is not JSON', async (_what, character) => {
  expect(await modelsIn(`{"model":"a","x":"${character.repeat(40)}"}`)).toBeUndefined();
});

test('does not take a name with white space in it for another name', async () => {
  const gap = ' '.repeat(40);
  expect(await modelsIn(`{"model":"a${gap}","mod${gap}el":"b"}`)).toEqual({
    models: [`a${gap}`],
    isNamed: true,
  });
});
