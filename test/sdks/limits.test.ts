/** A file that is too large for the platform, as SDKs and their users see it. */
import { ApiError } from '@google/genai';
import OpenAI, { toFile } from 'openai';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { uploadStarted } from './harness/google-upload.ts';
import { type Stage, startStage } from './harness/stage.ts';
import { googleGenai } from './snippets/google-genai.ts';

let stage: Stage;
const TOO_LARGE = new Uint8Array(5 * 1024 * 1024);

beforeAll(async () => {
  stage = await startStage();
});
afterAll(() => stage.close());

test('openai: a file over 4.5 MB is the SDK’s own error with the problem in it, after one try', async () => {
  const { gateway, getToken } = stage.session;
  const client = new OpenAI({ baseURL: `${gateway}/openai/v1`, apiKey: getToken });
  const file = await toFile(TOO_LARGE, 'a.bin');
  const thrown: unknown = await client.files.create({ file, purpose: 'user_data' }).catch((error) => error);
  expect(thrown).toBeInstanceOf(OpenAI.APIError);
  expect(thrown).toMatchObject({ status: 413 });
  expect(String(stage.tap.exchanges.at(-1)?.answerBody())).toContain('"code":"body_too_large"');
  expect(stage.tap.exchanges).toHaveLength(1);
});

test('genai: it sends chunks of 8 MB, so a file over 4.5 MB is refused like any other', async () => {
  const { client } = await googleGenai(stage.session);
  stage.world.providers.reset();
  stage.world.providers.answerNextWith(uploadStarted);
  const file = new Blob([TOO_LARGE]);
  const thrown: unknown = await client.files
    .upload({ file, config: { mimeType: 'video/mp4' } })
    .catch((error) => error);
  expect(thrown).toBeInstanceOf(ApiError);
  expect(thrown).toMatchObject({ status: 413 });
  expect(String(thrown)).toContain('body_too_large');
});
