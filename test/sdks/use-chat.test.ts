/** `POST /api/generate` behind the AI SDK's `useChat`: its chat without the rendering, over real HTTP. */
import { Chat } from '@ai-sdk/react';
import { DefaultChatTransport, TextStreamChatTransport, type UIMessage } from 'ai';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { json } from '../support/answers.ts';
import { createGate, fromAimock } from './harness/emulate.ts';
import { HELLO, type Stage, startStage } from './harness/stage.ts';
import { expectCleanWire } from './harness/wire.ts';

let stage: Stage;

beforeAll(async () => {
  stage = await startStage();
});
afterAll(() => stage.close());

const newChat = (body: object = { provider: 'openai' }) =>
  new Chat({
    transport: new DefaultChatTransport({
      api: `${stage.origin}/api/generate`,
      headers: async () => ({ authorization: `Bearer ${await stage.session.getToken()}` }),
      body,
    }),
  });

const textOf = (message: UIMessage | undefined) =>
  message?.parts.map((part) => (part.type === 'text' ? part.text : '')).join('');

test('two turns and a regeneration, paid by the user’s own key', async () => {
  stage.world.providers.reset();
  stage.world.providers.answerWith(fromAimock(stage.aimock), 'openai');
  const chat = newChat();
  await chat.sendMessage({ text: 'Hello' });
  expect(chat.error).toBeUndefined();
  await chat.sendMessage({ text: 'And again' });
  await chat.regenerate();
  expect(chat.error).toBeUndefined();
  expect(chat.messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'user', 'assistant']);
  expect(textOf(chat.messages.at(-1))).toBe(HELLO);
  expect(stage.world.calls).toHaveLength(3);
  expectCleanWire(stage);
});

test('the page shows the first words before the last have been sent; stop ends the provider’s call', async () => {
  stage.world.providers.reset();
  const gate = createGate();
  stage.world.providers.answerWith(fromAimock(stage.aimock, { gate }), 'openai');
  const chat = newChat();
  const sent = chat.sendMessage({ text: 'Hello' });
  await expect.poll(() => textOf(chat.messages.at(-1))?.length ?? 0).toBeGreaterThan(5);
  expect(gate.passed).toBe(false);
  await chat.stop();
  await sent;
  await stage.world.calls[0]?.left;
});

test('a refusal arrives as the chat’s error, with the problem in it', async () => {
  stage.world.providers.reset();
  stage.world.providers.answerWith(json({ error: { message: 'Slow down' } }, 429), 'openai');
  const chat = newChat();
  await chat.sendMessage({ text: 'Hello' });
  expect(chat.status).toBe('error');
  expect(chat.error?.message).toContain('provider_limited');

  const wrong = newChat({ provider: 'nobody' });
  await wrong.sendMessage({ text: 'Hello' });
  expect(wrong.error?.message).toContain('invalid_request');
});

test('plain text streams to a text transport', async () => {
  stage.world.providers.reset();
  stage.world.providers.answerWith(fromAimock(stage.aimock), 'openai');
  const chat = new Chat({
    transport: new TextStreamChatTransport({
      api: `${stage.origin}/api/generate`,
      headers: async () => ({ authorization: `Bearer ${await stage.session.getToken()}` }),
      prepareSendMessagesRequest: ({ messages }) => ({
        body: { provider: 'openai', prompt: textOf(messages.at(-1)), stream: true },
      }),
    }),
  });
  await chat.sendMessage({ text: 'Hello' });
  expect(chat.error).toBeUndefined();
  expect(textOf(chat.messages.at(-1))).toBe(HELLO);
});
