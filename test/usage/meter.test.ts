import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bodyOf, toStream } from '../../lib/outgoing/body.ts';
import type { Answer } from '../../lib/outgoing/send.ts';
import { parseEnd } from '../../lib/usage/json-end.ts';
import { type Metered, meterAnswer } from '../../lib/usage/meter.ts';

const MEBIBYTE = 1024 * 1024;
const EVENTS = 'text/event-stream; charset=utf-8';
const JSON_TYPE = 'application/json';
const usage = { prompt_tokens: 12, completion_tokens: 34 };
const tokens = { input: 12, output: 34 };
const nothing = { tokens: undefined, model: undefined };

/** The bytes of a text, in chunks of one size. */
function* pieces(text: string, size: number): Generator<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length; at += size) yield bytes.slice(at, at + size);
}

function streamOf(chunks: Iterable<Uint8Array>): ReadableStream<Uint8Array> {
  const iterator = chunks[Symbol.iterator]();
  return new ReadableStream({
    pull(controller) {
      const { done, value } = iterator.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
  });
}

function answerOf(
  type: string,
  chunks: Iterable<Uint8Array>,
  more: { status?: number; encoding?: string } = {},
) {
  const headers = new Headers({ 'content-type': type, 'content-encoding': more.encoding ?? 'identity' });
  return { status: more.status ?? 200, headers, body: bodyOf(streamOf(chunks)) };
}

/** The answer as the gateway passes it on. */
function passedOn(metered: { readonly answer: Answer } | undefined): Response {
  return new Response(metered && toStream(metered.answer.body, metered.answer.readAhead));
}

/** The metered counts. Also checks that the answer itself passes unchanged. */
async function meter(type: string, text: string, size = text.length + 1): Promise<Metered> {
  const metered = meterAnswer(answerOf(type, pieces(text, size)));
  expect(Buffer.from(await passedOn(metered).bytes()).toString()).toBe(text);
  return (await metered?.metered) ?? nothing;
}

const sse = (value: unknown) => `data: ${JSON.stringify(value)}\n\n`;

describe('server-sent events', () => {
  const text = `: hi\n\nevent: a\nid: 7\n${sse({ model: 'm-é', x: 'é🔑' })}${sse({ model: 'm-1' })}${sse({ usage })}data: [DONE]\n\n`;

  test.each(['\n', '\r\n', '\r'])('are read in chunks of any size, with line end %j', async (end) => {
    for (const size of [1, 2, 3, 7, 64, 10_000]) {
      expect(await meter(EVENTS, text.replaceAll('\n', end), size)).toEqual({ tokens, model: 'm-1' });
    }
  });

  test.each([
    ['a byte order mark before it', `\ufeff${sse({ usage })}`],
    ['no space after the colon', `data:{"usage":${JSON.stringify(usage)}}\n\n`],
    ['data on several lines', `data: {"usage":\ndata: ${JSON.stringify(usage)}\ndata: }\n\n`],
    ['no final blank line', `data: {"usage":${JSON.stringify(usage)}}`],
    ['an event before it that is not JSON', `data: "_tokens"\n\n${sse({ usage })}`],
    [
      'an event before it without counts',
      sse({ usage: { prompt_tokens: 1 } }) + sse({ usage: null }) + sse({ usage }),
    ],
  ])('are counted with %s', async (_what, stream) => {
    expect(await meter(EVENTS, stream)).toEqual({ tokens, model: undefined });
  });

  test('are merged, and the last count of each kind is used', async () => {
    const start = {
      type: 'message_start',
      message: { model: 'm-1', usage: { input_tokens: 7, output_tokens: 1 } },
    };
    const stream = sse(start) + sse({ usage: { output_tokens: 5 } }) + sse({ usage: { output_tokens: 9 } });
    expect(await meter(EVENTS, stream)).toEqual({ tokens: { input: 7, output: 9 }, model: 'm-1' });
  });

  test.each([
    ['text about usage', sse({ delta: { content: '"usage":{"prompt_tokens":999}' } })],
    ['usage in another member', sse({ output: [{ usage: { prompt_tokens: 999 } }] })],
    ['a comment', `: {"usage":{"prompt_tokens":999}}\n\n`],
    ['another field', `event: {"usage":{"prompt_tokens":999}}\n\n`],
    ['a negative count', sse({ usage: { prompt_tokens: -1 } })],
  ])('are not counted for %s', async (_what, stream) => {
    expect((await meter(EVENTS, stream)).tokens).toBeUndefined();
  });

  test('that contain a whole image are read', async () => {
    const image = 'A'.repeat(3 * MEBIBYTE);
    expect(await meter(EVENTS, sse({ b64_json: image, usage }), 65_536)).toMatchObject({ tokens });
  });

  test.each(['\n', '\r\n'])(
    'are skipped if they are too long, and the next one is counted: %j',
    async (end) => {
      const tooLong = sse({ b64_json: 'A'.repeat(5 * MEBIBYTE), usage: { prompt_tokens: 999 } });
      const stream = `${tooLong}${sse({ usage })}data: `.replaceAll('\n', end);
      for (const size of [1000, 65_536, 3 * MEBIBYTE])
        expect(await meter(EVENTS, stream, size)).toMatchObject({ tokens });
    },
  );

  test.each(['A', 'é', '🔑', '\\n', '\\u00e9', '\\"', '\\\\'])(
    'that contain a long string with %j in it are read, however they are cut',
    async (text) => {
      const figures = `"usage":${JSON.stringify(usage)},"model":"m"`;
      for (let start = 8_170; start < 8_192; start += 1) {
        const string = 'A'.repeat(start) + text + 'A'.repeat(20_000);
        const event = `data: {"text":"${string}",${figures},"more":"${'A'.repeat(20_000)}"}\n\n`;
        expect(await meter(EVENTS, event, 4_096)).toEqual({ tokens, model: 'm' });
      }
    },
  );

  test('with many values are not parsed, whatever the kind of line end', async () => {
    const many = `event: "\rdata: {"usage":${JSON.stringify(usage)},"data":[${'[],'.repeat(30_000)}1]}\r\r`;
    expect(await meter(EVENTS, many, 1_000)).toEqual(nothing);
    expect(await meter(EVENTS, `${many}${sse({ usage })}`.replaceAll('\r', '\n'), 1_000)).toMatchObject({
      tokens,
    });
  });

  test('that are not JSON stop the reading when there are many of them', async () => {
    const broken = 'data: {"usage":{"prompt_tokens":1,}}\n\n';
    expect(await meter(EVENTS, broken.repeat(100) + sse({ usage }), 1_000)).toMatchObject({ tokens });
    expect(await meter(EVENTS, broken.repeat(102) + sse({ usage }), 1_000)).toEqual(nothing);
  });

  test('that never end use a limited amount of memory', async () => {
    const metered = meterAnswer(
      answerOf(
        EVENTS,
        (function* () {
          yield new TextEncoder().encode(`${sse({ usage })}data: {"usage":{"prompt_tokens":999},"a":"`);
          for (let sent = 0; sent < 300 * MEBIBYTE; sent += MEBIBYTE) yield new Uint8Array(MEBIBYTE).fill(97);
        })(),
      ),
    );
    let most = 0;
    for await (const _chunk of passedOn(metered).body ?? [])
      most = Math.max(most, process.memoryUsage().heapUsed);
    expect(await metered?.metered).toMatchObject({ tokens });
    expect(most).toBeLessThan(200 * MEBIBYTE);
  });

  test('that only keep the connection open do not count towards the event limit', async () => {
    const pings = `: ${'x'.repeat(1000)}\n\n`.repeat(10_000);
    expect(await meter(EVENTS, pings + sse({ usage }), 1004 * 64)).toMatchObject({ tokens });
  });
});

describe('JSON', () => {
  test.each([
    ['a duplicate member: the last one', `{"usage":{"prompt_tokens":1},"usage":${JSON.stringify(usage)}}`],
    [
      'an array: the last element with counts',
      JSON.stringify([{ usage: { prompt_tokens: 1 } }, { usage }, {}]),
    ],
    ['white space and a byte order mark', `\ufeff \n{ "usage" : ${JSON.stringify(usage, null, 2)} }\n`],
    ['Groq', JSON.stringify({ x_groq: { usage } })],
    ['Cohere', JSON.stringify({ usage: { tokens: { input_tokens: 12, output_tokens: 34 } } })],
  ])('is counted with %s', async (_what, text) => {
    for (const size of [1, 5, 10_000]) expect(await meter(JSON_TYPE, text, size)).toMatchObject({ tokens });
  });

  test.each([
    ['counts that are nested', JSON.stringify({ output: { usage } })],
    ['a truncated answer', JSON.stringify({ usage, a: 1 }).slice(0, -1)],
    ['text that is not JSON', `"_tokens" ${JSON.stringify({ usage })}`],
    ['a million open brackets', `{"_tokens":${'['.repeat(1_000_000)}`],
    ['a million nested arrays', `{"_tokens":${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}}`],
    ['nested objects', `${'{"usage":'.repeat(50_000)}{"a_tokens":1}${'}'.repeat(50_000)}`],
    ['counts that are not whole numbers', '{"usage":{"prompt_tokens":"12","completion_tokens":1.5}}'],
    ['an empty body', ''],
  ])('has no counts in %s', async (_what, text) => {
    expect((await meter(JSON_TYPE, text, 65_536)).tokens).toBeUndefined();
  });

  test.each([
    ['application/x-ndjson', '\n'],
    ['application/jsonl', '\r\n'],
    ['application/json-seq', '\u001e'],
  ])('in %s is counted with the last text that has counts', async (type, separator) => {
    const texts = [{ model: 'm-1' }, { usage: { prompt_tokens: 1 } }, { usage }, { text: '"_tokens"' }];
    const text = texts.map((value) => separator + JSON.stringify(value) + separator).join('');
    for (const size of [1, 10_000]) expect(await meter(type, text, size)).toEqual({ tokens, model: 'm-1' });
    const long = JSON.stringify({ text: 'é'.repeat(MEBIBYTE) }) + separator;
    expect(await meter(type, long + text, 65_536)).toMatchObject({ tokens });
  });

  test('is not read in failures, other content types and compressed answers', async () => {
    expect(meterAnswer(answerOf(JSON_TYPE, [], { status: 400 }))).toBeUndefined();
    for (const answer of [answerOf('text/plain', []), answerOf(JSON_TYPE, [], { encoding: 'gzip' })]) {
      const metered = meterAnswer(answer);
      await metered?.answer.body.cancel();
      // Only its end is seen.
      expect(await metered?.metered).toEqual({ tokens: undefined, model: undefined });
    }
  });
});

describe('an answer with very many values', () => {
  const many = '[],'.repeat(30_000);

  test('is read from its end', async () => {
    const text = `{"data":[${many}1],"model":"m-1","usage":${JSON.stringify(usage)}}`;
    expect(await meter(JSON_TYPE, text, 65_536)).toEqual({ tokens, model: 'm-1' });
  });

  test('is not parsed as a whole', async () => {
    const first = `{"model":"m-1","usage":${JSON.stringify(usage)},"data":[${many}1]}`;
    expect(await meter(JSON_TYPE, first, 65_536)).toEqual(nothing);
    expect(await meter(EVENTS, `data: ${first}\n\n`, 65_536)).toEqual(nothing);
    expect(await meter('application/x-ndjson', `${first}\n`, 65_536)).toEqual(nothing);
  });

  test('keeps the counts of the last whole element of an array that is cut off', async () => {
    const element = { usageMetadata: { promptTokenCount: 3 }, modelVersion: 'gemini-a' };
    const text = `[{"a":[${many}1]},${JSON.stringify(element)},{"candidates":[`;
    const cut = (function* () {
      yield* pieces(text, 65_536);
      throw new Error('connection lost');
    })();
    const metered = meterAnswer(answerOf(JSON_TYPE, cut));
    await expect(passedOn(metered).text()).rejects.toThrow();
    expect(await metered?.metered).toEqual({ tokens: { input: 3 }, model: 'gemini-a' });
  });
});

describe('a JSON answer that exceeds the buffer', () => {
  const long = 'é'.repeat(2 * MEBIBYTE);

  test.each([65_536, 5 * MEBIBYTE])(
    'is counted with the counts at its end, in chunks of %i bytes',
    async (size) => {
      const answer = {
        data: [{ b64_json: long, usage: { prompt_tokens: 1 } }],
        model: 'm-1',
        usage,
        id: 'x',
      };
      expect(await meter(JSON_TYPE, JSON.stringify(answer), size)).toEqual({ tokens, model: 'm-1' });
      expect(await meter(JSON_TYPE, `${JSON.stringify(answer, null, 2)}\n`, size)).toMatchObject({ tokens });
      expect(await meter(JSON_TYPE, JSON.stringify([{ a: long }, { usage }]), size)).toMatchObject({
        tokens,
      });
    },
  );

  test.each([
    ['counts at its start', { usage, data: long }],
    ['counts that are nested', { data: long, x: { usage } }],
    ['text about counts', { data: `${long},"usage":{"prompt_tokens":999}}` }],
    ['a name with the same ending', { data: long, ',"usage': usage }],
  ])('is a call without counts if it has %s', async (_what, answer) => {
    expect(await meter(JSON_TYPE, JSON.stringify(answer), 65_536)).toEqual(nothing);
  });

  test.each([
    ['between two elements', ',\n'],
    ['inside of the next element', ',\n{"candidates":[{"content":{"parts":[{"text":"He'],
  ])('keeps the counts of an array that is cut off %s', async (_what, rest) => {
    const element = {
      usageMetadata: { promptTokenCount: 3, candidatesTokenCount: 5 },
      modelVersion: 'gemini-a',
    };
    const cut = (function* () {
      yield* pieces(`[${JSON.stringify(element)}${rest}`, 65_536);
      throw new Error('connection lost');
    })();
    const metered = meterAnswer(answerOf(JSON_TYPE, cut));
    await expect(passedOn(metered).text()).rejects.toThrow();
    expect(await metered?.metered).toEqual({ tokens: { input: 3, output: 5 }, model: 'gemini-a' });
  });

  test('is read line by line if it is several JSON texts', async () => {
    const text = `{"model":"a"}\n${JSON.stringify({ model: 'm', usage })}\n`;
    expect(await meter(JSON_TYPE, text, 65_536)).toEqual({ tokens: { input: 12, output: 34 }, model: 'm' });
  });

  test('is a call without counts if it is truncated after a nested object', async () => {
    const text = `{"data":"${long}","x":{"usage":${JSON.stringify(usage)}}`;
    const cut = (function* () {
      yield* pieces(text, 65_536);
      throw new Error('connection lost');
    })();
    const metered = meterAnswer(answerOf(JSON_TYPE, cut));
    await expect(passedOn(metered).text()).rejects.toThrow();
    expect(await metered?.metered).toEqual(nothing);
  });

  test('never uses a member that is not in the outermost object', () => {
    const name = fc.constantFrom('usage', 'model', 'usageMetadata', 'a', ',"usage":{', '{"model":"x"', '\\');
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        name,
        fc.integer(),
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(name, tie('value'), { maxKeys: 4 }),
      ),
    }));
    fc.assert(
      fc.property(fc.dictionary(name, value), fc.boolean(), fc.constantFrom(0, 2), (root, isArray, space) => {
        const end = parseEnd(JSON.stringify(isArray ? [{ a: 1 }, root] : root, null, space));
        const last = Array.isArray(end) ? end.at(-1) : end;
        if (end !== undefined) expect(root).toMatchObject(last);
      }),
      { numRuns: 2000 },
    );
  });
});

test('a call whose caller disconnects is counted with what was read until then', async () => {
  const chunks = pieces(sse({ usage }) + sse({ usage: { prompt_tokens: 999 } }), sse({ usage }).length);
  const controller = new AbortController();
  const metered = meterAnswer(answerOf(EVENTS, chunks), controller.signal);
  await metered?.answer.body.read();
  controller.abort();
  expect(await metered?.metered).toMatchObject({ tokens });
});

test('a streamed array whose caller disconnects is counted with the elements until then', async () => {
  const first = new TextEncoder().encode(`[${JSON.stringify({ usage })}`);
  const body = new ReadableStream<Uint8Array>({ start: (controller) => controller.enqueue(first) });
  const metered = meterAnswer({ ...answerOf(JSON_TYPE, []), body: bodyOf(body) });
  await metered?.answer.body.read();
  await metered?.answer.body.cancel();
  expect(await metered?.metered).toMatchObject({ tokens });
});

test('a short answer is read completely before the caller reads it', async () => {
  const metered = meterAnswer(answerOf(JSON_TYPE, pieces(JSON.stringify({ usage }), 100)));
  passedOn(metered);
  expect(await metered?.metered).toMatchObject({ tokens });
});
