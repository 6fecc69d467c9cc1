import { stripVTControlCharacters } from 'node:util';
import { z } from 'zod';
import type { FunctionsEvent } from '../../dev/host/start-functions.ts';
import { bad, caution, faint, good } from './style.ts';

/** How many lines of a stack trace are shown. */
const SHOWN_LINES = 6;

const ON_CHANGE = 'They restart when a file changes.';

const LogLine = z.looseObject({ level: z.enum(['info', 'warn', 'error']), event: z.string() });

/** One line for an event of the functions process, or undefined for an event that is not worth a line. */
export function describeEvent(event: FunctionsEvent): string | undefined {
  switch (event.type) {
    case 'answered': {
      const path = stripVTControlCharacters(event.path);
      return `${status(event.status)} ${event.method.padEnd(6)} ${path} ${faint(`${event.durationMs} ms`)}`;
    }
    case 'output':
      return describeLine(event.line);
    case 'load-failed':
      return bad(`${event.file} does not load`) + faint(indented(event.message));
    case 'crashed':
      return bad(`The functions crashed${event.startsAgain ? ' and restart.' : `. ${ON_CHANGE}`}`);
    case 'not-started':
      return bad(`The functions did not start. ${ON_CHANGE}`);
    default:
      return undefined;
  }
}

function status(code: number): string {
  // The caller closed the connection.
  if (code === 0) return caution('left');
  const text = `${code} `;
  return code < 400 ? good(text) : code < 500 ? caution(text) : bad(text);
}

/** A log line of `lib/log.ts` as readable text; any other line unchanged; undefined for an empty one. */
export function describeLine(line: string): string | undefined {
  if (line.trim() === '') return undefined;
  const parsed = LogLine.safeParse(parse(line));
  if (!parsed.success) return faint(line);
  const { level, event, time: _, frames, ...fields } = parsed.data;
  // The line for the answered request already says this.
  if (level === 'info' && event === 'call') return undefined;
  const rest = Object.entries(fields).map(([name, value]) => `${name}=${String(value)}`);
  const colour = level === 'error' ? bad : level === 'warn' ? caution : faint;
  const origin = typeof frames === 'string' ? faint(indented(frames.replaceAll(' < ', '\n'))) : '';
  return [colour(`${level} ${event}`), ...rest].join(' ') + origin;
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function indented(text: string): string {
  return text
    .split('\n')
    .slice(0, SHOWN_LINES)
    .map((line) => `\n    ${line}`)
    .join('');
}
