import { html, LitElement, nothing, type TemplateResult } from 'lit';
import type { Provider, StoredKey } from '../client/answers.ts';
import type { Client } from '../client.ts';
import { cardStyles } from './card-styles.ts';
import { controls } from './controls.ts';
import { DeleteDialog } from './delete-dialog.ts';
import { describeError } from './describe-error.ts';
import { describeHold, describeLimits } from './describe-guards.ts';
import { emit } from './events.ts';
import './guards-form.ts';
import { hueOf } from './hue.ts';
import './key-form.ts';
import { type Advice, adviseOn, describeVerdict } from './key-status.ts';
import { exactTime, relativeTime } from './relative-time.ts';
import { badgeStyles, statusBadge, TONE_ICONS } from './status-badge.ts';

/** One provider: without a key an invitation to add one, with a key what is known of it and what can be done. */
export class ProviderCard extends LitElement {
  static override properties = {
    client: { attribute: false },
    provider: { attribute: false },
    stored: { attribute: false },
    isRequired: { type: Boolean, attribute: 'required' },
    isOpen: { type: Boolean, attribute: 'open' },
    isChecking: { state: true },
    isLimiting: { state: true },
    outcome: { state: true },
  };
  static override styles = [controls, badgeStyles, cardStyles];

  declare client: Client;
  declare provider: Provider;
  declare stored: StoredKey | undefined;
  declare isRequired: boolean;
  /** The form is shown. The list decides, so that only one is. */
  declare isOpen: boolean;
  declare isChecking: boolean;
  /** The form of its limits is shown. */
  declare isLimiting: boolean;
  /** What came of the last check. */
  declare outcome: Advice | undefined;

  constructor() {
    super();
    this.isRequired = false;
    this.isOpen = false;
    this.isChecking = false;
    this.isLimiting = false;
  }

  protected override willUpdate(): void {
    // Not as a style attribute, which a host's content security policy may forbid.
    this.style.setProperty('--hue', String(hueOf(this.provider.name)));
  }

  /** Puts the focus on the provider's name. */
  override focus(): void {
    this.renderRoot.querySelector('h4')?.focus();
  }

  /** Puts the focus on the button that opens the form. */
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
              ${this.stored ? badges(this.stored) : this.isRequired ? html`<span class="badge">Required</span>` : nothing}
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
              @user-keys-saved=${this.#forgetOutcome}
            ></user-keys-form>`
            : nothing
        }
        ${
          this.isLimiting && this.stored
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
      @click=${this.#toggle}
    >
      ${this.isOpen ? 'Cancel' : label}
    </button>`;
  }

  /** What the status calls for stands out. */
  #storedActions({ status }: StoredKey): TemplateResult {
    const { name } = this.provider;
    return html`
      <button
        class="${status === 'unverified' ? '' : 'quiet'} ${this.isChecking ? 'busy' : ''}"
        aria-label="Check again: ${name}"
        aria-disabled=${this.isChecking ? 'true' : 'false'}
        @click=${this.#check}
      >
        <span>Check again</span>${this.isChecking ? html`<span class="spinner"></span>` : nothing}
      </button>
      <button
        class="quiet limits"
        aria-expanded=${this.isLimiting ? 'true' : 'false'}
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
    const advice = this.outcome ?? (this.stored && adviseOn(this.stored, this.provider.name));
    if (advice === undefined) return nothing;
    const { tone, what, next } = advice;
    return html`<p class="message panel ${tone}">
      ${TONE_ICONS[tone]}<span><strong>${what}</strong> ${next}</span>
    </p>`;
  }

  #toggle = (): void => {
    this.dispatchEvent(new CustomEvent('toggle-form', { detail: !this.isOpen }));
  };

  #toggleLimits = (): void => {
    this.isLimiting = !this.isLimiting;
  };

  #closeLimits = (): void => {
    this.isLimiting = false;
    this.renderRoot.querySelector<HTMLElement>('.limits')?.focus();
  };

  #check = async (): Promise<void> => {
    if (this.isChecking) return;
    this.isChecking = true;
    this.outcome = undefined;
    try {
      const checked = await this.client.check(this.provider.id);
      this.outcome = describeVerdict(checked.verdict, this.provider.name);
      emit(this, 'user-keys-checked', checked);
    } catch (error) {
      this.outcome = { tone: 'bad', ...describeError(error, this.provider.name) };
    } finally {
      this.isChecking = false;
    }
  };

  #askToDelete = (): void => {
    const dialog = this.renderRoot.querySelector('user-keys-delete');
    if (dialog instanceof DeleteDialog) dialog.show();
  };

  #forgetOutcome = (): void => {
    this.outcome = undefined;
  };
}

customElements.define('user-keys-card', ProviderCard);

/** A key that its owner has put out of use says so beside what the provider thinks of it. */
function badges({ status, guards }: StoredKey): TemplateResult {
  const held = guards && describeHold(guards, new Date());
  return html`${statusBadge(status)}
  ${held ? html`<span class="badge caution">${TONE_ICONS.caution}${held}</span>` : nothing}`;
}

function facts({ hint, createdAt, updatedAt, version, lastUsedAt, envFile }: StoredKey): TemplateResult {
  const changedAt = updatedAt ?? createdAt;
  return html`<div class="facts"><ul>
    <li class="key"
      ><span class="hint"
        ><span aria-hidden="true">•••• </span><span class="visually-hidden">Key ending in </span>${hint}</span
      ></li
    >
    ${changedAt ? html`<li>${version > 1 ? 'Replaced' : 'Added'} ${time(changedAt)}</li>` : nothing}
    ${envFile === 'written' ? html`<li>Also in .env</li>` : nothing}
    <li>${lastUsedAt ? html`Used ${time(lastUsedAt)}` : 'Not used yet'}</li>
  </ul></div>`;
}

/** What is left, on a line of its own. */
function limits(guards: NonNullable<StoredKey['guards']>): TemplateResult | typeof nothing {
  const phrases = describeLimits(guards);
  if (phrases.length === 0) return nothing;
  const items = phrases.map((phrase) => html`<li>${phrase}</li>`);
  return html`<div class="facts left"><ul>${items}</ul></div>`;
}

function time(isoTime: string): TemplateResult {
  return html`<time datetime=${isoTime} title=${exactTime(isoTime)}>${relativeTime(isoTime)}</time>`;
}
