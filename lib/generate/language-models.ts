/** The models of `/api/generate`, through the AI SDK. A client is made for one call and not kept. */
import { createAnthropic } from '@ai-sdk/anthropic';
import { createGoogle } from '@ai-sdk/google';
import { createGroq } from '@ai-sdk/groq';
import { createMistral } from '@ai-sdk/mistral';
import { createOpenAI } from '@ai-sdk/openai';
import type { LanguageModel } from 'ai';
import type { GeneratingProvider } from '../providers/catalogue.ts';
import type { Secret } from '../secret.ts';

// Otherwise the SDK prints advice on models and settings to the log of every deployment.
globalThis.AI_SDK_LOG_WARNINGS = false;

type Access = { readonly key: Secret; readonly base: string; readonly fetch: typeof fetch };
type LanguageModels = {
  readonly defaultModel: string;
  readonly connect: (access: Access, model: string) => LanguageModel;
};

/** Small current models. Where the provider has an alias for its latest model, the alias. */
export const languageModels: Readonly<Record<GeneratingProvider, LanguageModels>> = {
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
