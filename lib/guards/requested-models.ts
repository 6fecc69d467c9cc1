/**
 * Which models a call on the gateway is for, where its key is restricted to some. What cannot be told with certainty
 * is not told: the call is then refused, since two readers of one request must not come to two models.
 */
import { MAX_GUARDED_BODY_BYTES } from '../limits.ts';
import { readCapped } from '../outgoing/read-capped.ts';
import { modelsInJson } from './models-in-json.ts';

/** Gemini's own paths name the model. */
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
/** The one way to say that a body is JSON which nobody reads as anything else. */
const PLAIN_JSON = /^application\/json\s*(?:;\s*charset="?utf-8"?\s*)?$/i;

export type RequestedModels = {
  /** Every model the call may be answered by; undefined: cannot be told. */
  readonly models: readonly string[] | undefined;
  /** To be sent instead of the request, whose body has been read. */
  readonly request: Request;
};

/** Reads the body, up to a cap, where the path names a model (`inPath`) or says that it is in the body. */
export async function readRequestedModels(
  request: Request,
  path: string,
  inPath: string | undefined,
): Promise<RequestedModels> {
  const untold = { models: undefined, request };
  if (hasModelInQuery(new URL(request.url).searchParams)) return untold;
  if (inPath === undefined && (!BODY_ENDPOINT.test(path) || NAMED_IN_PATH.test(path))) return untold;
  if (request.body === null) return { ...untold, models: inPath === undefined ? undefined : [inPath] };
  if (!PLAIN_JSON.test(request.headers.get('content-type') ?? '')) return untold;
  const bytes = await readCapped(request.body, MAX_GUARDED_BODY_BYTES);
  if (bytes === undefined) return untold;
  const { method, headers, signal } = request;
  return {
    models: modelsInBody(bytes, inPath),
    request: new Request(request.url, { method, headers, signal, body: bytes }),
  };
}

/** No provider takes the model from there on the paths above, but a reader that merges both might. */
function hasModelInQuery(parameters: URLSearchParams): boolean {
  return [...parameters.keys()].some((name) => /^models?\b/.test(name.normalize('NFKC').toLowerCase()));
}

function modelsInBody(bytes: Uint8Array, inPath: string | undefined): readonly string[] | undefined {
  let text: string;
  let body: unknown;
  try {
    // A byte order mark stays, so that it is no JSON: readers differ on it.
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    body = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return undefined;
  const found = modelsInJson(text);
  if (inPath === undefined) return found?.isNamed ? found.models : undefined;
  return found && [inPath, ...found.models.map((model) => model.replace(/^models\//, ''))];
}
