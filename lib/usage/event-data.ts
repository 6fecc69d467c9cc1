/** The data of server-sent events (HTML standard, section 9.2.6) as it arrives, without keeping any of it. */

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const COLON = 0x3a;
const SPACE = 0x20;
const DATA = [...new TextEncoder().encode('data')];

export type EventData = {
  feed(bytes: Uint8Array): void;
  /** The stream is over; an event without its blank line counts too. */
  end(): void;
};

/** Hands the data of each event to `onData` in pieces and then calls `onEvent`. */
export function readEventData(onData: (bytes: Uint8Array) => void, onEvent: () => void): EventData {
  /** What of the line has been read: its field name, byte by byte, or its value. */
  let state: 'name' | 'value-start' | 'value' | 'other' = 'name';
  let position = 0;
  let hasData = false;
  let lastWasReturn = false;

  function endLine(): void {
    const isBlank = state === 'name' && position === 0;
    if (isBlank && hasData) {
      hasData = false;
      onEvent();
    }
    state = 'name';
    position = 0;
  }

  function readName(byte: number): void {
    if (byte === COLON && position === DATA.length) {
      state = 'value-start';
      hasData = true;
    } else if (byte === DATA[position]) position += 1;
    else state = 'other';
  }

  return {
    feed(bytes) {
      for (let index = 0; index < bytes.length; index += 1) {
        const byte = bytes[index] ?? 0;
        if (byte === LINE_FEED || byte === CARRIAGE_RETURN) {
          if (!(byte === LINE_FEED && lastWasReturn)) endLine();
          lastWasReturn = byte === CARRIAGE_RETURN;
          continue;
        }
        lastWasReturn = false;
        if (state === 'name') {
          readName(byte);
          continue;
        }
        const end = endOfLine(bytes, index);
        if (state !== 'other') {
          const start = state === 'value-start' && byte === SPACE ? index + 1 : index;
          state = 'value';
          onData(bytes.subarray(start, end));
        }
        index = end - 1;
      }
    },
    end() {
      endLine();
      endLine();
    },
  };
}

function endOfLine(bytes: Uint8Array, from: number): number {
  let index = from;
  while (index < bytes.length && bytes[index] !== LINE_FEED && bytes[index] !== CARRIAGE_RETURN) index += 1;
  return index;
}
