import { css } from 'lit';

export const guardsFormStyles = css`
  :host {
    /* Keeps the form clear of the sticky bar at the bottom. */
    scroll-margin-block: 5rem 7rem;
  }
  form {
    display: grid;
    gap: 1rem;
    padding-block: 0.25rem 0.5rem;
  }
  .field {
    display: grid;
    gap: 0.3125rem;
    align-content: start;
  }
  .pair {
    display: grid;
    grid-template-columns: 1fr 1fr;
    gap: 1rem;
  }
  .note,
  small {
    color: var(--uk-muted);
    font-size: var(--uk-size-tiny);
    font-weight: 400;
  }
  small {
    display: block;
  }
  .switch {
    display: flex;
    gap: 0.75rem;
    align-items: flex-start;
    cursor: pointer;
  }
  .switch input {
    flex: none;
    position: relative;
    width: 2.375rem;
    min-height: 0;
    height: 1.375rem;
    margin: 0.0625rem 0 0;
    padding: 0;
    border: 1px solid var(--uk-line-strong);
    border-radius: 99px;
    background: var(--uk-sunken);
    appearance: none;
    cursor: pointer;
    transition: background-color 120ms;
  }
  .switch input::before {
    content: '';
    position: absolute;
    top: 50%;
    inset-inline-start: 0.1875rem;
    width: 0.9375rem;
    height: 0.9375rem;
    border-radius: 50%;
    background: var(--uk-line-strong);
    translate: 0 -50%;
    transition: inset-inline-start 120ms;
  }
  .switch input:checked {
    border-color: var(--uk-accent);
    background: var(--uk-accent);
  }
  .switch input:checked::before {
    inset-inline-start: 1.1875rem;
    background: var(--uk-on-accent);
  }
  .switch input:focus-visible {
    outline-offset: 2px;
  }
  .row {
    display: flex;
    gap: 0.5rem;
  }
  #note:empty {
    display: none;
  }
  @media (forced-colors: active) {
    .switch input {
      appearance: auto;
    }
    .switch input::before {
      content: none;
    }
  }
  @container (max-width: 30rem) {
    .pair {
      grid-template-columns: 1fr;
    }
    .row button {
      flex: 1;
      min-height: 2.75rem;
    }
  }
`;
