import { css } from 'lit';

export const activityPanelStyles = css`
  :host {
    display: block;
  }
  section {
    display: grid;
    gap: 0.75rem;
    min-width: 0;
  }
  .bar {
    display: flex;
    align-items: center;
    justify-content: space-between;
  }
  .panel-card {
    display: grid;
    gap: 1rem;
    min-width: 0;
    padding: 1rem;
  }

  figure {
    display: grid;
    gap: 0.375rem;
    margin: 0;
    min-width: 0;
  }
  figcaption {
    display: flex;
    flex-wrap: wrap;
    gap: 0.25rem 1rem;
    align-items: baseline;
    justify-content: space-between;
    margin-bottom: 0.25rem;
    font-size: var(--uk-size-small);
    font-weight: 550;
  }
  .legend {
    display: flex;
    flex-wrap: wrap;
    gap: 0.25rem 0.875rem;
    color: var(--uk-muted);
    font-size: var(--uk-size-tiny);
    font-weight: 400;
  }
  .legend li {
    display: flex;
    gap: 0.375rem;
    align-items: center;
  }
  .swatch {
    width: 0.625rem;
    height: 0.625rem;
    forced-color-adjust: none;
  }
  .plot {
    position: relative;
    border-top: 1px dashed var(--uk-line);
  }
  .bars {
    width: 100%;
    height: 6rem;
    forced-color-adjust: none;
  }
  .bars .base {
    fill: var(--uk-line);
  }
  .bars g:hover rect {
    opacity: 0.82;
  }
  .most {
    position: absolute;
    top: -0.75em;
    inset-inline-start: 0;
    padding-inline-end: 0.375rem;
    background: var(--uk-surface);
    color: var(--uk-muted);
    font-size: var(--uk-size-tiny);
    font-variant-numeric: tabular-nums;
    line-height: 1.5;
  }
  .axis {
    display: flex;
    justify-content: space-between;
    color: var(--uk-muted);
    font-size: var(--uk-size-tiny);
  }

  .scroll {
    overflow-x: auto;
    min-width: 0;
  }
  .usage {
    width: 100%;
    border-collapse: collapse;
    font-size: var(--uk-size-small);
  }
  .usage th,
  .usage td {
    padding: 0.4375rem 0;
    border-top: 1px solid var(--uk-line);
    font-weight: 400;
    text-align: start;
  }
  .usage thead th {
    border-top: 0;
    color: var(--uk-muted);
    font-size: var(--uk-size-tiny);
    vertical-align: bottom;
  }
  .usage .number {
    padding-inline-start: 1.25rem;
    font-variant-numeric: tabular-nums;
    text-align: end;
    white-space: nowrap;
  }
  .model {
    color: var(--uk-muted);
    font-family: var(--uk-mono);
    font-size: var(--uk-size-tiny);
    overflow-wrap: anywhere;
  }
  .note {
    color: var(--uk-muted);
    font-size: var(--uk-size-tiny);
  }

  h4 {
    margin-top: 0.75rem;
    font-size: var(--uk-size-small);
  }
  .log li {
    display: grid;
    grid-template-columns: auto 1fr auto;
    gap: 0 0.75rem;
    align-items: baseline;
    padding: 0.625rem 1rem;
    font-size: var(--uk-size-small);
  }
  .log li + li {
    border-top: 1px solid var(--uk-line);
  }
  .log .mark {
    align-self: start;
    padding-top: 0.25em;
    color: var(--uk-good);
  }
  .log .bad .mark {
    color: var(--uk-bad);
  }
  .log .details,
  .log time {
    color: var(--uk-muted);
    font-size: var(--uk-size-tiny);
  }
  .log .details {
    overflow-wrap: anywhere;
  }
  .log time {
    white-space: nowrap;
  }
  .more {
    justify-self: center;
  }
`;
