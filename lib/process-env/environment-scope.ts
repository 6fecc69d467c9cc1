/** What one request sees of the environment: its user's keys, its own changes, and the real one behind them. */
import type { Secret } from '../secret.ts';

/** The variables a scope answers for, and the keys it has for some of them. The others read `undefined`. */
export type ScopeKeys = {
  readonly covered: ReadonlySet<string>;
  readonly keys: ReadonlyMap<string, Secret>;
  /** Told when the scope ends which variables gave their key to its code. */
  readonly onEnd?: (read: ReadonlySet<string>) => void;
};

type View = {
  /** Covered variable → what it reads as. A key that was assigned by the request's own code is a string. */
  readonly keys: Map<string, Secret | string>;
  /** A copy of the other variables, made by the request's first write; undefined: the real ones. */
  own: object | undefined;
};

/**
 * The environment of one request. Its fields are private, so that no printing of an async resource or an
 * error that holds it shows a key. Once ended it has no key, and no way to get one back.
 */
export class EnvironmentScope {
  readonly #covered: ReadonlySet<string>;
  readonly #onEnd: ScopeKeys['onEnd'];
  readonly #read = new Set<string>();
  #view: View;
  /** The view that `process.env = {…}` inside the request put aside. */
  #replaced: View | undefined;
  #process: unknown;
  #ended = false;

  constructor({ covered, keys, onEnd }: ScopeKeys) {
    this.#covered = covered;
    this.#onEnd = onEnd;
    this.#view = { keys: new Map(keys), own: undefined };
  }

  covers(name: string | symbol): name is string {
    return typeof name === 'string' && this.#covered.has(name);
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

  /** An assignment after the end is dropped: late code gets no key, not even one it brings along. */
  writeKey(name: string, value: string): void {
    if (!this.#ended) this.#view.keys.set(name, value);
  }

  deleteKey(name: string): void {
    this.#view.keys.delete(name);
  }

  /** The request's other variables: its own copy once it has written one, the real environment before. */
  others(real: object): object {
    return this.#view.own ?? real;
  }

  othersForWriting(real: object): object {
    this.#view.own ??= this.#copyOthers(real);
    return this.#view.own;
  }

  /**
   * `process.env = replacement` inside the request. Keys that the replacement does not name stay readable:
   * a copy made by spreading the view never had them.
   */
  replace(replacement: object): void {
    this.#replaced ??= this.#view;
    const keys = new Map(this.#replaced.keys);
    for (const [name, value] of Object.entries(replacement)) {
      if (this.covers(name) && !this.#ended) keys.set(name, `${value}`);
    }
    this.#view = { keys, own: this.#copyOthers(replacement) };
  }

  /** `process.env = saved`, where `saved` is the view from before a replacement. */
  restore(): void {
    this.#view = this.#replaced ?? this.#view;
    this.#replaced = undefined;
  }

  /** What the request put in place of the global `process`; undefined: nothing. */
  get process(): unknown {
    return this.#process;
  }

  set process(replacement: unknown) {
    this.#process = replacement;
  }

  end(): void {
    this.#ended = true;
    this.#view.keys.clear();
    this.#replaced?.keys.clear();
    this.#process = undefined;
    this.#onEnd?.(this.#read);
  }

  #copyOthers(from: object): object {
    // The same prototype chain as an environment has, and values defined, so that `__proto__` is a plain name.
    const copy: object = Object.create({});
    for (const [name, value] of Object.entries(from)) {
      if (!this.#covered.has(name)) defineVariable(copy, name, `${value}`);
    }
    return copy;
  }
}

/** Sets a variable the way `process.env` does: as a plain property, whatever its name. */
export function defineVariable(environment: object, name: string, value: string): boolean {
  return Reflect.defineProperty(environment, name, {
    value,
    writable: true,
    enumerable: true,
    configurable: true,
  });
}
