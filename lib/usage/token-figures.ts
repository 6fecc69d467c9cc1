/**
 * Reads the token counts and the model from a provider's answer, by each provider's own field names. Counts are used as
 * reported. Counts that a provider does not report stay undefined.
 */
import { toModelName } from './model-name.ts';

/** `cachedInput` is included in `input` (OpenAI, Gemini). `cacheRead` and `cacheWrite` are not (Anthropic). */
export const tokenKinds = ['input', 'output', 'cachedInput', 'cacheRead', 'cacheWrite'] as const;
export type TokenKind = (typeof tokenKinds)[number];
export type TokenFigures = { readonly [kind in TokenKind]?: number };

export type Metered = {
  /** Undefined if the provider reported none. */
  readonly tokens: TokenFigures | undefined;
  /** The model that answered. */
  readonly model: string | undefined;
};

/** The name of every count below ends in one of these, and that of a model begins with the third. */
const [MESSAGE_COUNT, GEMINI_COUNT, MODEL] = ['_tokens"', 'TokenCount"', '"model'];
const encoder = new TextEncoder();
export const TOKEN_MARKS = [encoder.encode(MESSAGE_COUNT), encoder.encode(GEMINI_COUNT)];
export const MODEL_MARKS = [encoder.encode(MODEL)];

/** Whether a JSON text may contain token counts. */
export function mayHoldTokens(text: string): boolean {
  return text.includes(MESSAGE_COUNT) || text.includes(GEMINI_COUNT);
}

/** Whether a JSON text may contain the model that answered. */
export function mayHoldModel(text: string): boolean {
  return text.includes(MODEL);
}

/** `isGemini`: the counts are Gemini's. Each event of its streams repeats all of them. */
type Figures = Metered & { readonly isGemini: boolean };

/** Reads one answer or one event, parsed from JSON. */
export function readFigures(root: unknown): Figures {
  const metadata = reported(geminiCounts(memberOf(root, 'usageMetadata')));
  return { tokens: metadata ?? readUsage(root), model: readModel(root), isGemini: metadata !== undefined };
}

/** A count is undefined if it was not reported. */
type Counts = { readonly [kind in TokenKind]?: number | undefined };

/** OpenAI Chat Completions, and the many providers with the same format. */
function chatCounts(usage: object): Counts {
  return {
    input: countOf(usage, 'prompt_tokens'),
    output: countOf(usage, 'completion_tokens'),
    cachedInput: countOf(memberOf(usage, 'prompt_tokens_details'), 'cached_tokens'),
  };
}

/** OpenAI Responses and Anthropic Messages. They differ only in the fields for cached tokens. */
function messageCounts(usage: object): Counts {
  return {
    input: countOf(usage, 'input_tokens'),
    output: countOf(usage, 'output_tokens'),
    cachedInput: countOf(memberOf(usage, 'input_tokens_details'), 'cached_tokens'),
    cacheRead: countOf(usage, 'cache_read_input_tokens'),
    cacheWrite: countOf(usage, 'cache_creation_input_tokens'),
  };
}

/** Gemini bills thoughts as output and tool results as input. All four add up to its total. */
function geminiCounts(usage: unknown): Counts {
  return {
    input: sum(countOf(usage, 'promptTokenCount'), countOf(usage, 'toolUsePromptTokenCount')),
    output: sum(countOf(usage, 'candidatesTokenCount'), countOf(usage, 'thoughtsTokenCount')),
    cachedInput: countOf(usage, 'cachedContentTokenCount'),
  };
}

/** Members that may contain `usage`, besides the root: OpenAI Responses, Anthropic, Cohere, Groq. */
const USAGE_PARENTS = ['response', 'message', 'delta', 'x_groq'];

function readUsage(root: unknown): TokenFigures | undefined {
  for (const parent of [root, ...USAGE_PARENTS.map((name) => memberOf(root, name))]) {
    const usage = memberOf(parent, 'usage');
    // Cohere nests the counts one level deeper.
    const counts = memberOf(usage, 'tokens') ?? usage;
    if (typeof counts !== 'object' || counts === null) continue;
    const figures = reported('prompt_tokens' in counts ? chatCounts(counts) : messageCounts(counts));
    if (figures !== undefined) return figures;
  }
  return undefined;
}

/** In this order: OpenAI and most others, Gemini, OpenAI Responses, Anthropic. */
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

/** A count that is not a whole number from 0 to 2^53 - 1 is treated as not reported. */
function countOf(value: unknown, name: string): number | undefined {
  const count = memberOf(value, name);
  return typeof count === 'number' && Number.isSafeInteger(count) && count >= 0 ? count : undefined;
}

/** Only the reported counts; undefined if there are none. */
function reported(counts: Counts): TokenFigures | undefined {
  const entries = tokenKinds.flatMap((kind) =>
    counts[kind] === undefined ? [] : [[kind, counts[kind]] as const],
  );
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

/** At most the largest whole number that is exact. */
function sum(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined && b === undefined) return undefined;
  return Math.min((a ?? 0) + (b ?? 0), Number.MAX_SAFE_INTEGER);
}
