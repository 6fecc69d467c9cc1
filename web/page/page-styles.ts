import { css } from 'lit';

export const pageStyles = css`
  :host {
    display: flex;
    flex-direction: column;
    min-height: 100vh;
    container-type: normal;
  }
  header {
    display: flex;
    gap: 0.25rem;
    align-items: center;
    width: min(46rem, 100% - 2rem);
    margin: 0 auto;
    padding-block: 1.25rem;
  }
  .brand {
    display: flex;
    gap: 0.625rem;
    align-items: center;
    color: inherit;
    font-weight: 650;
    letter-spacing: -0.01em;
    text-decoration: none;
  }
  .mark {
    width: 1.75rem;
    height: 1.75rem;
  }
  .space {
    flex: 1;
  }
  .user {
    padding-inline: 0.5rem;
    font-size: var(--uk-size-small);
    font-weight: 550;
  }
  .icon {
    width: 2.5rem;
    margin-inline-end: -0.65rem;
    padding: 0;
    font-size: 1.1rem;
  }
  main {
    width: min(46rem, 100% - 2rem);
    margin: 0 auto;
    padding-block: 1.5rem 4rem;
    flex: 1;
  }
  .sign-in {
    display: grid;
    justify-items: center;
    gap: 0.75rem;
    max-width: 26rem;
    margin: 12vh auto 0;
    text-align: center;
  }
  .sign-in .mark {
    width: 3rem;
    height: 3rem;
    margin-bottom: 0.5rem;
  }
  h1 {
    margin: 0;
    font-size: 1.5rem;
    font-weight: 650;
    letter-spacing: -0.02em;
  }
  .sign-in p {
    color: var(--uk-muted);
    text-wrap: balance;
  }
  .users {
    display: grid;
    grid-template-columns: 1fr 1fr;
    gap: 0.75rem;
    width: 100%;
    margin-top: 1rem;
  }
  .users button {
    justify-content: start;
    gap: 0.75rem;
    min-height: 4rem;
    padding: 0 1rem;
    border-radius: var(--uk-radius);
    font-size: var(--uk-size);
    box-shadow: var(--uk-shadow);
  }
  .initial {
    display: grid;
    place-items: center;
    width: 2.25rem;
    height: 2.25rem;
    border-radius: 50%;
    background: color-mix(in oklab, var(--uk-accent) 12%, var(--uk-surface));
    color: var(--uk-accent);
    font-weight: 650;
  }
`;
