/** Styles for buttons, fields and messages, shared by all elements. */
import { css } from 'lit';

export const baseStyles = css`
  *,
  *::before,
  *::after {
    box-sizing: border-box;
  }
  :host([hidden]),
  [hidden] {
    display: none !important;
  }
  h2,
  h3,
  h4,
  p,
  ul,
  ol,
  dl,
  dd {
    margin: 0;
    padding: 0;
  }
  ul,
  ol {
    list-style: none;
  }
  h2 {
    font-size: var(--uk-size-title);
    font-weight: 650;
    letter-spacing: -0.015em;
    line-height: 1.25;
    text-wrap: balance;
  }
  h3,
  h4 {
    font-size: var(--uk-size);
    font-weight: 600;
    line-height: 1.35;
  }
  a {
    color: var(--uk-accent);
    text-decoration: underline;
    text-decoration-thickness: 1px;
    text-underline-offset: 0.2em;
  }
  a:hover {
    text-decoration-thickness: 2px;
  }
  svg {
    display: block;
    flex: none;
    width: 1em;
    height: 1em;
  }
  :focus-visible {
    outline: 2px solid var(--uk-accent);
    outline-offset: 2px;
  }
  [tabindex='-1']:focus-visible {
    outline-offset: 4px;
    border-radius: 4px;
  }

  button {
    display: inline-flex;
    align-items: center;
    justify-content: center;
    gap: 0.5em;
    min-height: 2.5rem;
    padding: 0 0.9rem;
    border: 1px solid var(--uk-line);
    border-radius: var(--uk-radius-small);
    background: var(--uk-surface);
    color: var(--uk-text);
    font: inherit;
    font-size: var(--uk-size-small);
    font-weight: 550;
    line-height: 1.2;
    white-space: nowrap;
    cursor: pointer;
    transition:
      background-color 120ms,
      border-color 120ms;
  }
  button:hover {
    background: var(--uk-hover);
  }
  button.primary {
    border-color: transparent;
    background: var(--uk-accent);
    color: var(--uk-on-accent);
  }
  button.primary:hover {
    background: color-mix(in oklab, var(--uk-accent) 88%, var(--uk-text));
  }
  button.danger {
    border-color: transparent;
    background: var(--uk-bad);
    color: var(--uk-surface);
  }
  button.danger:hover {
    background: color-mix(in oklab, var(--uk-bad) 88%, var(--uk-text));
  }
  button.quiet {
    border-color: transparent;
    background: transparent;
    color: var(--uk-muted);
  }
  button.quiet:hover {
    background: var(--uk-hover);
    color: var(--uk-text);
  }
  button[aria-disabled='true'] {
    cursor: default;
  }

  input,
  textarea,
  select {
    width: 100%;
    min-height: 2.5rem;
    padding: 0.5rem 0.75rem;
    border: 1px solid var(--uk-line-strong);
    border-radius: var(--uk-radius-small);
    background: var(--uk-surface);
    color: var(--uk-text);
    /* Below 16 px phones zoom into the page when the field is focused. */
    font: inherit;
    font-size: max(16px, var(--uk-size-small));
    line-height: 1.4;
  }
  input::placeholder,
  textarea::placeholder {
    color: var(--uk-muted);
    opacity: 1;
  }
  input:focus-visible,
  textarea:focus-visible,
  select:focus-visible {
    outline-offset: -1px;
    border-color: var(--uk-accent);
  }
  input[aria-invalid='true'] {
    border-color: var(--uk-bad);
  }
  label {
    font-size: var(--uk-size-small);
    font-weight: 550;
  }

  .message {
    display: flex;
    gap: 0.6em;
    align-items: flex-start;
    font-size: var(--uk-size-small);
    line-height: 1.45;
    overflow-wrap: anywhere;
  }
  .message > svg {
    margin-top: 0.2em;
  }
  .message.bad > svg,
  .message.bad strong {
    color: var(--uk-bad);
  }
  .message.caution > svg,
  .message.caution strong {
    color: var(--uk-caution);
  }
  .message.good > svg,
  .message.good strong {
    color: var(--uk-good);
  }
  .message strong {
    font-weight: 600;
  }
  .panel {
    padding: 0.75rem 0.875rem;
    border-radius: var(--uk-radius-small);
  }
  .panel.bad {
    background: color-mix(in oklab, var(--uk-bad) 8%, var(--uk-surface));
  }
  .panel.caution {
    background: color-mix(in oklab, var(--uk-caution) 9%, var(--uk-surface));
  }
  .panel.good {
    background: color-mix(in oklab, var(--uk-good) 8%, var(--uk-surface));
  }

  .surface {
    border: 1px solid var(--uk-line);
    border-radius: var(--uk-radius);
    background: var(--uk-surface);
    box-shadow: var(--uk-shadow);
  }
  .empty {
    padding: 2rem 1rem;
    border: 1px dashed var(--uk-line);
    border-radius: var(--uk-radius);
    color: var(--uk-muted);
    font-size: var(--uk-size-small);
    text-align: center;
  }
  .intro {
    display: grid;
    gap: 0.375rem;
  }
  .intro p {
    max-width: 60ch;
    color: var(--uk-muted);
    text-wrap: pretty;
  }

  .spinner {
    flex: none;
    width: 1em;
    height: 1em;
    border: 2px solid color-mix(in srgb, currentColor 30%, transparent);
    border-top-color: currentColor;
    border-radius: 50%;
    animation: turn 700ms linear infinite;
  }
  @keyframes turn {
    to {
      transform: rotate(1turn);
    }
  }

  .visually-hidden {
    position: absolute;
    width: 1px;
    height: 1px;
    margin: -1px;
    overflow: hidden;
    clip-path: inset(50%);
    white-space: nowrap;
  }

  @media (pointer: coarse) {
    button {
      min-height: 2.75rem;
    }
  }
  @media (prefers-reduced-motion: reduce) {
    *,
    *::before,
    *::after {
      transition-duration: 0.01ms !important;
    }
    .spinner {
      animation-duration: 2.5s;
    }
  }
`;
