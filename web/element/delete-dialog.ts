import { css, html, LitElement, nothing, type TemplateResult } from 'lit';
import type { Provider } from '../client/api-responses.ts';
import type { Client } from '../client.ts';
import { baseStyles } from './base-styles.ts';
import { describeError, type ErrorText } from './describe-error.ts';
import { emit } from './events.ts';
import { errorMessage } from './message.ts';

/** Asks for confirmation before a key is deleted. `<dialog>` traps the focus and restores it when it closes. */
export class DeleteDialog extends LitElement {
  static override properties = {
    client: { attribute: false },
    provider: { attribute: false },
    isInEnvFile: { type: Boolean, attribute: 'in-env-file' },
    isDeleting: { state: true },
    failure: { state: true },
  };

  static override styles = [
    baseStyles,
    css`
      dialog {
        width: min(26rem, calc(100vw - 2rem));
        padding: 1.5rem;
        border: 1px solid var(--uk-line);
        border-radius: var(--uk-radius);
        background: var(--uk-surface);
        color: var(--uk-text);
        box-shadow: 0 24px 64px rgb(10 12 20 / 28%);
      }
      dialog::backdrop {
        background: rgb(14 17 24 / 45%);
      }
      h3 {
        font-size: calc(var(--uk-size) * 1.125);
      }
      dialog > p {
        margin-top: 0.5rem;
        color: var(--uk-muted);
        font-size: var(--uk-size-small);
      }
      dialog > .message {
        color: var(--uk-text);
        margin-top: 0.875rem;
      }
      .row {
        display: flex;
        gap: 0.5rem;
        justify-content: flex-end;
        margin-top: 1.5rem;
      }
      .danger {
        min-width: 7.25rem;
      }
      @media (max-width: 30rem) {
        .row > * {
          flex: 1;
        }
      }
    `,
  ];

  declare client: Client;
  declare provider: Provider;
  declare isInEnvFile: boolean;
  declare isDeleting: boolean;
  declare failure: ErrorText | undefined;

  constructor() {
    super();
    this.isInEnvFile = false;
    this.isDeleting = false;
  }

  show(): void {
    this.failure = undefined;
    this.#dialog?.showModal();
  }

  protected override render(): TemplateResult {
    const { name } = this.provider;
    return html`
      <dialog aria-labelledby="question" aria-describedby="consequence">
        <h3 id="question">Delete your ${name} key?</h3>
        <p id="consequence">
          This deletes the stored key${this.isInEnvFile ? ' and removes it from your .env file' : ''}. Calls to ${name} will fail until you add another key.
          The key itself stays valid until you revoke it at ${name}.
        </p>
        ${this.failure ? errorMessage(this.failure, 'alert') : nothing}
        <div class="row">
          <button @click=${this.#close}>Cancel</button>
          <button class="danger" aria-disabled=${this.isDeleting ? 'true' : 'false'} @click=${this.#delete}>
            ${this.isDeleting ? html`<span class="spinner"></span> Deleting` : 'Delete key'}
          </button>
        </div>
      </dialog>
    `;
  }

  get #dialog(): HTMLDialogElement | null {
    return this.renderRoot.querySelector('dialog');
  }

  #close = (): void => {
    this.#dialog?.close();
  };

  #delete = async (): Promise<void> => {
    if (this.isDeleting) return;
    this.failure = undefined;
    this.isDeleting = true;
    try {
      await this.client.remove(this.provider.id);
      this.#close();
      emit(this, 'user-keys-removed', { provider: this.provider.id });
    } catch (error) {
      this.failure = describeError(error, this.provider.name);
    } finally {
      this.isDeleting = false;
    }
  };
}

customElements.define('user-keys-delete', DeleteDialog);
