import { html, LitElement, nothing, type TemplateResult } from 'lit';
import type { Provider, StoredKey } from '../client/api-responses.ts';
import type { Client } from '../client.ts';
import { baseStyles } from './base-styles.ts';
import { DeleteDialog } from './delete-dialog.ts';
import { describeError } from './describe-error.ts';
import { emit } from './events.ts';
import { providerCardStyles } from './provider-card-styles.ts';
import './guards-form.ts';
import './key-form.ts';
import { blockedLabel, checkAdvice, keyAdvice, limitLabels } from './key-status.ts';
import { type Message, messagePanel, TONE_ICONS } from './message.ts';
import { providerHue } from './providers.ts';
import { relativeTimeElement } from './relative-time-element.ts';
import { badgeStyles, statusBadge } from './status-badge.ts';

/** One provider. Without a key it offers to add one. With a key it shows the key's status and actions. */
export class ProviderCard extends LitElement {
  static override properties = {
    client: { attribute: false },
    provider: { attribute: false },
    stored: { attribute: false },
    isRequired: { type: Boolean, attribute: 'required' },
    isOpen: { type: Boolean, attribute: 'open' },
    isChecking: { state: true },
    isEditingLimits: { state: true },
    checkResult: { state: true },
  };
  static override styles = [baseStyles, badgeStyles, providerCardStyles];

  declare client: Client;
  declare provider: Provider;
  declare stored: StoredKey | undefined;
  declare isRequired: boolean;
  /** The key form is open. The list controls this, so that only one form is open. */
  declare isOpen: boolean;
  declare isChecking: boolean;
  /** The form for the limits is open. */
  declare isEditingLimits: boolean;
  /** The result of the last check. */
  declare checkResult: Message | undefined;

  constructor() {
    super();
    this.isRequired = false;
    this.isOpen = false;
    this.isChecking = false;
    this.isEditingLimits = false;
  }

  protected override willUpdate(): void {
    // A style attribute would not work: the host's content security policy may forbid it.
    this.style.setProperty('--hue', String(providerHue(this.provider.name)));
  }

  /** Focuses the provider's name. */
  override focus(): void {
    this.renderRoot.querySelector('h4')?.focus();
  }

  /** Focuses the button that opens the key form. */
  focusOpener(): void {
    this.renderRoot.querySelector<HTMLElement>('.opener')?.focus();
  }

  protected override render(): TemplateResult {
    const { name, purpose } = this.provider;
    return html`
      <article aria-labelledby="name">
        <div class="head">
          <span class="tile" aria-hidden="true">${name.slice(0, 1).toUpperCase()}</span>
          <div class="who">
            <div class="name">
              <h4 id="name" tabindex="-1">${name}</h4>
              ${this.stored ? badges(this.stored, name) : this.isRequired ? html`<span class="badge">Required</span>` : nothing}
            </div>
            ${this.stored ? facts(this.stored) : html`<p class="facts">${purpose}</p>`}
          </div>
          <div class="actions">${this.stored ? this.#storedActions(this.stored) : this.#opener('Add key', true)}</div>
        </div>
        ${this.stored?.guards ? limits(this.stored.guards) : nothing} ${this.#message()}
        ${
          this.isOpen
            ? html`<user-keys-form
              .client=${this.client}
              .provider=${this.provider}
              ?replaces=${this.stored !== undefined}
              @user-keys-saved=${this.#clearCheckResult}
            ></user-keys-form>`
            : nothing
        }
        ${
          this.isEditingLimits && this.stored
            ? html`<user-keys-guards
              .client=${this.client}
              .stored=${this.stored}
              .name=${this.provider.name}
              @close=${this.#closeLimits}
            ></user-keys-guards>`
            : nothing
        }
        ${
          this.stored
            ? html`<user-keys-delete
              .client=${this.client}
              .provider=${this.provider}
              ?in-env-file=${this.stored.envFile === 'written' || this.stored.envFile === 'env-only'}
            ></user-keys-delete>`
            : nothing
        }
      </article>
    `;
  }

  #opener(label: string, isProminent: boolean): TemplateResult {
    return html`<button
      class="opener ${this.isOpen || !isProminent ? 'quiet' : ''}"
      aria-expanded=${this.isOpen ? 'true' : 'false'}
      aria-label="${this.isOpen ? 'Cancel' : label}: ${this.provider.name}"
      @click=${this.#toggleForm}
    >
      ${this.isOpen ? 'Cancel' : label}
    </button>`;
  }

  /** The button that the status calls for is more prominent than the others. */
  #storedActions({ status }: StoredKey): TemplateResult {
    const { name } = this.provider;
    return html`
      <button
        class="${status === 'unverified' ? '' : 'quiet'} ${this.isChecking ? 'busy' : ''}"
        aria-label="Check: ${name}"
        aria-disabled=${this.isChecking ? 'true' : 'false'}
        @click=${this.#check}
      >
        <span>Check</span>${this.isChecking ? html`<span class="spinner"></span>` : nothing}
      </button>
      <button
        class="quiet limits"
        aria-expanded=${this.isEditingLimits ? 'true' : 'false'}
        aria-label="Limits: ${name}"
        @click=${this.#toggleLimits}
      >
        Limits
      </button>
      ${this.#opener('Replace', status === 'invalid' || status === 'unreadable')}
      <button class="quiet" aria-label="Delete: ${name}" @click=${this.#askToDelete}>Delete</button>
    `;
  }

  #message(): TemplateResult | typeof nothing {
    const message = this.checkResult ?? (this.stored && keyAdvice(this.stored, this.provider.name));
    return message === undefined ? nothing : messagePanel(message);
  }

  #toggleForm = (): void => {
    this.dispatchEvent(new CustomEvent('toggle-form', { detail: !this.isOpen }));
  };

  #toggleLimits = (): void => {
    this.isEditingLimits = !this.isEditingLimits;
  };

  #closeLimits = (): void => {
    this.isEditingLimits = false;
    this.renderRoot.querySelector<HTMLElement>('.limits')?.focus();
  };

  #check = async (): Promise<void> => {
    if (this.isChecking) return;
    this.isChecking = true;
    this.checkResult = undefined;
    try {
      const checked = await this.client.check(this.provider.id);
      this.checkResult = checkAdvice(checked.verdict, this.provider.name);
      emit(this, 'user-keys-checked', checked);
    } catch (error) {
      this.checkResult = { tone: 'bad', ...describeError(error, this.provider.name) };
    } finally {
      this.isChecking = false;
    }
  };

  #askToDelete = (): void => {
    const dialog = this.renderRoot.querySelector('user-keys-delete');
    if (dialog instanceof DeleteDialog) dialog.show();
  };

  #clearCheckResult = (): void => {
    this.checkResult = undefined;
  };
}

customElements.define('user-keys-card', ProviderCard);

/** The status of the key, and the limit that blocks it if there is one. */
function badges({ status, guards }: StoredKey, providerName: string): TemplateResult {
  const blocked = guards && blockedLabel(guards, new Date());
  return html`${statusBadge(status, providerName)}
  ${blocked ? html`<span class="badge caution">${TONE_ICONS.caution}${blocked}</span>` : nothing}`;
}

function facts({ hint, createdAt, updatedAt, version, lastUsedAt, envFile }: StoredKey): TemplateResult {
  const changedAt = updatedAt ?? createdAt;
  return html`<div class="facts"><ul>
    <li class="key"
      ><span class="hint"
        ><span aria-hidden="true">•••• </span><span class="visually-hidden">Key ending in </span>${hint}</span
      ></li
    >
    ${changedAt ? html`<li>${version > 1 ? 'Replaced' : 'Added'} ${relativeTimeElement(changedAt)}</li>` : nothing}
    ${envFile === 'written' ? html`<li>Also in .env</li>` : nothing}
    <li>${lastUsedAt ? html`Last used ${relativeTimeElement(lastUsedAt)}` : 'Not used yet'}</li>
  </ul></div>`;
}

/** The limits that are set, on a separate line. */
function limits(guards: NonNullable<StoredKey['guards']>): TemplateResult | typeof nothing {
  const labels = limitLabels(guards);
  if (labels.length === 0) return nothing;
  const items = labels.map((label) => html`<li>${label}</li>`);
  return html`<div class="facts left"><ul>${items}</ul></div>`;
}
