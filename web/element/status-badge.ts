import { css, html, type TemplateResult } from 'lit';
import type { StoredKeyStatus } from '../client/api-responses.ts';
import { statusLabel } from './key-status.ts';
import { TONE_ICONS } from './message.ts';

export function statusBadge(status: StoredKeyStatus, providerName: string): TemplateResult {
  const { label, tone } = statusLabel(status, providerName);
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
