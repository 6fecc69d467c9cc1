import Together, { toFile } from 'together-ai';
import { json } from '../../support/answers.ts';
import { bytes } from '../harness/emulate.ts';
import { BINARY, FILE, sdk } from '../harness/run-case.ts';
import { lacks } from '../harness/sdk.ts';
import { together as snippet } from '../snippets/together-ai.ts';

const question = { model: 'openai/gpt-oss-20b', messages: [{ role: 'user' as const, content: 'Hello' }] };

export const together = sdk({
  name: 'together-ai',
  package: 'together-ai',
  provider: 'together',
  snippet,
  read: (answer) => answer.choices[0]?.message?.content,
  call: async (client, signal) =>
    (await client.chat.completions.create(question, { signal })).choices[0]?.message?.content,
  stream: {
    async *run(client) {
      const stream = await client.chat.completions.create({ ...question, stream: true });
      for await (const chunk of stream) yield chunk.choices[0]?.delta.content ?? undefined;
    },
  },
  error: {
    is: (error) => error instanceof Together.BadRequestError,
    status: (error) => error instanceof Together.BadRequestError && error.status,
  },
  abort: 'signal',
  retry: 'retries',
  freshToken: lacks('`apiKey` is a string (a function’s source text would be sent)'),
  upload: {
    answers: [json({ text: 'Hello' })],
    run: async (client) => {
      const file = await toFile(FILE, 'a.wav');
      const transcription = await client.audio.transcriptions.create({
        model: 'openai/whisper-large-v3',
        file,
      });
      return transcription.text;
    },
    gives: 'Hello',
  },
  binary: {
    answers: [bytes('audio/wav', BINARY)],
    run: async (client) => {
      const speech = await client.audio.speech.create({
        model: 'cartesia/sonic',
        voice: 'v',
        input: 'Hello',
      });
      return speech.arrayBuffer();
    },
  },
  poll: lacks('no call of the SDK waits for a job'),
  pages: lacks('no paged lists'),
});
