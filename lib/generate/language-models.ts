/** The providers `/api/generate` speaks through, by the AI SDK. A client is made for one call and dropped. */
import { createAnthropic } from '@ai-sdk/anthropic';
import { createGoogle } from '@ai-sdk/google';
import { createGroq } from '@ai-sdk/groq';
import { createMistral } from '@ai-sdk/mistral';
import { createOpenAI } from '@ai-sdk/openai';
import type { LanguageModel } from 'ai';
import type { Secret } from '../secret.ts';
import type { GeneratingProvider } from '../providers/generating.ts';

// The SDK would print its advice on models and settings to the log of every deployment.
globalThis.AI_SDK_LOG_WARNINGS = false;

type Access = { readonly key: Secret; readonly base: string; readonly fetch: typeof fetch };
type Generator = {
  readonly defaultModel: string;
  readonly connect: (access: Access, model: string) => LanguageModel;
};

/** Small current models, by a moving alias where the provider has one. */
export const generators: Readonly<Record<GeneratingProvider, Generator>> = {
  gemini: {
    defaultModel: 'gemini-flash-latest',
    connect: (access, model) => createGoogle(settings(access, '/v1beta'))(model),
  },
  openai: {
    defaultModel: 'gpt-5.4-mini',
    connect: (access, model) => createOpenAI(settings(access, '/v1'))(model),
  },
  anthropic: {
    defaultModel: 'claude-haiku-4-5',
    connect: (access, model) => createAnthropic(settings(access, '/v1'))(model),
  },
  mistral: {
    defaultModel: 'mistral-small-latest',
    connect: (access, model) => createMistral(settings(access, '/v1'))(model),
  },
  groq: {
    defaultModel: 'openai/gpt-oss-20b',
    connect: (access, model) => createGroq(settings(access, '/openai/v1'))(model),
  },
};

function settings({ key, base, fetch }: Access, path: string) {
  return { apiKey: key.reveal(), baseURL: `${base}${path}`, fetch };
}
