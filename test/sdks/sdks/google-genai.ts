import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApiError } from '@google/genai';
import { json } from '../../support/answers.ts';
import { bytes, fromAimock } from '../harness/emulate.ts';
import { uploadStarted } from '../harness/google-upload.ts';
import { BINARY, FILE, sdk } from '../harness/run-case.ts';
import { lacks } from '../harness/sdk.ts';
import { googleGenai as snippet } from '../snippets/google-genai.ts';

const question = { model: 'gemini-flash-latest', contents: 'Hello' };

/** The SDK asks v1; aimock speaks the same at v1beta. */
const atBeta = (path: string) => path.replace(/^\/v1\//, '/v1beta/');

export const googleGenai = sdk({
  name: '@google/genai',
  package: '@google/genai',
  provider: 'gemini',
  snippet,
  answer: ({ aimock }) => fromAimock(aimock, { path: atBeta }),
  read: (answer) => answer.text,
  call: async (client, signal) =>
    (await client.models.generateContent({ ...question, config: signal ? { abortSignal: signal } : {} }))
      .text,
  stream: {
    async *run(client, signal) {
      const config = signal ? { abortSignal: signal } : {};
      for await (const chunk of await client.models.generateContentStream({ ...question, config })) {
        yield chunk.text;
      }
    },
    answer: (gate, { aimock }) => fromAimock(aimock, { gate, path: atBeta }),
  },
  error: {
    body: { error: { code: 400, message: 'Bad model', status: 'INVALID_ARGUMENT' } },
    is: (error) => error instanceof ApiError,
    status: (error) => error instanceof ApiError && error.status,
  },
  abort: 'signal',
  retry: lacks('off unless `httpOptions.retryOptions` is set (dist/node/index.mjs:13993)'),
  freshToken: lacks('`apiKey` is a string'),
  upload: {
    answers: [
      uploadStarted,
      json({ file: { name: 'files/1', mimeType: 'text/plain' } }, 200, { 'x-goog-upload-status': 'final' }),
    ],
    run: async (client) =>
      (await client.files.upload({ file: new Blob([FILE]), config: { mimeType: 'text/plain' } })).name,
    gives: 'files/1',
  },
  binary: {
    answers: [bytes('video/mp4', BINARY)],
    run: async (client) => {
      const directory = await mkdtemp(join(tmpdir(), 'userkeys-'));
      try {
        const downloadPath = join(directory, 'a.mp4');
        await client.files.download({ file: 'files/1', downloadPath });
        return await readFile(downloadPath);
      } finally {
        await rm(directory, { recursive: true });
      }
    },
  },
  poll: lacks('the caller asks again by itself (`operations.get…`)'),
  pages: {
    answers: [
      json({ models: [{ name: 'models/a' }, { name: 'models/b' }], nextPageToken: 'p2' }),
      json({ models: [{ name: 'models/c' }] }),
    ],
    run: async (client) => {
      const names: (string | undefined)[] = [];
      for await (const { name } of await client.models.list({ config: { pageSize: 2 } })) names.push(name);
      return names;
    },
    gives: ['models/a', 'models/b', 'models/c'],
  },
});
