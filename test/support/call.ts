/** Calls the functions that a file of `api/` exports, with a real `Request`. */
export type HandlerModule = {
  readonly [method in 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'OPTIONS']?: (
    request: Request,
  ) => Response | Promise<Response>;
};

export type CallInit = {
  readonly method?: string;
  /** Sent as `Authorization: Bearer …`. */
  readonly token?: string;
  /** Sent as JSON. */
  readonly json?: unknown;
  readonly body?: BodyInit;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** The origin of the request URL. */
  readonly origin?: string;
};

/**
 * Calls the module's function for the method with the given path. A method that the module does not export is answered
 * with 405, as on Vercel.
 */
export async function call(module: HandlerModule, path: string, init: CallInit = {}): Promise<Response> {
  const { method = 'GET', token, json, body, headers, signal, origin = 'http://127.0.0.1:3000' } = init;
  const all = new Headers(headers);
  if (token !== undefined) all.set('authorization', `Bearer ${token}`);
  if (json !== undefined) all.set('content-type', 'application/json');
  const content = json === undefined ? body : JSON.stringify(json);
  const requestInit: RequestInit & { duplex?: 'half' } = {
    method,
    headers: all,
    ...(signal === undefined ? {} : { signal }),
    ...(content === undefined ? {} : { body: content }),
    ...(content instanceof ReadableStream ? { duplex: 'half' } : {}),
  };
  const request = new Request(origin + path, requestInit);
  const handler = handlerOf(module, method);
  return handler ? handler(request) : new Response(null, { status: 405 });
}

function handlerOf(module: HandlerModule, method: string): HandlerModule['GET'] {
  switch (method) {
    case 'GET':
    case 'HEAD':
    case 'POST':
    case 'PUT':
    case 'PATCH':
    case 'DELETE':
    case 'OPTIONS':
      return module[method];
    default:
      return undefined;
  }
}
