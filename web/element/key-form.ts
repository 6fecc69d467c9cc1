import { html, LitElement, nothing, type PropertyValues, type TemplateResult } from 'lit';
import type { Provider } from '../client/api-responses.ts';
import type { Client } from '../client.ts';
import { baseStyles } from './base-styles.ts';
import { describeError, type ErrorText } from './describe-error.ts';
import { emit } from './events.ts';
import { alertIcon, externalLinkIcon, lockIcon } from './icons.ts';
import { keyFormStyles } from './key-form-styles.ts';

/**
 * Shows where to get a key, and a field to paste it into. The key is read from the field once and passed to the
 * client. It is never put in a property, an event, an attribute or an error. The field is cleared when the key is
 * stored or rejected, and when the form is removed from the page.
 */
export class KeyForm extends LitElement {
  static override properties = {
    client: { attribute: false },
    provider: { attribute: false },
    replaces: { type: Boolean },
    isSaving: { state: true },
    failure: { state: true },
  };
  static override styles = [baseStyles, keyFormStyles];

  declare client: Client;
  declare provider: Provider;
  /** True if saving replaces a stored key. */
  declare replaces: boolean;
  declare isSaving: boolean;
  declare failure: ErrorText | undefined;

  constructor() {
    super();
    this.replaces = false;
    this.isSaving = false;
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#clearField();
  }

  protected override firstUpdated(_changed: PropertyValues<this>): void {
    this.#field?.focus({ preventScroll: true });
    this.scrollIntoView({ block: 'nearest' });
  }

  protected override render(): TemplateResult {
    const { name } = this.provider;
    return html`
      <form novalidate autocomplete="off" @submit=${this.#save}>
        <p class="where">${this.#keyPageLink()}</p>
        <label for="key">${this.replaces ? 'New' : 'Your'} ${name} API key</label>
        <div class="row">
          <input
            id="key"
            type="password"
            autocomplete="off"
            autocapitalize="off"
            spellcheck="false"
            data-1p-ignore
            data-lpignore="true"
            data-bwignore
            data-form-type="other"
            placeholder="Paste your key"
            aria-describedby="note"
            aria-invalid=${this.failure ? 'true' : 'false'}
            ?readonly=${this.isSaving}
            @input=${this.#clearFailure}
          />
          <button class="primary" type="submit" aria-disabled=${this.isSaving ? 'true' : 'false'}>
            ${this.isSaving ? html`<span class="spinner"></span> Checking` : 'Save key'}
          </button>
        </div>
        <div id="note" role="status">${this.#note()}</div>
      </form>
    `;
  }

  get #field(): HTMLInputElement | null {
    return this.renderRoot.querySelector('input');
  }

  #keyPageLink(): TemplateResult {
    const { name, keyPage } = this.provider;
    return html`Get a key from ${name} at
      <a href=${keyPage} target="_blank" rel="noopener noreferrer"
        >${withoutScheme(keyPage)}${externalLinkIcon}<span class="visually-hidden"> (opens in a new tab)</span></a
      >`;
  }

  #note(): TemplateResult {
    const { name, keyPage } = this.provider;
    if (this.isSaving) return html`<p class="message hint">Checking this key with ${name}…</p>`;
    if (!this.failure) {
      return html`<p class="message hint">
        ${lockIcon}<span>Your key is encrypted when you save it and is never shown again.${this.replaces ? ' Your current key is used until then.' : ''}</span>
      </p>`;
    }
    const { title, detail, canRetry } = this.failure;
    return html`<p class="message bad">
      ${alertIcon}<span
        ><strong>${title}</strong> ${detail}
        ${canRetry ? nothing : html`<a href=${keyPage} target="_blank" rel="noopener noreferrer">Open ${name}</a>`}</span
      >
    </p>`;
  }

  #save = async (event: Event): Promise<void> => {
    event.preventDefault();
    const field = this.#field;
    if (!field || this.isSaving) return;
    if (field.value.trim() === '') {
      this.failure = { title: 'The field is empty.', detail: 'Paste your key first.', canRetry: true };
      field.focus();
      return;
    }
    this.failure = undefined;
    this.isSaving = true;
    try {
      const stored = await this.client.save(this.provider.id, field.value);
      this.#clearField();
      emit(this, 'user-keys-saved', stored);
    } catch (error) {
      this.failure = describeError(error, this.provider.name);
      // Keep the key in the field if a retry may work. Clear it if the key was rejected.
      if (!this.failure.canRetry) this.#clearField();
      field.focus({ preventScroll: true });
    } finally {
      this.isSaving = false;
    }
    await this.updateComplete;
    if (this.failure) this.scrollIntoView({ block: 'nearest' });
  };

  #clearFailure = (): void => {
    this.failure = undefined;
  };

  #clearField(): void {
    const field = this.#field;
    if (field) field.value = '';
  }
}

customElements.define('user-keys-form', KeyForm);

function withoutScheme(address: string): string {
  return address.replace(/^https:\/\/(www\.)?/, '').replace(/\/$/, '');
}
