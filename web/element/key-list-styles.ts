import { css } from 'lit';

export const keyListStyles = css`
  :host {
    display: grid;
    gap: 2rem;
  }
  section {
    display: grid;
    gap: 0.75rem;
    min-width: 0;
  }
  .bar {
    display: flex;
    flex-wrap: wrap;
    gap: 0.625rem 1rem;
    align-items: center;
    justify-content: space-between;
  }
  .search {
    position: relative;
    flex: 0 1 17rem;
  }
  .search svg {
    position: absolute;
    top: 50%;
    inset-inline-start: 0.7rem;
    translate: 0 -50%;
    color: var(--uk-muted);
    pointer-events: none;
  }
  .search input {
    padding-inline-start: 2.1rem;
    border-color: var(--uk-line);
    appearance: none;
  }
  .cards > li + li {
    border-top: 1px solid var(--uk-line);
  }
  .more {
    justify-self: center;
  }
  @container (max-width: 30rem) {
    .search {
      flex: 1 1 100%;
    }
  }
`;
