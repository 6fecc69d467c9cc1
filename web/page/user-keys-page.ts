import { html, LitElement, nothing, svg, type TemplateResult } from 'lit';
import { createClient } from '../client.ts';
import { baseStyles } from '../element/base-styles.ts';
import { icon } from '../element/icons.ts';
import { theme } from '../element/theme.ts';
import '../user-keys-element.ts';
import { DEMO_USERS, type DemoUser, demoSession, findLocalIssuer, readDemoUser } from './local-issuer.ts';
import { pageStyles } from './page-styles.ts';
import { readHostSession, type Session } from './session.ts';

const brandMark = html`<svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
  <rect width="32" height="32" rx="9" fill="var(--uk-accent)" />
  <g fill="none" stroke="var(--uk-on-accent)" stroke-width="2.6" stroke-linecap="round" stroke-linejoin="round">
    <circle cx="12" cy="16" r="4.6" />
    <path d="M16.6 16H25M21.6 16v4.2" />
  </g>
</svg>`;

const moonIcon = icon(svg`<path d="M16.5 11.8A6.8 6.8 0 0 1 8.2 3.5a6.8 6.8 0 1 0 8.3 8.3Z" />`);
const sunIcon = icon(
  svg`<circle cx="10" cy="10" r="3.4" /><path d="M10 2.5v1.8M10 15.7v1.8M2.5 10h1.8M15.7 10h1.8M4.7 4.7 6 6M14 14l1.3 1.3M15.3 4.7 14 6M6 14l-1.3 1.3" />`,
);

/**
 * The standalone page, for development and for apps without a settings page of their own. It shows a header, the
 * sign-in if there is a local issuer, and `<user-keys>`.
 */
export class UserKeysPage extends LitElement {
  static override properties = {
    session: { state: true },
    issuer: { state: true },
    isReady: { state: true },
    isDark: { state: true },
  };
  static override styles = [theme, baseStyles, pageStyles];

  declare private session: Session | undefined;
  declare private issuer: string | undefined;
  declare private isReady: boolean;
  declare private isDark: boolean;

  constructor() {
    super();
    this.isReady = false;
    this.isDark = matchMedia('(prefers-color-scheme: dark)').matches;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    void this.#start();
  }

  protected override render(): TemplateResult {
    return html`
      <header>
        <a class="brand" href="/">${brandMark}<span>userkeys</span></a>
        <span class="space"></span>
        ${this.session?.name ? html`<span class="user">${this.session.name}</span>` : nothing}
        ${this.session?.signOut ? html`<button class="quiet" @click=${this.#signOut}>Sign out</button>` : nothing}
        <button
          class="quiet icon"
          aria-label=${this.isDark ? 'Use light colours' : 'Use dark colours'}
          @click=${this.#switchTheme}
        >
          ${this.isDark ? sunIcon : moonIcon}
        </button>
      </header>
      <main>${this.isReady ? this.#main() : nothing}</main>
    `;
  }

  #main(): TemplateResult {
    if (this.session) {
      return html`<h1 class="visually-hidden">Your API keys</h1>
        <user-keys
        .getToken=${this.session.getToken}
        @user-keys-sign-in-needed=${this.#signOut}
      ></user-keys>`;
    }
    return this.issuer === undefined ? openFromAppNotice() : this.#signIn();
  }

  #signIn(): TemplateResult {
    return html`<section class="sign-in" aria-labelledby="who">
      ${brandMark}
      <h1 id="who" tabindex="-1">Choose a test user</h1>
      <p>These users exist only on this computer. Each user has separate keys.</p>
      <div class="users">
        ${DEMO_USERS.map(
          (user) => html`<button @click=${() => this.#signInAs(user)}>
            <span class="initial" aria-hidden="true">${user.slice(0, 1).toUpperCase()}</span>${user}
          </button>`,
        )}
      </div>
    </section>`;
  }

  async #start(): Promise<void> {
    this.session = readHostSession();
    if (!this.session) {
      this.issuer = await findLocalIssuer();
      const user = readDemoUser();
      if (user) this.#signInAs(user);
    }
    this.isReady = true;
  }

  #signInAs(user: DemoUser): void {
    if (this.issuer === undefined) return;
    this.session = demoSession(this.issuer, user, () => {
      this.session = undefined;
    });
  }

  #signOut = async (): Promise<void> => {
    const { session } = this;
    if (!session?.signOut) return;
    createClient({ getToken: session.getToken }).signedOut();
    await session.signOut();
    await this.updateComplete;
    this.renderRoot.querySelector<HTMLElement>('h1')?.focus();
  };

  #switchTheme = (): void => {
    this.isDark = !this.isDark;
    document.documentElement.dataset.theme = this.isDark ? 'dark' : 'light';
  };
}

customElements.define('user-keys-page', UserKeysPage);

function openFromAppNotice(): TemplateResult {
  return html`<section class="sign-in">
    ${brandMark}
    <h1>Open this page from your app</h1>
    <p>
      The app signs you in and then shows your keys here. If you run this deployment, see docs/web.md. It explains
      how to pass a session to this page, and how to embed your keys in a page of your own.
    </p>
  </section>`;
}
