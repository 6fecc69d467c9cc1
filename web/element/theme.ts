/**
 * Colours, fonts and sizes. The host page sets `--user-keys-…` properties (docs/web.md). All other values are
 * derived from them, so setting three colours is enough. `light-dark()` follows the current `color-scheme`.
 */
import { css } from 'lit';

/** Only the outermost element needs this. Nested elements inherit the properties. */
export const theme = css`
  :host {
    --uk-text: var(--user-keys-text, light-dark(#1a1d23, #e9ebef));
    --uk-surface: var(--user-keys-surface, light-dark(#ffffff, #16181d));
    --uk-accent: var(--user-keys-accent, light-dark(#2f55c8, #93b0ff));
    --uk-on-accent: var(--user-keys-on-accent, light-dark(#ffffff, #10182e));
    --uk-good: var(--user-keys-good, light-dark(#176b3d, #6fd39b));
    --uk-caution: var(--user-keys-caution, light-dark(#855000, #f0bd62));
    --uk-bad: var(--user-keys-bad, light-dark(#b0222c, #ff9a96));

    --uk-muted: var(--user-keys-muted, color-mix(in oklab, var(--uk-text) 68%, var(--uk-surface)));
    --uk-line: var(--user-keys-line, color-mix(in oklab, var(--uk-text) 13%, var(--uk-surface)));
    --uk-line-strong: color-mix(in oklab, var(--uk-text) 48%, var(--uk-surface));
    --uk-sunken: var(--user-keys-sunken, color-mix(in oklab, var(--uk-text) 3.5%, var(--uk-surface)));
    --uk-hover: color-mix(in oklab, var(--uk-text) 6%, var(--uk-surface));
    --uk-radius: var(--user-keys-radius, 12px);
    --uk-radius-small: calc(var(--uk-radius) * 0.66);
    --uk-shadow: 0 1px 2px rgb(16 20 30 / 5%);

    --uk-size: var(--user-keys-font-size, 1rem);
    --uk-size-small: calc(var(--uk-size) * 0.875);
    --uk-size-tiny: calc(var(--uk-size) * 0.8125);
    --uk-size-title: calc(var(--uk-size) * 1.375);
    --uk-mono: var(--user-keys-font-mono, ui-monospace, 'SF Mono', 'Cascadia Mono', Menlo, Consolas, monospace);

    display: block;
    container-type: inline-size;
    color: var(--uk-text);
    font-family: var(--user-keys-font, inherit);
    font-size: var(--uk-size);
    line-height: 1.5;
    text-align: start;
  }
  :host([theme='light']) {
    color-scheme: light;
  }
  :host([theme='dark']) {
    color-scheme: dark;
  }
  :host([theme='system']) {
    color-scheme: light dark;
  }
`;
