import { css } from 'lit';

export const providerCardStyles = css`
  :host {
    display: block;
  }
  article {
    display: grid;
    gap: 0.875rem;
    padding: 0.875rem 1rem;
  }
  .head {
    display: grid;
    grid-template-columns: auto 1fr auto;
    gap: 0.25rem 0.875rem;
    align-items: center;
  }
  .tile {
    display: grid;
    place-items: center;
    width: 2.5rem;
    height: 2.5rem;
    border-radius: var(--uk-radius-small);
    background: light-dark(oklch(0.945 0.028 var(--hue)), oklch(0.3 0.04 var(--hue)));
    color: light-dark(oklch(0.42 0.09 var(--hue)), oklch(0.87 0.06 var(--hue)));
    font-size: var(--uk-size);
    font-weight: 650;
  }
  .who {
    min-width: 0;
  }
  .name {
    display: flex;
    flex-wrap: wrap;
    gap: 0.125rem 0.625rem;
    align-items: center;
  }
  .facts {
    overflow: hidden;
    margin-top: 0.0625rem;
    color: var(--uk-muted);
    font-size: var(--uk-size-small);
  }
  /* Each fact has a dot before it. The dot of the first fact in a line is outside the visible area. */
  .facts ul {
    display: flex;
    flex-wrap: wrap;
    margin-inline-start: -1.1em;
  }
  .facts li::before {
    content: '·';
    display: inline-block;
    width: 1.1em;
    text-align: center;
  }
  .facts .key {
    flex-basis: 100%;
  }
  .facts .hint {
    font-family: var(--uk-mono);
  }
  user-keys-delete {
    display: contents;
  }
  .actions {
    display: flex;
    gap: 0.25rem;
  }
  /* Wide enough for its longest label, so that nothing moves when the label changes. */
  .opener {
    min-width: 6rem;
  }
  .actions:has(> :nth-child(4)) button {
    padding-inline: 0.625rem;
  }
  .busy {
    position: relative;
  }
  .busy > span:first-child {
    visibility: hidden;
  }
  .busy > .spinner {
    position: absolute;
    inset: 0;
    margin: auto;
  }
  .facts.left {
    margin-top: -0.75rem;
  }
  .facts.left,
  .panel,
  user-keys-guards,
  user-keys-form {
    margin-inline-start: 3.375rem;
  }
  user-keys-guards,
  user-keys-form {
    container-type: inline-size;
    display: block;
    padding-bottom: 0.25rem;
  }
  @container (max-width: 38rem) {
    .head:has(.actions > :nth-child(2)) {
      grid-template-columns: auto 1fr;
    }
    .head .actions:has(> :nth-child(2)) {
      grid-column: 1 / -1;
      display: grid;
      grid-template-columns: repeat(auto-fit, minmax(6.75rem, 1fr));
      gap: 0.5rem;
      margin-top: 0.625rem;
    }
    .actions:has(> :nth-child(2)) button {
      border-color: var(--uk-line);
      padding-inline: 0.25rem;
    }
    .facts.left {
      margin-top: 0;
    }
    .facts.left,
    .panel,
    user-keys-guards,
    user-keys-form {
      margin-inline-start: 0;
    }
  }
`;
