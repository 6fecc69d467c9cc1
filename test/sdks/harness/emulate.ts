/** How the emulated providers answer the suite: from aimock, or from recorded shapes. */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { LLMock } from '@copilotkit/aimock';
import type { Answer } from '../../support/answers.ts';
import type { RecordedCall } from '../../support/recorded-call.ts';

/** A point in an answer that waits for the test. */
export type Gate = {
  readonly opened: Promise<void>;
  open(): void;
  /** What has been sent so far, and whether that is all. */
  readonly sent: Uint8Array[];
  passed: boolean;
};

export function createGate(): Gate {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open: () => open(), sent: [], passed: false };
}

/** Aimock's answer to the call. `path` says where aimock has what the provider has at another path. */
export function fromAimock(aimock: LLMock, options: { gate?: Gate; path?: (path: string) => string } = {}) {
  const answer: Answer = async (call, response) => {
    await call.received;
    const { path = (same: string) => same, gate } = options;
    const answered = await fetch(`${aimock.url}${path(call.target)}`, {
      method: call.method,
      headers: { 'content-type': call.headers['content-type'] ?? 'application/json' },
      ...(call.body().length > 0 ? { body: new Uint8Array(call.body()) } : {}),
    });
    const type = answered.headers.get('content-type') ?? 'application/json';
    const body = Buffer.from(await answered.arrayBuffer());
    const pieces = type.includes('event-stream') ? piecesOf(body.toString()) : [body];
    await send(call, response, { status: answered.status, type, pieces }, gate);
  };
  return answer;
}

/** The given pieces, the last half of them behind the gate. */
export function pieces(type: string, list: readonly (string | Uint8Array)[], gate?: Gate): Answer {
  return async (call, response) => {
    await call.received;
    await send(call, response, { status: 200, type, pieces: list }, gate);
  };
}

/** Bytes with a content type. */
export function bytes(type: string, content: Uint8Array): Answer {
  return pieces(type, [content]);
}

function piecesOf(eventStream: string): readonly string[] {
  return eventStream.split(/(?<=\n\n)/);
}

async function send(
  call: RecordedCall,
  response: ServerResponse,
  answer: { status: number; type: string; pieces: readonly (string | Uint8Array)[] },
  gate: Gate | undefined,
): Promise<void> {
  const half = Math.floor(answer.pieces.length / 2);
  response.writeHead(answer.status, { 'content-type': answer.type });
  response.flushHeaders();
  for (const [index, piece] of answer.pieces.entries()) {
    if (gate && index === half) await Promise.race([gate.opened, call.left]);
    if (call.hasLeft()) return;
    gate?.sent.push(Buffer.from(piece));
    if (!response.write(piece)) await Promise.race([once(response, 'drain'), call.left]);
  }
  if (gate) gate.passed = true;
  response.end();
}
