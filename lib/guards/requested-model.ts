/**
 * Which model a call on the gateway is for, where its key is restricted to some. What cannot be told with certainty
 * is not told: the call is then refused, since two readers of one body must not come to two models.
 */
import { GUARDED_BODY_MAX_BYTES } from '../deadlines.ts';
import { readCapped } from '../outgoing/read-capped.ts';

/** Gemini's own paths name the model, and a body cannot change it. */
const GEMINI_MODEL = /^\/v1[a-z0-9]*\/models\/([^/:]+)(?::[a-zA-Z]+)?$/;

/** The model a path itself names, or undefined. */
export function modelInPath(provider: string, path: string): string | undefined {
  const name = provider === 'gemini' ? GEMINI_MODEL.exec(path)?.[1] : undefined;
  return name?.includes('%') ? undefined : name;
}

/** Endpoints that take the model from their JSON body. */
const BODY_ENDPOINT =
  /\/(?:chat\/completions|completions|responses|responses\/input_tokens|messages|messages\/count_tokens|chat|embeddings|embed|rerank|moderations|images\/generations|audio\/speech|fim\/completions)$/;
/** A path that names a model, a deployment or the like itself, whatever its body says. */
const NAMED_IN_PATH = /\/(?:models|engines|deployments|workflows|agents|accounts)(?:\/|$)/;

export type RequestedModels = {
  /** Every model the call may be answered by; undefined: cannot be told. */
  readonly models: readonly string[] | undefined;
  /** To be sent instead of the request, whose body has been read. */
  readonly request: Request;
};

/** Reads the body, up to a cap, where the path says that the model is in it. */
export async function readRequestedModels(request: Request, path: string): Promise<RequestedModels> {
  if (request.body === null || !BODY_ENDPOINT.test(path) || NAMED_IN_PATH.test(path)) {
    return { models: undefined, request };
  }
  const bytes = await readCapped(request.body, GUARDED_BODY_MAX_BYTES);
  if (bytes === undefined) return { models: undefined, request };
  const { method, headers, signal } = request;
  return {
    models: modelsInBody(bytes),
    request: new Request(request.url, { method, headers, signal, body: bytes }),
  };
}

/** `model`, and where a router takes a list of models to fall back to, those too. */
function modelsInBody(bytes: Uint8Array): readonly string[] | undefined {
  let text: string;
  let body: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    body = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return undefined;
  const members = new Map<string, unknown>(Object.entries(body));
  const model = members.get('model');
  const fallbacks = members.get('models') ?? [];
  if (typeof model !== 'string' || !isListOfText(fallbacks)) return undefined;
  return isUnambiguous(text) ? [model, ...fallbacks] : undefined;
}

function isListOfText(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((entry) => typeof entry === 'string');
}

const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\]:]/g;

/**
 * Of the members of the outermost object, none says `model` or `models` a second time or in other letters: some
 * readers take the first, some the last, and some do not mind the case.
 */
function isUnambiguous(text: string): boolean {
  const seen = new Set<string>();
  let depth = 0;
  let last = '';
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === '{' || token === '[') depth += 1;
    else if (token === '}' || token === ']') depth -= 1;
    else if (token === ':' && depth === 1) {
      const name = String(JSON.parse(last));
      const plain = name.normalize('NFKC').toLowerCase();
      if (plain === 'model' || plain === 'models') {
        if (seen.has(plain) || name !== plain) return false;
        seen.add(plain);
      }
    }
    last = token;
  }
  return true;
}
