import { describe, expect, it } from 'vitest';
import { scanSource } from '../../../cli/legacy-scan/scan-source.ts';

/** Findings as `line:column kind what`. */
function scan(source: string, file = 'file.ts'): readonly string[] | undefined {
  return scanSource(file, source)?.map(({ line, column, kind, what }) => `${line}:${column} ${kind} ${what}`);
}

/** Kinds and what, without places. */
function kinds(source: string, file?: string): readonly string[] | undefined {
  return scan(source, file)?.map((found) => found.replace(/^\S+ /, ''));
}

describe('reads of a provider’s variable', () => {
  it('has the place of each, and whether it is in a function', () => {
    const source = `const key = process.env.OPENAI_API_KEY;
export async function handler() {
  return [process.env.GEMINI_API_KEY, process.env.ORDINARY];
}`;
    expect(scan(source)).toEqual(['1:13 read-at-load OPENAI_API_KEY', '3:11 read GEMINI_API_KEY']);
  });

  it.each([
    `() => process.env.EXA_API_KEY`,
    `() => process.env['EXA_API_KEY']`,
    '() => process.env[`EXA_API_KEY`]',
    `() => process.env!.EXA_API_KEY!`,
    `() => (process.env as Record<string, string>).EXA_API_KEY`,
    `() => process?.env?.EXA_API_KEY`,
    `() => globalThis.process.env.EXA_API_KEY`,
    `() => globalThis.process?.env?.EXA_API_KEY`,
    `() => { const { EXA_API_KEY } = process.env; }`,
    `() => { const { EXA_API_KEY: key = 'x', ...rest } = process.env; }`,
    `() => { let key; ({ EXA_API_KEY: key } = process.env); }`,
    `import { env } from 'node:process'; () => env.EXA_API_KEY`,
    `import { env as variables } from 'process'; () => variables.EXA_API_KEY`,
    `import runtime from 'node:process'; () => runtime.env.EXA_API_KEY`,
    `import * as runtime from 'node:process'; () => runtime.env.EXA_API_KEY`,
    `() => { const { env } = require('process'); return env.EXA_API_KEY; }`,
    `() => require('node:process').env.EXA_API_KEY`,
    `() => { const env = process.env; return env.EXA_API_KEY; }`,
    `class A { key = process.env.EXA_API_KEY }`,
    `class A { get() { return process.env.EXA_API_KEY } }`,
    `export default () => <p>{process.env.EXA_API_KEY}</p>`,
  ])('%s', (source) => {
    expect(kinds(source, 'file.tsx')).toEqual(['read EXA_API_KEY']);
  });

  it.each([
    `const { EXA_API_KEY } = process.env`,
    `(async () => { await use(process.env.EXA_API_KEY); })()`,
    `class A { static key = process.env.EXA_API_KEY }`,
    `class A { static { use(process.env.EXA_API_KEY) } }`,
    `if (process.env.EXA_API_KEY) start()`,
  ])('while the module loads: %s', (source) => {
    expect(kinds(source)).toEqual(['read-at-load EXA_API_KEY']);
  });

  it('and writes, computed names, kept environments', () => {
    expect(kinds(`() => { process.env.EXA_API_KEY = key; delete process.env['EXA_API_KEY']; }`)).toEqual([
      'write EXA_API_KEY',
      'write EXA_API_KEY',
    ]);
    expect(kinds(`() => process.env[name]`)).toEqual(['read-by-name process.env[…]']);
    const kept = `const env = process.env; const { env: other } = process; () => other.EXA_API_KEY;`;
    expect(kinds(kept)).toEqual(['captured env', 'captured env', 'read EXA_API_KEY']);
  });

  it.each([
    `process.env.NODE_ENV; process.env.OPENAI_BASE_URL`,
    `import.meta.env.OPENAI_API_KEY`,
    `settings.env.OPENAI_API_KEY; env.OPENAI_API_KEY; ({ env: { OPENAI_API_KEY: 1 } })`,
    `// process.env.OPENAI_API_KEY\nconst text = 'process.env.OPENAI_API_KEY'`,
    `type Env = typeof process.env; interface X { OPENAI_API_KEY: string }`,
    `await withUserKeys(user, async (keys) => keys.get('openai'))`,
  ])('leaves alone %s', (source) => {
    expect(kinds(source)).toEqual([]);
  });
});

describe('SDK clients', () => {
  it.each([
    [`import OpenAI from 'openai'; const client = new OpenAI();`, 'openai'],
    [`import { OpenAI as Client } from 'openai'; export const client = new Client({});`, 'openai'],
    [`import * as sdk from '@anthropic-ai/sdk'; export default new sdk.Anthropic();`, '@anthropic-ai/sdk'],
    [`const { GoogleGenAI } = require('@google/genai'); const ai = new GoogleGenAI({});`, '@google/genai'],
    [`const OpenAI = require('openai'); module.exports = { client: new OpenAI() };`, 'openai'],
    [`import { tavily } from '@tavily/core'; const search = tavily();`, '@tavily/core'],
    [`import { ChatOpenAI } from '@langchain/openai'; const model = new ChatOpenAI();`, '@langchain/openai'],
    [`import OpenAI from 'openai'; class A { static client = new OpenAI(); }`, 'openai'],
  ])('at module level: %s', (source, what) => {
    expect(kinds(source)).toEqual([`client-at-load ${what}`]);
  });

  it.each([
    `let client; const get = () => (client ??= new OpenAI());`,
    `let client: OpenAI | undefined; function get() { if (!client) client = new OpenAI(); return client; }`,
    `let client; async function get() { client = client ?? (await new OpenAI()); }`,
    `const clients = new Map(); const get = (user) => clients.set(user, new OpenAI());`,
    `const clients = {}; const get = (user) => { clients[user] ||= new OpenAI(); };`,
  ])('kept from a function: %s', (source) => {
    expect(kinds(`import OpenAI from 'openai'; ${source}`)).toEqual(['client-kept openai']);
  });

  it.each([
    `import OpenAI from 'openai'; export const handler = async () => new OpenAI().responses.create({});`,
    `import OpenAI from 'openai'; function make() { const client = new OpenAI(); return client; }`,
    `import type OpenAI from 'openai'; let client: OpenAI;`,
    `import { OpenAI } from './openai.ts'; const client = new OpenAI();`,
    `import { createOpenAI } from '@ai-sdk/openai'; const provider = createOpenAI();`,
    `import { tool } from '@langchain/core/tools'; const search = tool(run, {});`,
  ])('leaves alone %s', (source) => {
    expect(kinds(source)).toEqual([]);
  });
});

it.each([
  [`import pLimit from 'p-limit'; const limit = pLimit(4);`, 'queue p-limit'],
  [`import PQueue from 'p-queue'; const queue = new PQueue();`, 'queue p-queue'],
  [`import async from 'async'; const queue = async.queue(work, 2);`, 'queue async'],
  [`import memoize from 'memoizee'; const ask = memoize(askModel);`, 'memoised memoizee'],
  [`import _ from 'lodash'; const ask = _.memoize(askModel);`, 'memoised lodash'],
  [`import { memoize } from 'lodash-es'; const ask = memoize(askModel);`, 'memoised lodash-es'],
  [`import DataLoader from 'dataloader'; const loader = new DataLoader(load);`, 'memoised dataloader'],
  [
    `import { unstable_cache } from 'next/cache'; const ask = unstable_cache(askModel);`,
    'memoised next/cache',
  ],
  [`import pg from 'pg'; const pool = new pg.Pool();`, 'driver pg'],
  [`import { Client } from 'pg'; const client = new Client();`, 'driver pg'],
  [`const { Pool } = require('pg'); const pool = new Pool();`, 'driver pg'],
  [`import mysql from 'mysql2'; const pool = mysql.createPool(url);`, 'driver mysql2'],
  [`import * as mysql from 'mysql'; const connection = mysql.createConnection(url);`, 'driver mysql'],
  [`import Redis from 'ioredis'; const redis = new Redis(url);`, 'driver ioredis'],
  [`import { createClient } from 'redis'; const redis = createClient({ url });`, 'driver redis'],
  [`import { MongoClient } from 'mongodb'; const mongo = new MongoClient(url);`, 'driver mongodb'],
  [`import mongoose from 'mongoose'; const connection = mongoose.createConnection(url);`, 'driver mongoose'],
  [`import knex from 'knex'; const db = knex({ client: 'pg' });`, 'driver knex'],
  [`import sql from 'mssql'; const pool = new sql.ConnectionPool(url);`, 'driver mssql'],
  [`import { EventEmitter } from 'node:events'; const bus = new EventEmitter();`, 'emitter node:events'],
])('what requests share: %s', (source, expected) => {
  expect(kinds(source)).toEqual([expected]);
  expect(
    kinds(source.replace(/const (\w+) = (.*);/, 'function make() { const $1 = $2; return $1; }')),
  ).toEqual([]);
});

it('a database connection that is kept from a function', () => {
  const source = `import pg from 'pg'; let pool; const get = () => (pool ??= new pg.Pool());`;
  expect(kinds(source)).toEqual(['driver pg']);
});

it('leaves alone a driver that only has promises', () => {
  expect(kinds(`import mysql from 'mysql2/promise'; const pool = mysql.createPool(url);`)).toEqual([]);
});

it('says that it could not parse a file, and parses JavaScript of every age', () => {
  expect(scan('const const')).toBeUndefined();
  expect(kinds(`with (x) {} var key = process.env.EXA_API_KEY`, 'old.cjs')).toEqual([
    'read-at-load EXA_API_KEY',
  ]);
  expect(kinds(`export const A = () => <a>{process.env.EXA_API_KEY}</a>`, 'a.js')).toEqual([
    'read EXA_API_KEY',
  ]);
});
