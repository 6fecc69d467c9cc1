/**
 * A value that cannot be printed by accident: `String()`, template strings, `JSON.stringify`, `console.log`,
 * `util.inspect`, spreading and structured cloning give `[secret]` or nothing.
 * The value comes out through `reveal()` alone, so that a search for that word finds every place that has it.
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
