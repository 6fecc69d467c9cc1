import { html, LitElement, nothing, type TemplateResult } from 'lit';
import { ApiError } from '../client/api-error.ts';
import type { Provider, ProviderId, StoredKey } from '../client/api-responses.ts';
import type { Client } from '../client.ts';
import { baseStyles } from './base-styles.ts';
import { describeError, type ErrorText } from './describe-error.ts';
import { emit } from './events.ts';
import { checkIcon } from './icons.ts';
import { errorMessage } from './message.ts';
import { promptPlaygroundStyles } from './prompt-playground-styles.ts';

const DEFAULT_PROMPT = 'Introduce yourself in one short sentence.';

type Answer = {
  readonly text: string;
  readonly isComplete: boolean;
  readonly provider: string;
  readonly model: string | undefined;
};

/** Sends a prompt to one of the user's providers and shows the answer as it arrives. */
export class PromptPlayground extends LitElement {
  static override properties = {
    client: { attribute: false },
    providers: { attribute: false },
    keys: { attribute: false },
    chosen: { state: true },
    answer: { state: true },
    failure: { state: true },
  };
  static override styles = [baseStyles, promptPlaygroundStyles];

  declare client: Client;
  declare providers: readonly Provider[];
  declare keys: readonly StoredKey[];
  declare chosen: ProviderId | undefined;
  declare answer: Answer | undefined;
  declare failure: ErrorText | undefined;
  #request: AbortController | undefined;

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#request?.abort();
  }

  protected override render(): TemplateResult {
    const usable = this.#usableProviders();
    return usable.length === 0 ? this.#addKeyNotice() : this.#form(usable);
  }

  /** The providers that can answer prompts and have a key that may work. */
  #usableProviders(): readonly Provider[] {
    const stored = this.keys
      .filter(({ status }) => status === 'valid' || status === 'unverified')
      .map(({ provider }) => provider);
    return this.providers.filter(({ id, generate }) => generate && stored.includes(id));
  }

  #addKeyNotice(): TemplateResult {
    return html`<div class="add-key">
      <p>To send a prompt, first add a key for one of these providers:</p>
      <div class="choices">
        ${this.providers
          .filter(({ generate }) => generate)
          .map(({ id, name }) => html`<button @click=${() => this.#addKey(id)}>${name}</button>`)}
      </div>
    </div>`;
  }

  #form(usable: readonly Provider[]): TemplateResult {
    const isSending = this.answer !== undefined && !this.answer.isComplete && !this.failure;
    return html`
      <div class="surface"><form @submit=${this.#submit}>
        <div class="field">
          <label for="prompt">Your prompt</label>
          <textarea id="prompt" rows="3" maxlength="4000" .value=${DEFAULT_PROMPT} @keydown=${this.#submitOnShortcut}></textarea>
        </div>
        <div class="row">
          <div class="field">
            <label for="provider">Provider</label>
            <select id="provider" @change=${this.#choose}>
              ${usable.map(
                ({ id, name }) =>
                  html`<option value=${id} ?selected=${id === this.#provider(usable)?.id}>${name}</option>`,
              )}
            </select>
          </div>
          ${
            isSending
              ? html`<button type="button" class="send" @click=${this.#stop}>Stop</button>`
              : html`<button type="submit" class="send primary">Send</button>`
          }
        </div>
      </form>
      <div class="answer" role="region" aria-label="Answer" aria-live="polite" aria-busy=${isSending ? 'true' : 'false'}>
        ${this.#answer(isSending)}
      </div></div>
    `;
  }

  #answer(isSending: boolean): TemplateResult | typeof nothing {
    if (!this.answer) return html`<p class="waiting">The answer appears here.</p>`;
    const { text, isComplete, provider, model } = this.answer;
    return html`
      ${text === '' && isSending ? html`<p class="waiting"><span class="spinner"></span> Waiting for ${provider}…</p>` : nothing}
      ${text === '' ? nothing : html`<p class="text">${text}${isSending ? html`<span class="cursor"></span>` : nothing}</p>`}
      ${
        isComplete
          ? html`<p class="message good">
            ${checkIcon}<span>Answered by ${provider}${model ? html`, <code>${model}</code>` : nothing}, using your own key.</span>
          </p>`
          : nothing
      }
      ${this.failure ? errorMessage(this.failure) : nothing}
    `;
  }

  #provider(usable: readonly Provider[]): Provider | undefined {
    return usable.find(({ id }) => id === this.chosen) ?? usable[0];
  }

  #submit = (event: Event): void => {
    event.preventDefault();
    void this.#send();
  };

  #submitOnShortcut = (event: KeyboardEvent): void => {
    if (event.key !== 'Enter' || !(event.metaKey || event.ctrlKey)) return;
    event.preventDefault();
    void this.#send();
  };

  async #send(): Promise<void> {
    const provider = this.#provider(this.#usableProviders());
    const prompt = this.renderRoot.querySelector('textarea')?.value.trim();
    if (!provider || !prompt) {
      this.renderRoot.querySelector('textarea')?.focus();
      return;
    }
    this.#request?.abort();
    const request = new AbortController();
    this.#request = request;
    const { signal } = request;
    this.failure = undefined;
    this.answer = { text: '', isComplete: false, provider: provider.name, model: undefined };
    try {
      const stream = await this.client.generateStream({ provider: provider.id, prompt }, { signal });
      this.answer = { ...this.answer, model: stream.model };
      for await (const piece of stream) {
        if (signal.aborted) return;
        this.answer = { ...this.answer, text: this.answer.text + piece };
      }
      this.answer = { ...this.answer, isComplete: true };
      emit(this, 'user-keys-used', { provider: provider.id });
    } catch (error) {
      if (this.#request !== request) return;
      this.failure = signal.aborted
        ? { title: 'Stopped.', detail: 'You can send the prompt again.', canRetry: true }
        : this.#describe(error, provider);
    }
  }

  #describe(error: unknown, provider: Provider): ErrorText {
    if (error instanceof ApiError && error.code === 'key_rejected') {
      return {
        title: `${provider.name} rejected your key.`,
        detail: 'Check or replace it under “API keys”.',
        canRetry: false,
      };
    }
    return describeError(error, provider.name);
  }

  #stop = (): void => {
    this.#request?.abort();
  };

  #choose = (event: Event): void => {
    if (event.target instanceof HTMLSelectElement) this.chosen = event.target.value;
  };

  #addKey(provider: ProviderId): void {
    this.dispatchEvent(new CustomEvent('add-key', { detail: provider }));
  }
}

customElements.define('user-keys-playground', PromptPlayground);
