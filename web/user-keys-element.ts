/**
 * `<user-keys>`: users add, view and change their keys. New users go through onboarding first. Any page can embed the
 * element. Set `getToken`, listen to the events (element/events.ts) and style it with custom properties (docs/web.md).
 */
import { html, LitElement, nothing, type PropertyValues, type TemplateResult } from 'lit';
import type { GetToken } from './client/api-fetch.ts';
import type { Provider, ProviderId, StoredKey } from './client/api-responses.ts';
import type { Onboarding, OnboardingPatch } from './client/onboarding.ts';
import { type Client, createClient } from './client.ts';
import { baseStyles } from './element/base-styles.ts';
import { describeError, type ErrorText } from './element/describe-error.ts';
import { emit } from './element/events.ts';
import { offlineIcon } from './element/icons.ts';
import { KeyList } from './element/key-list.ts';
import { errorMessage } from './element/message.ts';
import { theme } from './element/theme.ts';
import './element/activity-panel.ts';
import './element/onboarding-wizard.ts';
import './element/prompt-playground.ts';
import { userKeysStyles } from './element/user-keys-styles.ts';

type LoadedData = {
  readonly providers: readonly Provider[];
  readonly keys: readonly StoredKey[];
  readonly onboarding: Onboarding;
};

export class UserKeysElement extends LitElement {
  static override properties = {
    getToken: { attribute: false },
    apiBase: { attribute: 'api-base' },
    view: {},
    client: { state: true },
    data: { state: true },
    failure: { state: true },
    isOffline: { state: true },
    hasJustFinished: { state: true },
  };
  static override styles = [theme, baseStyles, userKeysStyles];

  /** Returns the session token, or null when nobody is signed in. The element loads nothing until this is set. */
  declare getToken: GetToken | undefined;
  /** Origin of the API. Default: the page's own origin. */
  declare apiBase: string;
  /** `keys` shows the list of keys even if onboarding is not finished. */
  declare view: 'keys' | undefined;
  declare private client: Client | undefined;
  declare private data: LoadedData | undefined;
  declare private failure: ErrorText | undefined;
  declare private isOffline: boolean;
  declare private hasJustFinished: boolean;

  constructor() {
    super();
    this.apiBase = '';
    this.isOffline = !navigator.onLine;
    this.hasJustFinished = false;
    this.addEventListener('user-keys-saved', ({ detail }) => this.#putKey(detail));
    this.addEventListener('user-keys-checked', ({ detail }) => this.#putKey(detail));
    this.addEventListener('user-keys-used', ({ detail }) => this.#updateLastUsed(detail.provider));
    this.addEventListener('user-keys-removed', ({ detail }) => this.#removeKey(detail.provider));
  }

  override connectedCallback(): void {
    super.connectedCallback();
    window.addEventListener('online', this.#updateConnection);
    window.addEventListener('offline', this.#updateConnection);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    window.removeEventListener('online', this.#updateConnection);
    window.removeEventListener('offline', this.#updateConnection);
  }

  /** Loads all data again, for example after the user has signed in. */
  async reload(): Promise<void> {
    const { client } = this;
    if (!client) return;
    this.failure = undefined;
    try {
      const [providers, keys, onboarding] = await Promise.all([
        client.providers(),
        client.list(),
        client.onboarding.get(),
      ]);
      if (client === this.client) this.data = { providers, keys, onboarding };
    } catch (error) {
      if (client === this.client) this.failure = describeError(error);
    }
  }

  /** Completes or skips a step that the host page provides, and stores data with it. Throws ApiError. */
  async changeStep(change: OnboardingPatch): Promise<void> {
    if (!this.client) return;
    this.#putOnboarding(await this.client.onboarding.patch(change));
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has('getToken') || changed.has('apiBase')) this.#connect();
  }

  protected override render(): TemplateResult {
    return html`
      ${
        this.isOffline
          ? html`<p class="message panel caution offline" role="status">
            ${offlineIcon}<span><strong>You are offline.</strong> The information on this page may be out of date.</span>
          </p>`
          : nothing
      }
      ${this.failure ? this.#failure(this.failure) : this.#content()}
    `;
  }

  #content(): TemplateResult {
    const { data, client } = this;
    if (!data || !client) return skeleton();
    const { completedAt } = data.onboarding;
    return completedAt === null && this.view !== 'keys'
      ? html`<user-keys-wizard
          .client=${client}
          .providers=${data.providers}
          .keys=${data.keys}
          .onboarding=${data.onboarding}
          @onboarding-changed=${(event: CustomEvent<Onboarding>) => this.#putOnboarding(event.detail)}
        >
          ${data.onboarding.steps.map(({ id }) => html`<slot name=${id} slot=${id}></slot>`)}
        </user-keys-wizard>`
      : this.#keys(client, data);
  }

  #keys(client: Client, { providers, keys, onboarding }: LoadedData): TemplateResult {
    const required = onboarding.steps.flatMap((step) => step.requiredProviders);
    return html`<div class="keys">
      <div class="intro">
        <h2 id="title" tabindex="-1">${this.hasJustFinished ? 'You’re all set' : 'API keys'}</h2>
        <p>
          ${
            this.hasJustFinished
              ? 'All calls made for you now use your own keys. You can change them here at any time.'
              : 'All calls made for you use these keys and are billed to your own accounts.'
          }
        </p>
      </div>
      <user-keys-list
        .client=${client}
        .providers=${providers}
        .keys=${keys}
        .requiredProviders=${required}
      ></user-keys-list>
      <section class="try" aria-labelledby="try">
        <h3 id="try">Try a key</h3>
        <user-keys-playground
          .client=${client}
          .providers=${providers}
          .keys=${keys}
          @add-key=${(event: CustomEvent<ProviderId>) => this.#addKeyFor(event.detail)}
        ></user-keys-playground>
      </section>
      <user-keys-activity .client=${client} .providers=${providers}></user-keys-activity>
    </div>`;
  }

  #failure({ canRetry, ...text }: ErrorText): TemplateResult {
    return html`<div class="failure" role="alert">
      ${errorMessage(text)}
      ${canRetry ? html`<button @click=${() => void this.reload()}>Try again</button>` : nothing}
    </div>`;
  }

  /** A new token source may belong to another user, so all data of the previous user is removed. */
  #connect(): void {
    const { getToken, apiBase } = this;
    this.data = undefined;
    this.failure = undefined;
    this.hasJustFinished = false;
    this.client = getToken
      ? createClient({
          getToken,
          apiBase,
          onUserChange: () => this.#connect(),
          onSignInNeeded: () => emit(this, 'user-keys-sign-in-needed', undefined),
        })
      : undefined;
    void this.reload();
  }

  #updateConnection = (): void => {
    this.isOffline = !navigator.onLine;
    if (!this.isOffline && this.failure) void this.reload();
  };

  #putKey(stored: StoredKey): void {
    if (!this.data) return;
    const others = this.data.keys.filter(({ provider }) => provider !== stored.provider);
    this.data = { ...this.data, keys: [...others, stored] };
  }

  /** The server records the use after its response, so the stored value may still be old. */
  #updateLastUsed(used: ProviderId): void {
    const stored = this.data?.keys.find(({ provider }) => provider === used);
    if (stored) this.#putKey({ ...stored, lastUsedAt: new Date().toISOString() });
  }

  #removeKey(removed: ProviderId): void {
    if (!this.data) return;
    const keys = this.data.keys.filter(({ provider }) => provider !== removed);
    this.data = { ...this.data, keys };
  }

  #putOnboarding(onboarding: Onboarding): void {
    if (!this.data) return;
    this.hasJustFinished = this.data.onboarding.completedAt === null && onboarding.completedAt !== null;
    this.data = { ...this.data, onboarding };
    emit(this, 'user-keys-onboarding', onboarding);
    if (this.hasJustFinished) void this.#focusTitle();
  }

  async #focusTitle(): Promise<void> {
    await this.updateComplete;
    this.renderRoot.querySelector<HTMLElement>('#title')?.focus();
    this.scrollIntoView({ block: 'start' });
  }

  #addKeyFor(provider: ProviderId): void {
    const keyList = this.renderRoot.querySelector('user-keys-list');
    if (keyList instanceof KeyList) void keyList.addKeyFor(provider);
  }
}

customElements.define('user-keys', UserKeysElement);

declare global {
  interface HTMLElementTagNameMap {
    'user-keys': UserKeysElement;
  }
}

function skeleton(): TemplateResult {
  return html`<div class="skeleton" role="status">
    <span class="visually-hidden">Loading your keys…</span>
    <div class="line"></div>
    <div class="title"></div>
    ${[1, 2, 3, 4].map(() => html`<div class="row"></div>`)}
  </div>`;
}
