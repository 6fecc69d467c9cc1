import { css } from 'lit';

export const onboardingWizardStyles = css`
  :host {
    display: grid;
    gap: 2rem;
    scroll-margin-top: 1rem;
  }
  .step {
    display: grid;
    gap: 1.5rem;
    min-height: 20rem;
    align-content: start;
  }
  .summary li {
    display: flex;
    gap: 0.75rem;
    align-items: center;
    justify-content: space-between;
    padding: 0.8rem 1rem;
    font-weight: 550;
  }
  .summary li + li {
    border-top: 1px solid var(--uk-line);
  }
  .footer {
    position: sticky;
    bottom: 0.75rem;
    z-index: 1;
    display: flex;
    flex-wrap: wrap;
    gap: 0.5rem;
    align-items: center;
    padding: 0.625rem;
    border: 1px solid var(--uk-line);
    border-radius: var(--uk-radius);
    background: var(--uk-surface);
    box-shadow: 0 6px 24px rgb(16 20 30 / 9%);
  }
  .note {
    flex: 1 1 8rem;
    padding-inline: 0.5rem;
    color: var(--uk-muted);
    font-size: var(--uk-size-small);
  }
  .note .message {
    color: var(--uk-text);
  }
  .primary {
    min-width: 6.5rem;
  }
  @container (max-width: 30rem) {
    .footer {
      bottom: 0.5rem;
      padding: 0.5rem;
    }
    .note:has(.message) {
      order: -1;
      flex-basis: 100%;
      padding-block: 0.25rem;
    }
    .footer button {
      min-height: 2.75rem;
    }
  }
`;
