/** The environment of one request: its user's keys, its own changes, and the real environment for everything else. */
import { MAX_SCOPE_LIFETIME_MS } from '../limits.ts';
import type { Secret } from '../secret.ts';

/** The variables that a scope covers, and the keys for some of them. A covered variable without a key reads `undefined`. */
export type ScopeKeys = {
  readonly covered: ReadonlySet<string>;
  /** Variables that can be read by name and are not enumerable. Default: none. */
  readonly hidden?: ReadonlySet<string>;
  readonly keys: ReadonlyMap<string, Secret>;
  /** Called when the scope ends, with the variables whose key was read. */
  readonly onEnd?: (read: ReadonlySet<string>) => void;
};

type View = {
  /** The value of each covered variable. A value that the request's own code assigned is a string. */
  readonly keys: Map<string, Secret | string>;
  /** A copy of the other variables, made on the request's first write. Undefined: no copy yet. */
  own: object | undefined;
};

/**
 * The environment of one request. Its fields are private, so printing an async resource or an error that references it
 * shows no key. After `end()`, and at the latest after `MAX_SCOPE_LIFETIME_MS`, it holds no key and accepts none.
 */
export class EnvironmentScope {
  readonly #covered: ReadonlySet<string>;
  readonly #hidden: ReadonlySet<string>;
  readonly #onEnd: ScopeKeys['onEnd'];
  readonly #isSealed: boolean;
  readonly #lifetime: NodeJS.Timeout | undefined;
  readonly #read = new Set<string>();
  #view: View;
  /** The view from before the request assigned `process.env = {…}`. */
  #replaced: View | undefined;
  #process: unknown;
  #ended: boolean;
  #sealed: EnvironmentScope | undefined;

  constructor({ covered, hidden = new Set(), keys, onEnd }: ScopeKeys, { isSealed = false } = {}) {
    this.#covered = covered;
    this.#hidden = hidden;
    this.#onEnd = onEnd;
    this.#view = { keys: new Map(keys), own: undefined };
    this.#isSealed = isSealed;
    this.#ended = isSealed;
    if (!isSealed) this.#lifetime = setTimeout(() => this.end(), MAX_SCOPE_LIFETIME_MS).unref();
  }

  /**
   * The scope for code that may run for somebody else: a callback of a socket that this request opened. Covered
   * variables read `undefined`, the others as in the real environment. Assignments have no effect, because the next
   * callback may be another user's.
   */
  get sealed(): EnvironmentScope {
    if (this.#isSealed) return this;
    const nothing = { covered: this.#covered, hidden: this.#hidden, keys: new Map() };
    this.#sealed ??= new EnvironmentScope(nothing, { isSealed: true });
    return this.#sealed;
  }

  covers(name: string | symbol): name is string {
    return typeof name === 'string' && this.#covered.has(name);
  }

  isEnumerable(name: string | symbol): boolean {
    return !this.covers(name) && !(typeof name === 'string' && this.#hidden.has(name));
  }

  hasKey(name: string): boolean {
    return this.#view.keys.has(name);
  }

  readKey(name: string): string | undefined {
    const key = this.#view.keys.get(name);
    if (typeof key !== 'object') return key;
    this.#read.add(name);
    return key.reveal();
  }

  /** Does nothing after the end, so that late code cannot store a key in the scope. */
  writeKey(name: string, value: string): void {
    if (!this.#ended) this.#view.keys.set(name, value);
  }

  deleteKey(name: string): void {
    this.#view.keys.delete(name);
  }

  /** The variables that are not covered: the request's own copy after its first write, the real environment before. */
  others(real: object): object {
    return this.#view.own ?? real;
  }

  othersForWriting(real: object): object {
    if (this.#isSealed) return {};
    this.#view.own ??= this.#copyOthers(real);
    return this.#view.own;
  }

  /**
   * `process.env = replacement` inside the request, where `current` is the view. Keys and hidden variables that the
   * replacement does not name stay readable, because a copy made by spreading the view never contains them.
   */
  replace(replacement: object, current: NodeJS.ProcessEnv): void {
    if (this.#isSealed) return;
    const own = this.#copyOthers(replacement);
    for (const name of this.#hidden) {
      const value = current[name];
      if (value !== undefined && !Object.hasOwn(own, name)) defineVariable(own, name, value);
    }
    this.#replaced ??= this.#view;
    const keys = new Map(this.#replaced.keys);
    for (const [name, value] of Object.entries(replacement)) {
      if (this.covers(name) && !this.#ended) keys.set(name, `${value}`);
    }
    this.#view = { keys, own };
  }

  /** `process.env = saved`, where `saved` is the view from before a replacement. */
  restore(): void {
    this.#view = this.#replaced ?? this.#view;
    this.#replaced = undefined;
  }

  /** What the request assigned to the global `process`; undefined if nothing. */
  get process(): unknown {
    return this.#process;
  }

  set process(replacement: unknown) {
    if (!this.#isSealed) this.#process = replacement;
  }

  /** A second call does nothing: a failed read and the end of the answer may both end the scope. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#lifetime);
    this.#view.keys.clear();
    this.#replaced?.keys.clear();
    this.#process = undefined;
    this.#onEnd?.(this.#read);
  }

  #copyOthers(from: object): object {
    // The same prototype chain as the real environment. Values are defined, not assigned, so `__proto__` is an ordinary name.
    const copy: object = Object.create({});
    for (const [name, value] of Object.entries(from)) {
      if (!this.#covered.has(name)) defineVariable(copy, name, `${value}`);
    }
    return copy;
  }
}

/** Sets a variable as `process.env` does: as an ordinary property, whatever its name. */
export function defineVariable(environment: object, name: string, value: string): boolean {
  return Reflect.defineProperty(environment, name, {
    value,
    writable: true,
    enumerable: true,
    configurable: true,
  });
}
