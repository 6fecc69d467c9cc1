/**
 * Runs the callbacks of sockets in the sealed scope, where no key can be read. A pooled socket serves many requests,
 * and Node calls its listeners in the scope of the request that opened it. Without the seal, the callback of one user
 * could read the key of another.
 *
 * Changed for outgoing connections only, and in scopes only: the methods of `net.Socket`, `dgram.Socket`,
 * `http.ClientRequest` and `http.IncomingMessage` that call listeners; `tls.connect`; `http2.connect`. Code after an
 * `await` runs in its own scope, whichever socket its answer came from. So do listeners of an `http` request and its
 * response, because they belong to one request.
 */
import type { EnvironmentScope } from './environment-scope.ts';
import { type AsyncLocalStorage, dgram, http, http2, net, tls } from './node-runtime.ts';

export type ScopeStorage = InstanceType<typeof AsyncLocalStorage<EnvironmentScope | undefined>>;

export function sealSockets(storage: ScopeStorage): void {
  const runSealed: Run = (code) => {
    const scope = storage.getStore();
    return scope === undefined ? code() : storage.run(scope.sealed, code);
  };
  sealStreams(runSealed);
  sealHttp2(runSealed);
  wrapMethod(dgram.Socket.prototype, 'emit', (_socket, proceed) => runSealed(proceed));
  bindHttpRequests(storage);
}

type Run = <T>(code: () => T) => T;

function sealStreams(runSealed: Run): void {
  /** Not the connections of a server, nor the pipes of a child process: those are no sockets of a pool. */
  const connected = new WeakSet<object>();
  const isOutgoing = (socket: object): boolean =>
    connected.has(socket) || (socket instanceof tls.TLSSocket && Reflect.get(socket, 'server') == null);

  wrapMethod(net.Socket.prototype, 'connect', (socket, proceed) => {
    connected.add(socket);
    return runSealed(proceed);
  });
  wrapMethod(tls, 'connect', (_tls, proceed) => runSealed(proceed));
  // A write that has to wait starts in the scope of the write before it, and so would its callback.
  for (const name of ['emit', '_write', '_writev', '_final']) {
    wrapMethod(net.Socket.prototype, name, (socket, proceed) =>
      isOutgoing(socket) ? runSealed(proceed) : proceed(),
    );
  }
}

/** Node emits `response` of every stream in the scope in which its session was opened. */
function sealHttp2(runSealed: Run): void {
  wrapMethod(http2, 'connect', (_http2, proceed) => {
    const session = runSealed(proceed);
    if (typeof session === 'object' && session !== null) {
      wrapMethod(session, 'request', (_session, request) => runSealed(request));
    }
    return session;
  });
}

/**
 * Listeners of an outgoing request and of its response run in the scope in which the request was made. Node calls some
 * of them, such as those of `error`, from the socket.
 */
function bindHttpRequests(storage: ScopeStorage): void {
  /** The scope of a request or response. Undefined: made outside any scope. */
  const scopes = new WeakMap<object, EnvironmentScope | undefined>();
  const remember = (message: unknown): void => {
    if (typeof message !== 'object' || message === null || scopes.has(message)) return;
    scopes.set(message, storage.getStore());
  };
  const runInOwnScope = (message: object, code: () => unknown): unknown => {
    const scope = scopes.get(message);
    return !scopes.has(message) || scope === storage.getStore() ? code() : storage.run(scope, code);
  };

  wrapMethod(http.Agent.prototype, 'addRequest', (_agent, proceed, [request]) => {
    remember(request);
    return proceed();
  });
  // A request that has waited for a connection gets it in the scope of the request that used it before.
  wrapMethod(http.ClientRequest.prototype, 'onSocket', (request, proceed) => {
    remember(request);
    return runInOwnScope(request, proceed);
  });
  wrapMethod(http.ClientRequest.prototype, 'emit', (request, proceed, [, response]) =>
    runInOwnScope(request, () => {
      if (response instanceof http.IncomingMessage) remember(response);
      return proceed();
    }),
  );
  wrapMethod(http.IncomingMessage.prototype, 'emit', runInOwnScope);
}

/** Replaces a method, inherited or not. A method that this version of Node does not have is left out. */
function wrapMethod(
  target: object,
  name: string,
  wrapper: (self: object, proceed: () => unknown, parameters: readonly unknown[]) => unknown,
): void {
  const method: unknown = Reflect.get(target, name);
  if (typeof method !== 'function') return;
  Object.defineProperty(target, name, {
    value: new Proxy(method, {
      apply: (original, self, parameters) =>
        wrapper(self, () => Reflect.apply(original, self, parameters), parameters),
    }),
    enumerable: Object.getOwnPropertyDescriptor(target, name)?.enumerable ?? false,
    writable: true,
    configurable: true,
  });
}
