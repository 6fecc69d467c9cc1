/**
 * The token counts and the model in a provider's answer, in the names each provider uses. Counts are taken over as
 * they are. What a provider does not report stays undefined.
 */
import { z } from 'zod';
import { toModelName } from './model-name.ts';

/**
 * `cachedInput` is a part of `input` (OpenAI, Gemini); `cacheRead` and `cacheWrite` come beside it (Anthropic).
 */
export const tokenKinds = ['input', 'output', 'cachedInput', 'cacheRead', 'cacheWrite'] as const;
export type TokenKind = (typeof tokenKinds)[number];
export type TokenFigures = { readonly [kind in TokenKind]?: number };

export type Metered = {
  /** Undefined: the provider reported none. */
  readonly tokens: TokenFigures | undefined;
  /** The model that answered. */
  readonly model: string | undefined;
};

/** Whether a JSON text can hold token counts. Every count below has a name that ends in one of these. */
export function mayHoldTokens(text: string): boolean {
  return text.includes('_tokens"') || text.includes('TokenCount"');
}

/** Whether a JSON text can name the model that answered. */
export function mayHoldModel(text: string): boolean {
  return text.includes('"model');
}

/** `isGemini`: the counts are Gemini's. Each event of its streams repeats all of them. */
type Figures = Metered & { readonly isGemini: boolean };

/** Reads one answer or one event, parsed from JSON. */
export function readFigures(root: unknown): Figures {
  const metadata = readGeminiUsage(memberOf(root, 'usageMetadata'));
  return { tokens: metadata ?? readUsage(root), model: readModel(root), isGemini: metadata !== undefined };
}

const count = z.int().nonnegative().optional().catch(undefined);
const details = z.object({ cached_tokens: count }).optional().catch(undefined);

/** OpenAI Chat Completions, and the many providers with the same format. */
const chatUsage = z
  .object({ prompt_tokens: count, completion_tokens: count, prompt_tokens_details: details })
  .transform((usage) => ({
    input: usage.prompt_tokens,
    output: usage.completion_tokens,
    cachedInput: usage.prompt_tokens_details?.cached_tokens,
  }));

/** OpenAI Responses and Anthropic Messages. They differ only in where cached tokens stand. */
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

/** Gemini bills thoughts as output and the results of tools as input. All four add up to its total. */
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

/** Members that may hold `usage`, beside the root: OpenAI Responses, Anthropic, Cohere, Groq. */
const USAGE_PARENTS = ['response', 'message', 'delta', 'x_groq'];

function readUsage(root: unknown): TokenFigures | undefined {
  for (const parent of [root, ...USAGE_PARENTS.map((name) => memberOf(root, name))]) {
    const usage = memberOf(parent, 'usage');
    if (typeof usage !== 'object' || usage === null) continue;
    // The format is chosen by a name before it is parsed: a schema that fails costs more than one that fits.
    const schema = 'prompt_tokens' in usage ? chatUsage : messageUsage;
    // Cohere has the counts one level deeper.
    const figures = reported(schema.safeParse(memberOf(usage, 'tokens') ?? usage).data);
    if (figures !== undefined) return figures;
  }
  return undefined;
}

function readGeminiUsage(metadata: unknown): TokenFigures | undefined {
  return metadata === undefined ? undefined : reported(geminiUsage.safeParse(metadata).data);
}

/** OpenAI and most others, Gemini, OpenAI Responses, Anthropic. */
function readModel(root: unknown): string | undefined {
  const model =
    memberOf(root, 'model') ??
    memberOf(root, 'modelVersion') ??
    memberOf(memberOf(root, 'response'), 'model') ??
    memberOf(memberOf(root, 'message'), 'model');
  return toModelName(model);
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? Reflect.get(value, name)
    : undefined;
}

/** Only the counts that were reported; undefined when there are none. */
function reported(
  figures: { readonly [kind in TokenKind]?: number | undefined } | undefined,
): TokenFigures | undefined {
  const entries = tokenKinds.flatMap((kind) =>
    figures?.[kind] === undefined ? [] : [[kind, figures[kind]] as const],
  );
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

function sum(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined && b === undefined ? undefined : (a ?? 0) + (b ?? 0);
}
