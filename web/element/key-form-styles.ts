import { css } from 'lit';

export const keyFormStyles = css`
  form {
    display: grid;
    gap: 0.5rem;
  }
  .where {
    color: var(--uk-muted);
    font-size: var(--uk-size-small);
  }
  .where a {
    overflow-wrap: anywhere;
  }
  .where svg {
    display: inline-block;
    margin-inline-start: 0.15em;
    vertical-align: -0.12em;
  }
  label {
    margin-top: 0.25rem;
  }
  .row {
    display: flex;
    gap: 0.5rem;
  }
  :host {
    /* Keeps the form clear of the sticky bar at the bottom. */
    scroll-margin-block: 5rem 7rem;
  }
  input:not(:placeholder-shown) {
    font-family: var(--uk-mono);
  }
  .row button {
    min-width: 7.25rem;
  }
  #note {
    min-height: 1.45em;
  }
  .hint {
    color: var(--uk-muted);
  }
  @container (max-width: 30rem) {
    .row {
      flex-wrap: wrap;
    }
    .row button {
      flex: 1;
      min-height: 2.75rem;
    }
    .row input {
      min-height: 2.75rem;
    }
  }
`;
