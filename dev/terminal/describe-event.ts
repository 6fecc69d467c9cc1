import { stripVTControlCharacters } from 'node:util';
import { z } from 'zod';
import type { FunctionsEvent } from '../host/start-functions.ts';
import { bad, caution, faint, good } from './style.ts';

/** Of an error's origin. */
const SHOWN_LINES = 6;

const ON_CHANGE = 'They start again when a file changes.';

const LogLine = z.looseObject({ level: z.enum(['info', 'warn', 'error']), event: z.string() });

/** One line for something that happened in the functions, or undefined for what nobody wants to read. */
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
      return bad(`The functions crashed${event.startsAgain ? ' and start again.' : `. ${ON_CHANGE}`}`);
    case 'not-started':
      return bad(`The functions did not start. ${ON_CHANGE}`);
    default:
      return undefined;
  }
}

function status(code: number): string {
  if (code === 0) return caution('left');
  const text = `${code} `;
  return code < 400 ? good(text) : code < 500 ? caution(text) : bad(text);
}

/** A log line of the functions (`lib/log.ts`) as text, anything else as it is. */
export function describeLine(line: string): string | undefined {
  if (line.trim() === '') return undefined;
  const parsed = LogLine.safeParse(parse(line));
  if (!parsed.success) return faint(line);
  const { level, event, time: _, frames, ...fields } = parsed.data;
  // The host's own line has said it.
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
