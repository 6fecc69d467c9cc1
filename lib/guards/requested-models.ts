/**
 * Determines the requested models of a gateway call whose key is restricted to some models. If they are not certain, the
 * call is refused: we and the provider must not read different models from one request.
 */
import { MAX_GUARDED_BODY_BYTES } from '../limits.ts';
import { bodyOf, readWithLimit } from '../outgoing/body.ts';
import { modelsInJson } from './models-in-json.ts';

/** Gemini's own paths name the model. */
const GEMINI_MODEL = /^\/v1[a-z0-9]*\/models\/([^/:]+)(?::[a-zA-Z]+)?$/;

/** The model a path itself names, or undefined. */
export function modelInPath(provider: string, path: string): string | undefined {
  const name = provider === 'gemini' ? GEMINI_MODEL.exec(path)?.[1] : undefined;
  return name?.includes('%') ? undefined : name;
}

/** Endpoints that read the model from their JSON body. */
const BODY_ENDPOINT =
  /\/(?:chat\/completions|completions|responses|responses\/input_tokens|messages|messages\/count_tokens|chat|embeddings|embed|rerank|moderations|images\/generations|audio\/speech|fim\/completions)$/;
/** Paths that name a model, a deployment or the like themselves, whatever the body says. */
const NAMED_IN_PATH = /\/(?:models|engines|deployments|workflows|agents|accounts)(?:\/|$)/;
/** The only content types that every parser reads as JSON in UTF-8. */
const PLAIN_JSON = /^application\/json\s*(?:;\s*charset="?utf-8"?\s*)?$/i;

export type RequestedModels = {
  /** Every model that may answer the call. Undefined: not known. */
  readonly models: readonly string[] | undefined;
  /** Replaces the given request, whose body has been read. */
  readonly request: Request;
};

/** Reads the body, up to a limit, if the path names a model (`inPath`) or the endpoint has the model in the body. */
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
  const bytes = await readWithLimit(bodyOf(request.body), MAX_GUARDED_BODY_BYTES);
  if (bytes === undefined) return untold;
  const { method, headers, signal } = request;
  const init: RequestInit & { duplex: 'half' } = {
    ...{ method, headers, signal },
    body: toStream(bytes),
    duplex: 'half',
  };
  return { models: await modelsInBody(bytes, inPath), request: new Request(request.url, init) };
}

/** No provider reads the model from the query on the paths above, but a parser that merges query and body might. */
function hasModelInQuery(parameters: URLSearchParams): boolean {
  return [...parameters.keys()].some((name) => /^models?\b/.test(name.normalize('NFKC').toLowerCase()));
}

/** A request would copy the bytes. */
function toStream(bytes: Uint8Array): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      controller.enqueue(bytes);
      controller.close();
    },
  });
}

async function modelsInBody(
  bytes: Uint8Array,
  inPath: string | undefined,
): Promise<readonly string[] | undefined> {
  // A byte order mark makes the text invalid JSON: parsers differ on it.
  const found = await modelsInJson(bytes);
  if (inPath === undefined) return found?.isNamed ? found.models : undefined;
  return found && [inPath, ...found.models.map((model) => model.replace(/^models\//, ''))];
}
