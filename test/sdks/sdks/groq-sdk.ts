import Groq, { toFile } from 'groq-sdk';
import { json } from '../../support/answers.ts';
import { bytes } from '../harness/emulate.ts';
import { BINARY, FILE, sdk } from '../harness/run-case.ts';
import { lacks } from '../harness/sdk.ts';
import { groq as snippet } from '../snippets/groq-sdk.ts';

const question = { model: 'openai/gpt-oss-20b', messages: [{ role: 'user' as const, content: 'Hello' }] };

export const groq = sdk({
  name: 'groq-sdk',
  package: 'groq-sdk',
  provider: 'groq',
  snippet,
  read: (answer) => answer.choices[0]?.message.content,
  call: async (client, signal) =>
    (await client.chat.completions.create(question, { signal })).choices[0]?.message.content,
  stream: {
    async *run(client) {
      const stream = await client.chat.completions.create({ ...question, stream: true });
      for await (const chunk of stream) yield chunk.choices[0]?.delta.content ?? undefined;
    },
  },
  error: {
    is: (error) => error instanceof Groq.BadRequestError,
    status: (error) => error instanceof Groq.BadRequestError && error.status,
  },
  abort: 'signal',
  retry: 'retries',
  freshToken: lacks('`apiKey` is a string (a function’s source text would be sent)'),
  upload: {
    answers: [json({ text: 'Hello' })],
    run: async (client) =>
      (await client.audio.transcriptions.create({ model: 'whisper', file: await toFile(FILE, 'a.wav') }))
        .text,
    gives: 'Hello',
  },
  binary: {
    answers: [bytes('audio/wav', BINARY)],
    run: async (client) =>
      (await client.audio.speech.create({ model: 'tts', voice: 'v', input: 'Hello' })).arrayBuffer(),
  },
  poll: lacks('no call of the SDK waits for a job'),
  pages: lacks('no paged lists'),
});
