import { ElevenLabsError } from '@elevenlabs/elevenlabs-js';
import { json } from '../../support/answers.ts';
import { bytes, pieces } from '../harness/emulate.ts';
import { BINARY, FILE, sdk } from '../harness/run-case.ts';
import { lacks } from '../harness/sdk.ts';
import { HELLO } from '../harness/stage.ts';
import { elevenlabs as snippet } from '../snippets/elevenlabs.ts';

const VOICE = 'JBFqnCBsd6RMkjVDRZzb';
const text = (audio: ReadableStream<Uint8Array>) => new Response(audio).text();

export const elevenlabs = sdk({
  name: '@elevenlabs/elevenlabs-js',
  package: '@elevenlabs/elevenlabs-js',
  provider: 'elevenlabs',
  snippet,
  answer: () => bytes('audio/mpeg', Buffer.from(HELLO)),
  read: (audio) => text(audio),
  call: async (client, signal) =>
    text(await client.textToSpeech.convert(VOICE, { text: 'Hello' }, signal ? { abortSignal: signal } : {})),
  stream: {
    async *run(client) {
      const decoder = new TextDecoder();
      const audio = await client.textToSpeech.stream(VOICE, { text: 'Hello' });
      for await (const chunk of audio) yield decoder.decode(chunk);
    },
    answer: (gate) => pieces('audio/mpeg', HELLO.split(/(?<= )/), gate),
  },
  error: {
    body: { detail: { status: 'invalid_uid', message: 'Bad model' } },
    is: (error) => error instanceof ElevenLabsError,
    status: (error) => error instanceof ElevenLabsError && error.statusCode,
  },
  abort: 'signal',
  retry: 'retries',
  freshToken: 'function',
  upload: {
    answers: [json({ language_code: 'en', language_probability: 1, text: 'Hello', words: [] })],
    run: async (client) => {
      const transcript = await client.speechToText.convert({ modelId: 'scribe_v1', file: new Blob([FILE]) });
      return 'text' in transcript && transcript.text;
    },
    gives: 'Hello',
  },
  binary: {
    answers: [bytes('audio/mpeg', BINARY)],
    run: (client) => client.textToSpeech.convert(VOICE, { text: 'Hello' }),
  },
  poll: lacks('no call of the SDK waits for a job'),
  pages: lacks('page tokens are the caller’s own'),
});
