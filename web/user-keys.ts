/**
 * `<user-keys>`: a person adds, sees and changes their keys, led through onboarding the first time. Any page can
 * embed it: set `getToken`, listen to its events (element/events.ts), theme it with custom properties
 * (docs/web.md).
 */
import { html, LitElement, nothing, type PropertyValues, type TemplateResult } from 'lit';
import type { Provider, ProviderName, StoredKey } from './client/answers.ts';
import type { GetToken } from './client/call-api.ts';
import type { Onboarding, OnboardingPatch } from './client/onboarding.ts';
import { type Client, createClient } from './client.ts';
import { controls } from './element/controls.ts';
import { describeError, type ErrorText } from './element/describe-error.ts';
import { emit } from './element/events.ts';
import { alertIcon, offlineIcon } from './element/icons.ts';
import { KeyList } from './element/key-list.ts';
import { theme } from './element/theme.ts';
import './element/activity.ts';
import './element/onboarding-walk.ts';
import './element/try-it.ts';
import { userKeysStyles } from './element/user-keys-styles.ts';

type Contents = {
  readonly providers: readonly Provider[];
  readonly keys: readonly StoredKey[];
  readonly onboarding: Onboarding;
};

export class UserKeys extends LitElement {
  static override properties = {
    getToken: { attribute: false },
    apiBase: { attribute: 'api-base' },
    view: {},
    client: { state: true },
    contents: { state: true },
    failure: { state: true },
    isOffline: { state: true },
    hasJustFinished: { state: true },
  };
  static override styles = [theme, controls, userKeysStyles];

  /** Gives the session token, or null when nobody is signed in. Nothing is loaded before it is set. */
  declare getToken: GetToken | undefined;
  /** Where the functions are. Default: the page's own origin. */
  declare apiBase: string;
  /** `keys` shows the keys also while onboarding is not finished. */
  declare view: 'keys' | undefined;
  declare private client: Client | undefined;
  declare private contents: Contents | undefined;
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
    this.addEventListener('user-keys-used', ({ detail }) => this.#noteUse(detail.provider));
    this.addEventListener('user-keys-removed', ({ detail }) => this.#dropKey(detail.provider));
  }

  override connectedCallback(): void {
    super.connectedCallback();
    window.addEventListener('online', this.#followConnection);
    window.addEventListener('offline', this.#followConnection);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    window.removeEventListener('online', this.#followConnection);
    window.removeEventListener('offline', this.#followConnection);
  }

  /** Loads everything again, such as after the user has signed in. */
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
      if (client === this.client) this.contents = { providers, keys, onboarding };
    } catch (error) {
      if (client === this.client) this.failure = describeError(error);
    }
  }

  /** Completes or skips a step of the host's own, with data to keep. Throws ApiError. */
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
            ${offlineIcon}<span><strong>You are offline.</strong> What you see may be out of date.</span>
          </p>`
          : nothing
      }
      ${this.failure ? this.#failure(this.failure) : this.#contents()}
    `;
  }

  #contents(): TemplateResult {
    const { contents, client } = this;
    if (!contents || !client) return skeleton();
    const { completedAt } = contents.onboarding;
    return completedAt === null && this.view !== 'keys'
      ? html`<user-keys-walk
          .client=${client}
          .providers=${contents.providers}
          .keys=${contents.keys}
          .onboarding=${contents.onboarding}
          @onboarding-moved=${(event: CustomEvent<Onboarding>) => this.#putOnboarding(event.detail)}
        >
          ${contents.onboarding.steps.map(({ id }) => html`<slot name=${id} slot=${id}></slot>`)}
        </user-keys-walk>`
      : this.#keys(client, contents);
  }

  #keys(client: Client, { providers, keys, onboarding }: Contents): TemplateResult {
    const required = onboarding.steps.flatMap((step) => step.requiredProviders);
    return html`<div class="keys">
      <div class="intro">
        <h2 id="title" tabindex="-1">${this.hasJustFinished ? 'You’re all set' : 'API keys'}</h2>
        <p>
          ${
            this.hasJustFinished
              ? 'Every call made for you is now paid with your own keys. You can change them here at any time.'
              : 'Every call made for you is paid with these keys, and with nobody else’s.'
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
        <user-keys-try
          .client=${client}
          .providers=${providers}
          .keys=${keys}
          @add-key=${(event: CustomEvent<ProviderName>) => this.#addKeyFor(event.detail)}
        ></user-keys-try>
      </section>
      <user-keys-activity .client=${client} .providers=${providers}></user-keys-activity>
    </div>`;
  }

  #failure({ what, next, canRetry }: ErrorText): TemplateResult {
    return html`<div class="failure" role="alert">
      <p class="message bad">${alertIcon}<span><strong>${what}</strong> ${next}</span></p>
      ${canRetry ? html`<button @click=${() => void this.reload()}>Try again</button>` : nothing}
    </div>`;
  }

  /** Another token source may be another user: nothing of the former one stays. */
  #connect(): void {
    const { getToken, apiBase } = this;
    this.contents = undefined;
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

  #followConnection = (): void => {
    this.isOffline = !navigator.onLine;
    if (!this.isOffline && this.failure) void this.reload();
  };

  #putKey(stored: StoredKey): void {
    if (!this.contents) return;
    const others = this.contents.keys.filter(({ provider }) => provider !== stored.provider);
    this.contents = { ...this.contents, keys: [...others, stored] };
  }

  /** The server notes it too, after its answer. */
  #noteUse(used: ProviderName): void {
    const stored = this.contents?.keys.find(({ provider }) => provider === used);
    if (stored) this.#putKey({ ...stored, lastUsedAt: new Date().toISOString() });
  }

  #dropKey(removed: ProviderName): void {
    if (!this.contents) return;
    const keys = this.contents.keys.filter(({ provider }) => provider !== removed);
    this.contents = { ...this.contents, keys };
  }

  #putOnboarding(onboarding: Onboarding): void {
    if (!this.contents) return;
    this.hasJustFinished = this.contents.onboarding.completedAt === null && onboarding.completedAt !== null;
    this.contents = { ...this.contents, onboarding };
    emit(this, 'user-keys-onboarding', onboarding);
    if (this.hasJustFinished) void this.#focusTitle();
  }

  async #focusTitle(): Promise<void> {
    await this.updateComplete;
    this.renderRoot.querySelector<HTMLElement>('#title')?.focus();
    this.scrollIntoView({ block: 'start' });
  }

  #addKeyFor(provider: ProviderName): void {
    const keyList = this.renderRoot.querySelector('user-keys-list');
    if (keyList instanceof KeyList) void keyList.addKeyFor(provider);
  }
}

customElements.define('user-keys', UserKeys);

declare global {
  interface HTMLElementTagNameMap {
    'user-keys': UserKeys;
  }
}

function skeleton(): TemplateResult {
  return html`<div class="skeleton" role="status">
    <span class="visually-hidden">Loading your keys …</span>
    <div class="line"></div>
    <div class="title"></div>
    ${[1, 2, 3, 4].map(() => html`<div class="row"></div>`)}
  </div>`;
}
