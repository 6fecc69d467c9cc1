import { html, LitElement, nothing, type PropertyValues, type TemplateResult } from 'lit';
import type { Provider, ProviderId, StoredKey } from '../client/api-responses.ts';
import type { Onboarding, Step } from '../client/onboarding.ts';
import type { Client } from '../client.ts';
import { baseStyles } from './base-styles.ts';
import { describeError, type ErrorText } from './describe-error.ts';
import { KeyList } from './key-list.ts';
import { errorMessage } from './message.ts';
import { onboardingWizardStyles } from './onboarding-wizard-styles.ts';
import { providerName } from './providers.ts';
import { badgeStyles, statusBadge } from './status-badge.ts';
import './onboarding-progress.ts';
import './prompt-playground.ts';

const API_KEYS = 'api-keys';
const TRY_IT = 'try-it';
const FINISH = 'finish';

/**
 * Guides a new user through onboarding. The contents of the steps `api-keys`, `try-it` and `finish` are defined
 * here. The host page provides the contents of any other step in the slot with the step's id.
 */
export class OnboardingWizard extends LitElement {
  static override properties = {
    client: { attribute: false },
    providers: { attribute: false },
    keys: { attribute: false },
    onboarding: { attribute: false },
    chosenStep: { state: true },
    isSaving: { state: true },
    failure: { state: true },
    hasTried: { state: true },
  };
  static override styles = [baseStyles, badgeStyles, onboardingWizardStyles];

  declare client: Client;
  declare providers: readonly Provider[];
  declare keys: readonly StoredKey[];
  declare onboarding: Onboarding;
  /** The step that the user went back to. Undefined: the current step is shown. */
  declare chosenStep: string | undefined;
  declare isSaving: boolean;
  declare failure: ErrorText | undefined;
  declare hasTried: boolean;

  constructor() {
    super();
    this.isSaving = false;
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
      <user-keys-progress
        .steps=${steps}
        .currentStep=${currentStep}
        .shown=${step.id}
        @go-to-step=${(event: CustomEvent<string>) => void this.#goTo(event.detail)}
      ></user-keys-progress>
      <div class="step">${this.#contents(step)}</div>
      <div class="footer">
        ${steps[0]?.id === step.id ? nothing : html`<button class="quiet" @click=${this.#goBack}>Back</button>`}
        <div class="note" role="status">${this.#note(step)}</div>
        ${this.#nextButtons(step)}
      </div>
    `;
  }

  /** Skip is shown for a pending step that is optional. Continue is hidden until the user has tried a prompt. */
  #nextButtons(step: Step): TemplateResult {
    const isLast = this.onboarding.steps.at(-1)?.id === step.id;
    const isPending = step.status === 'pending';
    const canSkip = isPending && !step.required && !isLast && !(step.id === TRY_IT && this.hasTried);
    const mustTry = isPending && step.id === TRY_IT && !this.hasTried;
    return html`
      ${canSkip ? html`<button @click=${() => void this.#saveStep(step, 'skipped')}>Skip</button>` : nothing}
      ${
        mustTry
          ? nothing
          : html`<button
              class=${this.#lacksKeys(step) ? '' : 'primary'}
              aria-disabled=${this.isSaving ? 'true' : 'false'}
              @click=${() => void this.#saveStep(step, 'completed')}
            >
              ${this.isSaving ? html`<span class="spinner"></span>` : nothing} ${isLast ? 'Finish' : 'Continue'}
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
          ${intro('Add your API keys', 'All calls made for you use your own keys and are billed to your own accounts. Start with one key. You can add more at any time.')}
          <user-keys-list
            .client=${this.client}
            .providers=${this.providers}
            .keys=${this.keys}
            .requiredProviders=${step.requiredProviders}
          ></user-keys-list>
        `;
      case TRY_IT:
        return html`
          ${intro('Try it', 'Send your first prompt. It uses your own key.')}
          <user-keys-playground
            .client=${this.client}
            .providers=${this.providers}
            .keys=${this.keys}
            @user-keys-used=${this.#onPromptAnswered}
            @add-key=${(event: CustomEvent<ProviderId>) => void this.#addKeyFor(event.detail)}
          ></user-keys-playground>
        `;
      case FINISH:
        return html`${intro('Your keys are ready', 'From now on, all calls made for you use these keys. You can change them at any time.')} ${this.#summary()}
          <slot name="finish"></slot>`;
      default:
        return html`${intro(step.title, '')}<slot name=${step.id}></slot>`;
    }
  }

  #summary(): TemplateResult {
    return html`<ul class="summary surface" role="list">
      ${this.providers.map(({ id, name }) => {
        const stored = this.keys.find(({ provider }) => provider === id);
        return stored ? html`<li><span>${name}</span>${statusBadge(stored.status, name)}</li>` : nothing;
      })}
    </ul>`;
  }

  #note(step: Step): TemplateResult | string {
    if (this.failure) return errorMessage(this.failure);
    if (step.id !== API_KEYS) return '';
    const missing = this.#missingProviders(step);
    if (missing.length > 0)
      return `Keys still required: ${missing.map((id) => providerName(this.providers, id)).join(', ')}`;
    if (this.keys.length === 0) return 'No key added yet';
    return this.keys.length === 1 ? '1 key added' : `${this.keys.length} keys added`;
  }

  #missingProviders(step: Step): readonly ProviderId[] {
    return step.requiredProviders.filter((id) => !this.keys.some(({ provider }) => provider === id));
  }

  #lacksKeys(step: Step): boolean {
    return step.id === API_KEYS && (this.keys.length === 0 || this.#missingProviders(step).length > 0);
  }

  async #saveStep(step: Step, status: 'completed' | 'skipped'): Promise<void> {
    if (this.isSaving) return;
    this.failure = undefined;
    this.isSaving = true;
    try {
      const onboarding = await this.client.onboarding.patch({ step: step.id, status });
      const { steps } = onboarding;
      // After the user went back, Continue opens the step after this one, even if it is already done.
      const next = steps[steps.findIndex(({ id }) => id === step.id) + 1];
      this.chosenStep = next && next.status !== 'pending' ? next.id : undefined;
      this.dispatchEvent(new CustomEvent('onboarding-changed', { detail: onboarding }));
      await this.#focusTitle();
    } catch (error) {
      this.failure = describeError(error);
    } finally {
      this.isSaving = false;
    }
  }

  #goBack = (): void => {
    const { steps } = this.onboarding;
    const previous = steps[steps.findIndex(({ id }) => id === this.#shownStep()?.id) - 1];
    if (previous) void this.#goTo(previous.id);
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

  async #addKeyFor(provider: ProviderId): Promise<void> {
    await this.#goTo(API_KEYS);
    const keyList = this.renderRoot.querySelector('user-keys-list');
    if (keyList instanceof KeyList) await keyList.addKeyFor(provider);
  }

  #onPromptAnswered = (): void => {
    this.hasTried = true;
  };
}

customElements.define('user-keys-wizard', OnboardingWizard);

function intro(title: string, text: string): TemplateResult {
  return html`<div class="intro">
    <h2 tabindex="-1">${title}</h2>
    ${text ? html`<p>${text}</p>` : nothing}
  </div>`;
}
