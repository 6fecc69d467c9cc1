import { css, html, type TemplateResult } from 'lit';
import type { StoredKeyStatus } from '../client/answers.ts';
import { alertIcon, checkIcon, pauseIcon } from './icons.ts';
import { STATUS_LABELS, type Tone } from './key-status.ts';

/** The mark that goes with a tone; the words beside it say the same. */
export const TONE_ICONS: Readonly<Record<Tone, TemplateResult>> = {
  good: checkIcon,
  caution: pauseIcon,
  bad: alertIcon,
};

export function statusBadge(status: StoredKeyStatus): TemplateResult {
  const { label, tone } = STATUS_LABELS[status];
  return html`<span class="badge ${tone}">${TONE_ICONS[tone]}${label}</span>`;
}

export const badgeStyles = css`
  .badge {
    display: inline-flex;
    gap: 0.3em;
    align-items: center;
    padding: 0.1rem 0.5rem;
    border-radius: 99px;
    background: var(--uk-hover);
    color: var(--uk-muted);
    font-size: calc(var(--uk-size) * 0.75);
    font-weight: 600;
    line-height: 1.5;
    white-space: nowrap;
  }
  .badge.good {
    background: color-mix(in oklab, var(--uk-good) 11%, var(--uk-surface));
    color: var(--uk-good);
  }
  .badge.caution {
    background: color-mix(in oklab, var(--uk-caution) 12%, var(--uk-surface));
    color: var(--uk-caution);
  }
  .badge.bad {
    background: color-mix(in oklab, var(--uk-bad) 10%, var(--uk-surface));
    color: var(--uk-bad);
  }
`;
