import { html, svg } from 'lit';

export const brandMark = html`<svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
  <rect width="32" height="32" rx="9" fill="var(--uk-accent)" />
  <g fill="none" stroke="var(--uk-on-accent)" stroke-width="2.6" stroke-linecap="round" stroke-linejoin="round">
    <circle cx="12" cy="16" r="4.6" />
    <path d="M16.6 16H25M21.6 16v4.2" />
  </g>
</svg>`;

const outline = (drawing: ReturnType<typeof svg>) => html`<svg
  viewBox="0 0 20 20"
  fill="none"
  stroke="currentColor"
  stroke-width="1.75"
  stroke-linecap="round"
  stroke-linejoin="round"
  aria-hidden="true"
>
  ${drawing}
</svg>`;

export const moonIcon = outline(svg`<path d="M16.5 11.8A6.8 6.8 0 0 1 8.2 3.5a6.8 6.8 0 1 0 8.3 8.3Z" />`);
export const sunIcon = outline(
  svg`<circle cx="10" cy="10" r="3.4" /><path d="M10 2.5v1.8M10 15.7v1.8M2.5 10h1.8M15.7 10h1.8M4.7 4.7 6 6M14 14l1.3 1.3M15.3 4.7 14 6M6 14l-1.3 1.3" />`,
);
