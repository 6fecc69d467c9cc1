import OpenAI, { toFile } from 'openai';
import { json } from '../../support/answers.ts';
import { bytes } from '../harness/emulate.ts';
import { BINARY, FILE, sdk } from '../harness/run-case.ts';
import { openai as snippet } from '../snippets/openai.ts';

const messages = [{ role: 'user' as const, content: 'Hello' }];
const file = (id: string, status = 'processed') => ({ id, object: 'file', status });

export const openai = sdk({
  name: 'openai',
  package: 'openai',
  provider: 'openai',
  snippet,
  read: (answer) => answer.output_text,
  call: async (client, signal) => {
    const completion = await client.chat.completions.create({ model: 'gpt-5.4-mini', messages }, { signal });
    return completion.choices[0]?.message.content;
  },
  stream: {
    async *run(client) {
      const stream = await client.chat.completions.create({ model: 'gpt-5.4-mini', messages, stream: true });
      for await (const chunk of stream) yield chunk.choices[0]?.delta.content ?? undefined;
    },
  },
  error: {
    is: (error) => error instanceof OpenAI.BadRequestError,
    status: (error) => error instanceof OpenAI.BadRequestError && error.status,
  },
  abort: 'signal',
  retry: 'retries',
  freshToken: 'function',
  upload: {
    answers: [json(file('file-1'))],
    run: async (client) =>
      (await client.files.create({ file: await toFile(FILE, 'a.bin'), purpose: 'user_data' })).id,
    gives: 'file-1',
  },
  binary: {
    answers: [bytes('audio/mpeg', BINARY)],
    run: async (client) =>
      (await client.audio.speech.create({ model: 'tts-1', voice: 'alloy', input: 'Hello' })).arrayBuffer(),
  },
  poll: {
    answers: [json(file('file-1', 'uploaded')), json(file('file-1', 'uploaded')), json(file('file-1'))],
    run: async (client) => (await client.files.waitForProcessing('file-1', { pollInterval: 5 })).status,
    gives: 'processed',
  },
  pages: {
    answers: [
      json({ object: 'list', data: [file('file-1'), file('file-2')], has_more: true }),
      json({ object: 'list', data: [file('file-3')], has_more: false }),
    ],
    run: async (client) => {
      const ids: string[] = [];
      for await (const { id } of client.files.list()) ids.push(id);
      return ids;
    },
    gives: ['file-1', 'file-2', 'file-3'],
  },
});
