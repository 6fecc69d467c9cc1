import { html, LitElement, nothing, type PropertyValues, type TemplateResult } from 'lit';
import type { Provider } from '../client/answers.ts';
import type { Client } from '../client.ts';
import { controls } from './controls.ts';
import { describeError, type ErrorText } from './describe-error.ts';
import { emit } from './events.ts';
import { alertIcon, lockIcon, outsideIcon } from './icons.ts';
import { keyFormStyles } from './key-form-styles.ts';

/**
 * Where to get a key, and the field to paste it into. The key is read from the field once, handed to the client,
 * and kept nowhere: not in a property, an event, an attribute or an error. The field is emptied when the key was
 * stored or refused, and when the form leaves the page.
 */
export class KeyForm extends LitElement {
  static override properties = {
    client: { attribute: false },
    provider: { attribute: false },
    replaces: { type: Boolean },
    isSaving: { state: true },
    failure: { state: true },
  };
  static override styles = [controls, keyFormStyles];

  declare client: Client;
  declare provider: Provider;
  /** There is a stored key that this one would replace. */
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
    this.#empty();
  }

  protected override firstUpdated(_changed: PropertyValues<this>): void {
    this.#field?.focus({ preventScroll: true });
    this.scrollIntoView({ block: 'nearest' });
  }

  protected override render(): TemplateResult {
    const { name } = this.provider;
    return html`
      <form novalidate autocomplete="off" @submit=${this.#save}>
        <p class="where">${this.#whereToGetOne()}</p>
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
            placeholder="Paste it here"
            aria-describedby="note"
            aria-invalid=${this.failure ? 'true' : 'false'}
            ?readonly=${this.isSaving}
            @input=${this.#forgetFailure}
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

  #whereToGetOne(): TemplateResult {
    const { name, keyPage } = this.provider;
    return html`Get one from ${name} at
      <a href=${keyPage} target="_blank" rel="noopener noreferrer"
        >${withoutScheme(keyPage)}${outsideIcon}<span class="visually-hidden"> (opens in a new tab)</span></a
      >`;
  }

  #note(): TemplateResult {
    const { name, keyPage } = this.provider;
    if (this.isSaving) return html`<p class="message hint">Asking ${name} whether this key works …</p>`;
    if (!this.failure) {
      return html`<p class="message hint">
        ${lockIcon}<span>Sealed when it is saved, and never shown again${this.replaces ? '. The former key stays until this one is stored.' : '.'}</span>
      </p>`;
    }
    const { what, next, canRetry } = this.failure;
    return html`<p class="message bad">
      ${alertIcon}<span
        ><strong>${what}</strong> ${next}
        ${canRetry ? nothing : html`<a href=${keyPage} target="_blank" rel="noopener noreferrer">Open ${name}</a>`}</span
      >
    </p>`;
  }

  #save = async (event: Event): Promise<void> => {
    event.preventDefault();
    const field = this.#field;
    if (!field || this.isSaving) return;
    if (field.value.trim() === '') {
      this.failure = { what: 'There is no key here yet.', next: 'Paste one first.', canRetry: true };
      field.focus();
      return;
    }
    this.failure = undefined;
    this.isSaving = true;
    try {
      const stored = await this.client.save(this.provider.id, field.value);
      this.#empty();
      emit(this, 'user-keys-saved', stored);
    } catch (error) {
      this.failure = describeError(error, this.provider.name);
      // What may work unchanged on a second try stays in the field; a refused key does not.
      if (!this.failure.canRetry) this.#empty();
      field.focus({ preventScroll: true });
    } finally {
      this.isSaving = false;
    }
    await this.updateComplete;
    if (this.failure) this.scrollIntoView({ block: 'nearest' });
  };

  #forgetFailure = (): void => {
    this.failure = undefined;
  };

  #empty(): void {
    const field = this.#field;
    if (field) field.value = '';
  }
}

customElements.define('user-keys-form', KeyForm);

function withoutScheme(address: string): string {
  return address.replace(/^https:\/\/(www\.)?/, '').replace(/\/$/, '');
}
