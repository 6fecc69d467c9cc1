/** Where events end in a stream of server-sent events (HTML standard, section 9.2.6). */

const [LINE_FEED, CARRIAGE_RETURN] = [0x0a, 0x0d];

/** Finds the ends of events in a stream that arrives in chunks. */
export class EventEnds {
  /** The last bytes of the chunk before. */
  #byteBefore = 0;
  #lastByte = 0;

  /** Where the first event ends; undefined if it goes on. */
  first(chunk: Uint8Array): number | undefined {
    for (let at = 0; at < chunk.length; at += 1) if (this.#endsAt(chunk, at)) return at + 1;
    return undefined;
  }

  /** Where the last event ends that has ended; undefined if none has. */
  last(chunk: Uint8Array): number | undefined {
    for (let at = chunk.length - 1; at >= 0; at -= 1) if (this.#endsAt(chunk, at)) return at + 1;
    return undefined;
  }

  /** Goes on to the next chunk. */
  pass(chunk: Uint8Array): void {
    this.#byteBefore = chunk.at(-2) ?? this.#lastByte;
    this.#lastByte = chunk.at(-1) ?? this.#lastByte;
  }

  /** Whether a blank line, which ends an event, ends here. A line ends with CR, LF or both. */
  #endsAt(chunk: Uint8Array, at: number): boolean {
    const byte = chunk[at];
    if (byte !== LINE_FEED && byte !== CARRIAGE_RETURN) return false;
    const last = at > 0 ? chunk[at - 1] : this.#lastByte;
    if (byte === CARRIAGE_RETURN || last === LINE_FEED) return last === LINE_FEED || last === CARRIAGE_RETURN;
    if (last !== CARRIAGE_RETURN) return false;
    const before = at > 1 ? chunk[at - 2] : at === 1 ? this.#lastByte : this.#byteBefore;
    return before === LINE_FEED || before === CARRIAGE_RETURN;
  }
}
