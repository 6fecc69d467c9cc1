import { css } from 'lit';

export const userKeysStyles = css`
  .offline {
    margin-bottom: 1rem;
  }
  .keys {
    display: grid;
    gap: 2rem;
  }
  .try {
    display: grid;
    gap: 0.75rem;
  }
  .failure {
    display: grid;
    gap: 1rem;
    justify-items: start;
    padding: 1.25rem;
    border: 1px solid var(--uk-line);
    border-radius: var(--uk-radius);
    background: var(--uk-surface);
  }
  .failure .message {
    font-size: var(--uk-size);
  }
  .skeleton {
    display: grid;
    gap: 0.75rem;
  }
  .skeleton > div {
    border-radius: var(--uk-radius-small);
    background: var(--uk-hover);
    animation: pulse 1.4s ease-in-out infinite alternate;
  }
  .line {
    height: 0.3125rem;
  }
  .title {
    width: 14rem;
    max-width: 60%;
    height: 1.75rem;
    margin: 1.5rem 0 0.75rem;
  }
  .row {
    height: 4.25rem;
  }
  @keyframes pulse {
    to {
      opacity: 0.55;
    }
  }
`;
