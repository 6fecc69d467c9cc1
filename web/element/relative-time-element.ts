import { html, type TemplateResult } from 'lit';
import { exactTime, relativeTime } from './relative-time.ts';

/** A `<time>` element with the relative time. Its tooltip has the exact time. */
export function relativeTimeElement(isoTime: string): TemplateResult {
  return html`<time datetime=${isoTime} title=${exactTime(isoTime)}>${relativeTime(isoTime)}</time>`;
}
