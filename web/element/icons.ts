/** Line icons. All are decorative: the text next to an icon has the same meaning. */
import { html, type SVGTemplateResult, svg, type TemplateResult } from 'lit';

export function icon(drawing: SVGTemplateResult): TemplateResult {
  return html`<svg
    viewBox="0 0 20 20"
    fill="none"
    stroke="currentColor"
    stroke-width="1.75"
    stroke-linecap="round"
    stroke-linejoin="round"
    aria-hidden="true"
  >${drawing}</svg>`;
}

export const checkIcon = icon(svg`<path d="m4.5 10.5 3.5 3.5 7.5-8" />`);
export const alertIcon = icon(svg`<circle cx="10" cy="10" r="7.25" /><path d="M10 6.5v4M10 13.4v.1" />`);
export const pauseIcon = icon(svg`<circle cx="10" cy="10" r="7.25" /><path d="M8.3 7.7v4.6M11.7 7.7v4.6" />`);
export const externalLinkIcon = icon(svg`<path d="M8 5H5.5v9.5H15V12M11 4.5h4.5V9M15 5l-6 6" />`);
export const searchIcon = icon(svg`<circle cx="9" cy="9" r="5" /><path d="m13 13 3.5 3.5" />`);
export const lockIcon = icon(
  svg`<rect x="4.5" y="9" width="11" height="7.5" rx="1.75" /><path d="M7 9V6.5a3 3 0 0 1 6 0V9" />`,
);
export const offlineIcon = icon(
  svg`<path d="M3.5 8.5A10 10 0 0 1 10 6M13 6.6a10 10 0 0 1 3.5 1.9M6.3 11.4A5.6 5.6 0 0 1 10 10M10 14.5v.1M4 3.5l12 13" />`,
);
