import { css, html, LitElement, nothing, type TemplateResult } from 'lit';
import type { Step } from '../client/onboarding.ts';
import { baseStyles } from './base-styles.ts';
import { checkIcon } from './icons.ts';

/** A progress bar and the list of steps. The user can go to the current step and to finished steps. */
export class OnboardingProgress extends LitElement {
  static override properties = {
    steps: { attribute: false },
    currentStep: { attribute: false },
    shown: { attribute: false },
  };

  static override styles = [
    baseStyles,
    css`
      :host {
        display: grid;
        gap: 0.625rem;
      }
      .bar,
      ol {
        display: grid;
        grid-template-columns: repeat(var(--count), minmax(0, 1fr));
        gap: 0.5rem;
      }
      .bar > span {
        height: 0.3125rem;
        border-radius: 99px;
        background: color-mix(in oklab, var(--uk-text) 11%, var(--uk-surface));
        transition: background-color 300ms;
      }
      .bar > .shown {
        background: color-mix(in oklab, var(--uk-accent) 45%, var(--uk-surface));
      }
      .bar > .done {
        background: var(--uk-accent);
      }
      li > * {
        display: inline-flex;
        gap: 0.35em;
        align-items: center;
        justify-content: start;
        max-width: 100%;
        min-height: 1.75rem;
        padding: 0;
        border: 0;
        background: none;
        color: var(--uk-muted);
        font-size: var(--uk-size-small);
        font-weight: 500;
        white-space: normal;
        text-align: start;
      }
      li > button:hover {
        background: none;
        color: var(--uk-text);
        text-decoration: underline;
        text-underline-offset: 0.25em;
      }
      li > [aria-current] {
        color: var(--uk-text);
        font-weight: 650;
      }
      .done svg {
        color: var(--uk-good);
      }
      .count {
        display: none;
        color: var(--uk-muted);
        font-size: var(--uk-size-small);
      }
      .count strong {
        color: var(--uk-text);
        font-weight: 650;
      }
      @media (forced-colors: active) {
        .bar > span {
          border: 1px solid CanvasText;
        }
        .bar > .done {
          background: Highlight;
        }
      }
      @container (max-width: 34rem) {
        :host([many]) ol {
          display: none;
        }
        :host([many]) .count {
          display: block;
        }
        .bar,
        ol {
          gap: 0.375rem;
        }
      }
    `,
  ];

  declare steps: readonly Step[];
  /** The first step that is not done. Null when all are done. */
  declare currentStep: string | null;
  /** The step that is shown. */
  declare shown: string;

  protected override willUpdate(): void {
    this.toggleAttribute('many', this.steps.length > 3);
    this.style.setProperty('--count', String(this.steps.length));
  }

  protected override render(): TemplateResult {
    const done = this.steps.filter(({ status }) => status !== 'pending').length;
    const position = this.steps.findIndex(({ id }) => id === this.shown) + 1;
    const title = this.steps[position - 1]?.title ?? '';
    const positionText = `Step ${position} of ${this.steps.length}`;
    return html`
      <div
        class="bar"
        role="progressbar"
        aria-label="Progress"
        aria-valuemin="0"
        aria-valuemax=${this.steps.length}
        aria-valuenow=${done}
        aria-valuetext="${done} of ${this.steps.length} steps done"
      >
        ${this.steps.map(({ id, status }) => {
          const isShown = id === this.shown ? 'shown' : '';
          return html`<span class=${status === 'pending' ? isShown : 'done'}></span>`;
        })}
      </div>
      <ol role="list" aria-label="Steps">
        ${this.steps.map((step) => html`<li>${this.#label(step)}</li>`)}
      </ol>
      <p class="count" aria-hidden="true">${positionText} · <strong>${title}</strong></p>
    `;
  }

  #label({ id, title, status }: Step): TemplateResult {
    const icon = status === 'completed' ? checkIcon : nothing;
    const text = html`${title}${
      status === 'pending' ? nothing : html`<span class="visually-hidden"> (${status})</span>`
    }`;
    const className = status === 'completed' ? 'done' : '';
    if (id === this.shown)
      return html`<span class=${className} aria-current="step">${icon}<span>${text}</span></span>`;
    if (status === 'pending' && id !== this.currentStep) return html`<span>${text}</span>`;
    return html`<button class=${className} @click=${() => this.#goTo(id)}>${icon}<span>${text}</span></button>`;
  }

  #goTo(id: string): void {
    this.dispatchEvent(new CustomEvent('go-to-step', { detail: id }));
  }
}

customElements.define('user-keys-progress', OnboardingProgress);
