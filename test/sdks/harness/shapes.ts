/** Recorded shapes: what providers answer where aimock does not speak for them. */
import type { Answer } from '../../support/answers.ts';
import { type Gate, pieces } from './emulate.ts';
import { HELLO } from './stage.ts';

const words = HELLO.split(/(?<= )/);
const event = (value: unknown) => `data: ${JSON.stringify(value)}\n\n`;

/** Server-sent events with a word in each, as the Chat Completions API streams them. */
export function chatEvents(gate: Gate, last: readonly string[] = ['data: [DONE]\n\n']): Answer {
  const chunk = (delta: object, finish_reason: string | null) =>
    event({
      id: 'chat-1',
      object: 'chat.completion.chunk',
      created: 1,
      model: 'model',
      choices: [{ index: 0, delta, finish_reason }],
    });
  const list = [
    ...words.map((content) => chunk({ role: 'assistant', content }, null)),
    chunk({}, 'stop'),
    ...last,
  ];
  return pieces('text/event-stream', list, gate);
}
