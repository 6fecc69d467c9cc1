import { css } from 'lit';

export const promptPlaygroundStyles = css`
  :host {
    display: grid;
    gap: 1rem;
  }
  form {
    display: grid;
    gap: 0.875rem;
    padding: 1rem;
  }
  .field {
    display: grid;
    gap: 0.375rem;
  }
  textarea {
    resize: vertical;
    min-height: 5rem;
  }
  .row {
    display: flex;
    flex-wrap: wrap;
    gap: 0.75rem;
    align-items: end;
    justify-content: space-between;
  }
  .row .field {
    flex: 1 1 12rem;
    max-width: 18rem;
  }
  .send {
    min-width: 6.5rem;
  }
  .answer {
    display: grid;
    gap: 0.75rem;
    align-content: start;
    min-height: 7.5rem;
    padding: 1rem;
    border-top: 1px solid var(--uk-line);
    border-radius: 0 0 var(--uk-radius) var(--uk-radius);
    background: var(--uk-sunken);
  }
  .text {
    white-space: pre-wrap;
    overflow-wrap: anywhere;
  }
  .waiting {
    display: flex;
    gap: 0.6em;
    align-items: center;
    color: var(--uk-muted);
    font-size: var(--uk-size-small);
  }
  .cursor {
    display: inline-block;
    width: 0.5em;
    height: 1.05em;
    margin-inline-start: 0.15em;
    border-radius: 1px;
    background: var(--uk-accent);
    vertical-align: -0.15em;
  }
  code {
    font-family: var(--uk-mono);
    font-size: 0.95em;
  }
  .add-key {
    display: grid;
    gap: 1rem;
    padding: 1.25rem 1rem;
    border: 1px solid var(--uk-line);
    border-radius: var(--uk-radius);
    background: var(--uk-surface);
  }
  .choices {
    display: flex;
    flex-wrap: wrap;
    gap: 0.5rem;
  }
  @container (max-width: 30rem) {
    .row .field {
      max-width: none;
      flex-basis: 100%;
    }
    .send {
      flex: 1;
      min-height: 2.75rem;
    }
  }
`;
