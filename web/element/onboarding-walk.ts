import { html, LitElement, nothing, type PropertyValues, type TemplateResult } from 'lit';
import type { Provider, ProviderName, StoredKey } from '../client/answers.ts';
import type { Onboarding, Step } from '../client/onboarding.ts';
import type { Client } from '../client.ts';
import { controls } from './controls.ts';
import { describeError, type ErrorText } from './describe-error.ts';
import { alertIcon } from './icons.ts';
import { KeyList } from './key-list.ts';
import { onboardingWalkStyles } from './onboarding-walk-styles.ts';
import { badgeStyles, statusBadge } from './status-badge.ts';
import './steps-bar.ts';
import './try-it.ts';

const API_KEYS = 'api-keys';
const TRY_IT = 'try-it';
const FINISH = 'finish';

/**
 * Onboarding, step by step. The steps `api-keys`, `try-it` and `finish` are known here; the contents of any other
 * step of the operator's come from the host, through the slot of its id.
 */
export class OnboardingWalk extends LitElement {
  static override properties = {
    client: { attribute: false },
    providers: { attribute: false },
    keys: { attribute: false },
    onboarding: { attribute: false },
    chosenStep: { state: true },
    isMoving: { state: true },
    failure: { state: true },
    hasTried: { state: true },
  };
  static override styles = [controls, badgeStyles, onboardingWalkStyles];

  declare client: Client;
  declare providers: readonly Provider[];
  declare keys: readonly StoredKey[];
  declare onboarding: Onboarding;
  /** The step the user went back to; undefined: the current one. */
  declare chosenStep: string | undefined;
  declare isMoving: boolean;
  declare failure: ErrorText | undefined;
  declare hasTried: boolean;

  constructor() {
    super();
    this.isMoving = false;
    this.hasTried = false;
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has('keys')) this.failure = undefined;
  }

  protected override render(): TemplateResult {
    const { steps, currentStep } = this.onboarding;
    const step = this.#shownStep();
    if (!step) return html``;
    return html`
      <user-keys-steps
        .steps=${steps}
        .currentStep=${currentStep}
        .shown=${step.id}
        @go-to-step=${(event: CustomEvent<string>) => void this.#goTo(event.detail)}
      ></user-keys-steps>
      <div class="step">${this.#contents(step)}</div>
      <div class="footer">
        ${steps[0]?.id === step.id ? nothing : html`<button class="quiet" @click=${this.#goBack}>Back</button>`}
        <div class="note" role="status">${this.#note(step)}</div>
        ${this.#forward(step)}
      </div>
    `;
  }

  /** Skip where it is allowed and something is left undone; Continue where there is nothing to wait for. */
  #forward(step: Step): TemplateResult {
    const isLast = this.onboarding.steps.at(-1)?.id === step.id;
    const isPending = step.status === 'pending';
    const canSkip = isPending && !step.required && !isLast && !(step.id === TRY_IT && this.hasTried);
    const mustTry = isPending && step.id === TRY_IT && !this.hasTried;
    return html`
      ${canSkip ? html`<button @click=${() => void this.#move(step, 'skipped')}>Skip</button>` : nothing}
      ${
        mustTry
          ? nothing
          : html`<button
              class=${this.#lacksKeys(step) ? '' : 'primary'}
              aria-disabled=${this.isMoving ? 'true' : 'false'}
              @click=${() => void this.#move(step, 'completed')}
            >
              ${this.isMoving ? html`<span class="spinner"></span>` : nothing} ${isLast ? 'Finish' : 'Continue'}
            </button>`
      }
    `;
  }

  #shownStep(): Step | undefined {
    const { steps, currentStep } = this.onboarding;
    return steps.find(({ id }) => id === (this.chosenStep ?? currentStep)) ?? steps.at(-1);
  }

  #contents(step: Step): TemplateResult {
    switch (step.id) {
      case API_KEYS:
        return html`
          ${intro('Add your API keys', 'Every call made for you is paid with your own keys, and with nobody else’s. Start with one; you can add more at any time.')}
          <user-keys-list
            .client=${this.client}
            .providers=${this.providers}
            .keys=${this.keys}
            .requiredProviders=${step.requiredProviders}
          ></user-keys-list>
        `;
      case TRY_IT:
        return html`
          ${intro('Try it', 'Send a first prompt. It goes out with your own key.')}
          <user-keys-try
            .client=${this.client}
            .providers=${this.providers}
            .keys=${this.keys}
            @user-keys-used=${this.#noteTrial}
            @add-key=${(event: CustomEvent<ProviderName>) => void this.#addKeyFor(event.detail)}
          ></user-keys-try>
        `;
      case FINISH:
        return html`${intro('That’s all it takes', 'From now on, calls made for you are paid with these keys. You can change them at any time.')} ${this.#summary()}
          <slot name="finish"></slot>`;
      default:
        return html`${intro(step.title, '')}<slot name=${step.id}></slot>`;
    }
  }

  #summary(): TemplateResult {
    return html`<ul class="summary" role="list">
      ${this.providers.map(({ id, name }) => {
        const stored = this.keys.find(({ provider }) => provider === id);
        return stored ? html`<li><span>${name}</span>${statusBadge(stored.status)}</li>` : nothing;
      })}
    </ul>`;
  }

  #note(step: Step): TemplateResult | string {
    if (this.failure) {
      return html`<p class="message bad">${alertIcon}<span><strong>${this.failure.what}</strong> ${this.failure.next}</span></p>`;
    }
    if (step.id !== API_KEYS) return '';
    const missing = this.#missing(step);
    if (missing.length > 0) return `Still needed: ${missing.map((id) => this.#nameOf(id)).join(', ')}`;
    if (this.keys.length === 0) return 'No key added yet';
    return this.keys.length === 1 ? '1 key added' : `${this.keys.length} keys added`;
  }

  #missing(step: Step): readonly ProviderName[] {
    return step.requiredProviders.filter((id) => !this.keys.some(({ provider }) => provider === id));
  }

  #lacksKeys(step: Step): boolean {
    return step.id === API_KEYS && (this.keys.length === 0 || this.#missing(step).length > 0);
  }

  async #move(step: Step, status: 'completed' | 'skipped'): Promise<void> {
    if (this.isMoving) return;
    this.failure = undefined;
    this.isMoving = true;
    try {
      const onboarding = await this.client.onboarding.patch({ step: step.id, status });
      const { steps } = onboarding;
      // After going back, Continue leads to the step after this one and not to the first that is not done.
      const next = steps[steps.findIndex(({ id }) => id === step.id) + 1];
      this.chosenStep = next && next.status !== 'pending' ? next.id : undefined;
      this.dispatchEvent(new CustomEvent('onboarding-moved', { detail: onboarding }));
      await this.#focusTitle();
    } catch (error) {
      this.failure = describeError(error);
    } finally {
      this.isMoving = false;
    }
  }

  #goBack = (): void => {
    const { steps } = this.onboarding;
    const former = steps[steps.findIndex(({ id }) => id === this.#shownStep()?.id) - 1];
    if (former) void this.#goTo(former.id);
  };

  async #goTo(step: string): Promise<void> {
    this.failure = undefined;
    this.chosenStep = step;
    await this.#focusTitle();
  }

  async #focusTitle(): Promise<void> {
    await this.updateComplete;
    this.renderRoot.querySelector<HTMLElement>('h2')?.focus({ preventScroll: true });
    this.scrollIntoView({ block: 'start' });
  }

  async #addKeyFor(provider: ProviderName): Promise<void> {
    await this.#goTo(API_KEYS);
    const keyList = this.renderRoot.querySelector('user-keys-list');
    if (keyList instanceof KeyList) await keyList.addKeyFor(provider);
  }

  #noteTrial = (): void => {
    this.hasTried = true;
  };

  #nameOf(provider: ProviderName): string {
    return this.providers.find(({ id }) => id === provider)?.name ?? provider;
  }
}

customElements.define('user-keys-walk', OnboardingWalk);

function intro(title: string, text: string): TemplateResult {
  return html`<div class="intro">
    <h2 tabindex="-1">${title}</h2>
    ${text ? html`<p>${text}</p>` : nothing}
  </div>`;
}
