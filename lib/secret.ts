/**
 * A value that cannot be printed by accident: `String()`, template strings, `JSON.stringify`, `console.log`,
 * `util.inspect`, spreading and structured cloning give `[secret]` or nothing.
 * Only `reveal()` returns the value, so a search for that name finds every place that reads a secret.
 */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return '[secret]';
  }

  toJSON(): string {
    return '[secret]';
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return '[secret]';
  }
}
