/**
 * What providers say about tokens, in the names each of them has for it. Figures are taken over as they are; what a
 * provider does not say stays undefined.
 */
import { z } from 'zod';

/**
 * `cachedInput` is a part of `input` (OpenAI, Gemini); `cacheRead` and `cacheWrite` come beside it (Anthropic).
 */
export const tokenKinds = ['input', 'output', 'cachedInput', 'cacheRead', 'cacheWrite'] as const;
export type TokenKind = (typeof tokenKinds)[number];
export type TokenFigures = { readonly [kind in TokenKind]?: number };

/** The members of answers and events that hold figures, or the name of the model that answered. */
export const FIGURE_PATHS: ReadonlySet<string> = new Set([
  ...['usage', 'response.usage', 'message.usage', 'delta.usage', 'x_groq.usage', 'usageMetadata'],
  ...['model', 'modelVersion', 'response.model', 'message.model'],
]);

const count = z.int().nonnegative().optional().catch(undefined);
const details = z.object({ cached_tokens: count }).optional().catch(undefined);

/** OpenAI Chat Completions and those that speak like it. */
const chatUsage = z
  .object({ prompt_tokens: z.int(), completion_tokens: count, prompt_tokens_details: details })
  .transform((usage) => ({
    input: usage.prompt_tokens,
    output: usage.completion_tokens,
    cachedInput: usage.prompt_tokens_details?.cached_tokens,
  }));

/** OpenAI Responses, Anthropic Messages: one form, told apart by where each of them puts the cache. */
const messageUsage = z
  .object({
    input_tokens: count,
    output_tokens: count,
    input_tokens_details: details,
    cache_read_input_tokens: count.nullable(),
    cache_creation_input_tokens: count.nullable(),
  })
  .transform((usage) => ({
    input: usage.input_tokens,
    output: usage.output_tokens,
    cachedInput: usage.input_tokens_details?.cached_tokens,
    cacheRead: usage.cache_read_input_tokens ?? undefined,
    cacheWrite: usage.cache_creation_input_tokens ?? undefined,
  }));

/** Cohere. */
const nestedUsage = z.object({ tokens: messageUsage }).transform(({ tokens }) => tokens);

/** Gemini: thoughts are billed as output, and the results of tools as input; together they are its total. */
const geminiUsage = z
  .object({
    promptTokenCount: count,
    toolUsePromptTokenCount: count,
    candidatesTokenCount: count,
    thoughtsTokenCount: count,
    cachedContentTokenCount: count,
  })
  .transform((usage) => ({
    input: sum(usage.promptTokenCount, usage.toolUsePromptTokenCount),
    output: sum(usage.candidatesTokenCount, usage.thoughtsTokenCount),
    cachedInput: usage.cachedContentTokenCount,
  }));

const usage = z.union([chatUsage, nestedUsage, messageUsage]);

const USAGE_PATHS = ['usage', 'response.usage', 'message.usage', 'delta.usage', 'x_groq.usage'];
const MODEL_PATHS = ['model', 'modelVersion', 'response.model', 'message.model'];

/** The figures in the members of one answer or event; undefined when it has none. */
export function readFigures(members: ReadonlyMap<string, unknown>): TokenFigures | undefined {
  const metadata = geminiUsage.safeParse(members.get('usageMetadata'));
  if (metadata.success) return stated(metadata.data);
  for (const path of USAGE_PATHS) {
    const parsed = usage.safeParse(members.get(path));
    if (parsed.success) return stated(parsed.data);
  }
  return undefined;
}

/** The model an answer or event names. */
export function readModel(members: ReadonlyMap<string, unknown>): unknown {
  return MODEL_PATHS.map((path) => members.get(path)).find((model) => model !== undefined);
}

/** Only what was said; undefined when that is nothing. */
function stated(figures: { readonly [kind in TokenKind]?: number | undefined }): TokenFigures | undefined {
  const said = tokenKinds.flatMap((kind) =>
    figures[kind] === undefined ? [] : [[kind, figures[kind]] as const],
  );
  return said.length === 0 ? undefined : Object.fromEntries(said);
}

function sum(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined && b === undefined ? undefined : (a ?? 0) + (b ?? 0);
}
