const UNITS = [
  ['year', 31_536_000],
  ['month', 2_592_000],
  ['week', 604_800],
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
] as const;

/** "5 minutes ago" or "yesterday". "just now" for less than a minute, and for times in the future. */
export function relativeTime(isoTime: string, now: Date = new Date(), locale?: string): string {
  const seconds = (now.getTime() - Date.parse(isoTime)) / 1000;
  const [unit, length] = UNITS.find(([, unitSeconds]) => seconds >= unitSeconds) ?? ['second', 1];
  if (unit === 'second') return 'just now';
  const format = new Intl.RelativeTimeFormat(locale ?? 'en', { numeric: 'auto' });
  return format.format(-Math.floor(seconds / length), unit);
}

/** The exact date and time, in the reader's time zone. */
export function exactTime(isoTime: string, locale?: string): string {
  return new Date(isoTime).toLocaleString(locale ?? 'en', { dateStyle: 'long', timeStyle: 'short' });
}
