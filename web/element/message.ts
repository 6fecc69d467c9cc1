/** A message to the user: an icon, a title in the colour of the tone, and more detail. */
import { html, nothing, type TemplateResult } from 'lit';
import { alertIcon, checkIcon, pauseIcon } from './icons.ts';

export type Tone = 'good' | 'caution' | 'bad';

export type MessageText = {
  readonly title: string;
  /** What the user can do next, or further facts. Can be empty. */
  readonly detail: string;
};

export type Message = MessageText & { readonly tone: Tone };

/** The icon of each tone. It is decorative: the text next to it has the same meaning. */
export const TONE_ICONS: Readonly<Record<Tone, TemplateResult>> = {
  good: checkIcon,
  caution: pauseIcon,
  bad: alertIcon,
};

/** A message on a background in the colour of its tone. */
export function messagePanel({ tone, title, detail }: Message): TemplateResult {
  return html`<p class="message panel ${tone}">
    ${TONE_ICONS[tone]}<span><strong>${title}</strong> ${detail}</span>
  </p>`;
}

/** An error. `role="alert"` makes screen readers announce it; leave it out inside an element with `role="status"`. */
export function errorMessage({ title, detail }: MessageText, role?: 'alert'): TemplateResult {
  return html`<p class="message bad" role=${role ?? nothing}>
    ${alertIcon}<span><strong>${title}</strong> ${detail}</span>
  </p>`;
}
