import { html, LitElement, nothing, type PropertyValues, type TemplateResult } from 'lit';
import type { GuardsPatch } from '../client/activity.ts';
import type { StoredKey } from '../client/api-responses.ts';
import type { Client } from '../client.ts';
import { baseStyles } from './base-styles.ts';
import { describeError, type ErrorText } from './describe-error.ts';
import { emit } from './events.ts';
import { guardsFormStyles } from './guards-form-styles.ts';
import { errorMessage } from './message.ts';

/** Edits the limits of a key. The server enforces them before it calls the provider. */
export class GuardsForm extends LitElement {
  static override properties = {
    client: { attribute: false },
    stored: { attribute: false },
    name: {},
    isSaving: { state: true },
    failure: { state: true },
  };
  static override styles = [baseStyles, guardsFormStyles];

  declare client: Client;
  declare stored: StoredKey;
  /** The provider's name. */
  declare name: string;
  declare isSaving: boolean;
  declare failure: ErrorText | undefined;

  constructor() {
    super();
    this.name = '';
    this.isSaving = false;
  }

  protected override firstUpdated(_changed: PropertyValues<this>): void {
    this.renderRoot.querySelector('input')?.focus({ preventScroll: true });
    this.scrollIntoView({ block: 'nearest' });
  }

  protected override render(): TemplateResult {
    const { guards } = this.stored;
    return html`<form novalidate autocomplete="off" aria-label="Limits for ${this.name}" @submit=${this.#save}>
      <label class="switch">
        <input type="checkbox" name="paused" role="switch" .checked=${guards?.paused ?? false} />
        <span>Paused<small>While the key is paused, no call can use it.</small></span>
      </label>
      <div class="pair">
        <div class="field">
          <label for="calls">Daily limit</label>
          <input
            id="calls"
            name="callsPerDay"
            inputmode="numeric"
            placeholder="No limit"
            aria-describedby="calls-note"
            .value=${String(guards?.callsPerDay ?? '')}
          />
          <p id="calls-note" class="note">
            ${guards?.callsPerDay == null ? 'Calls per day. Resets at midnight UTC.' : `Calls made today: ${guards.callsToday}. Resets at midnight UTC.`}
          </p>
        </div>
        <div class="field">
          <label for="until">Expiry date</label>
          <input
            id="until"
            name="lastDay"
            type="date"
            aria-describedby="until-note"
            .value=${lastDayOf(guards?.expiresAt)}
          />
          <p id="until-note" class="note">The last day on which this key can be used.</p>
        </div>
      </div>
      <div class="field">
        <label for="models">Allowed models</label>
        <input
          id="models"
          name="models"
          placeholder="Any model"
          autocapitalize="off"
          spellcheck="false"
          aria-describedby="models-note"
          .value=${guards?.models?.join(', ') ?? ''}
        />
        <p id="models-note" class="note">Enter exact names, separated by commas. Calls to other models, or without a model, are rejected.</p>
      </div>
      <div id="note" role="status">
        ${this.failure ? errorMessage(this.failure) : nothing}
      </div>
      <div class="row">
        <button class="primary" type="submit" aria-disabled=${this.isSaving ? 'true' : 'false'}>
          ${this.isSaving ? html`<span class="spinner"></span> Saving` : 'Save limits'}
        </button>
        <button class="quiet" type="button" @click=${this.#close}>Cancel</button>
      </div>
    </form>`;
  }

  #save = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    if (this.isSaving || !(event.target instanceof HTMLFormElement)) return;
    const guards = readForm(event.target);
    if (Number.isNaN(guards.callsPerDay)) {
      this.failure = {
        title: 'The daily limit must be a whole number.',
        detail: 'Leave it empty for no limit.',
        canRetry: false,
      };
      this.renderRoot.querySelector<HTMLElement>('#calls')?.focus();
      return;
    }
    this.failure = undefined;
    this.isSaving = true;
    try {
      const { provider } = this.stored;
      emit(this, 'user-keys-checked', await this.client.activity.updateGuards(provider, guards));
      this.#close();
    } catch (error) {
      this.failure = describeError(error, this.name);
    } finally {
      this.isSaving = false;
    }
  };

  #close = (): void => {
    this.dispatchEvent(new CustomEvent('close'));
  };
}

customElements.define('user-keys-guards', GuardsForm);

/** The limits that the form contains. An empty field means no limit. `callsPerDay` is NaN if it is not a number. */
function readForm(form: HTMLFormElement): GuardsPatch {
  const fields = new FormData(form);
  const textOf = (name: string) => String(fields.get(name) ?? '').trim();
  const [calls, lastDay] = [textOf('callsPerDay'), textOf('lastDay')];
  const models = textOf('models')
    .split(/[\s,]+/)
    .filter((name) => name !== '');
  return {
    paused: fields.has('paused'),
    callsPerDay: calls === '' ? null : /^\d+$/.test(calls) ? Number(calls) : Number.NaN,
    expiresAt: lastDay === '' ? null : endOf(lastDay),
    models: models.length === 0 ? null : models,
  };
}

/** The end of the day in the user's time zone. */
function endOf(day: string): string {
  const end = new Date(`${day}T00:00:00`);
  end.setDate(end.getDate() + 1);
  return end.toISOString();
}

function lastDayOf(expiresAt: string | null | undefined): string {
  if (!expiresAt) return '';
  const last = new Date(Date.parse(expiresAt) - 1);
  const parts = [last.getFullYear(), last.getMonth() + 1, last.getDate()];
  return parts.map((part) => String(part).padStart(2, '0')).join('-');
}
