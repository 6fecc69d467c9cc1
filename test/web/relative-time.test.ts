import { expect, test } from 'vitest';
import { relativeTime } from '../../web/element/relative-time.ts';

const now = new Date('2026-11-20T12:00:00.000Z');

test.each([
  ['2026-11-20T12:00:30.000Z', 'just now'],
  ['2026-11-20T11:59:01.000Z', 'just now'],
  ['2026-11-20T11:59:00.000Z', '1 minute ago'],
  ['2026-11-20T11:00:01.000Z', '59 minutes ago'],
  ['2026-11-20T07:30:00.000Z', '4 hours ago'],
  ['2026-11-19T12:00:00.000Z', 'yesterday'],
  ['2026-11-10T12:00:00.000Z', 'last week'],
  ['2026-09-10T12:00:00.000Z', '2 months ago'],
  ['2024-11-10T12:00:00.000Z', '2 years ago'],
])('%s is %s', (time, text) => {
  expect(relativeTime(time, now)).toBe(text);
});
