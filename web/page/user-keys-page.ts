import { html, LitElement, nothing, type TemplateResult } from 'lit';
import { createClient } from '../client.ts';
import { controls } from '../element/controls.ts';
import { theme } from '../element/theme.ts';
import '../user-keys.ts';
import { DEMO_USERS, type DemoUser, demoSession, findLocalIssuer, rememberedUser } from './local-issuer.ts';
import { brandMark, moonIcon, sunIcon } from './page-icons.ts';
import { pageStyles } from './page-styles.ts';
import { hostSession, type Session } from './session.ts';

/** Header, sign-in where there is a local issuer, and `<user-keys>`. */
export class UserKeysPage extends LitElement {
  static override properties = {
    session: { state: true },
    issuer: { state: true },
    isReady: { state: true },
    isDark: { state: true },
  };
  static override styles = [theme, controls, pageStyles];

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
    return this.issuer === undefined ? forApps() : this.#signIn();
  }

  #signIn(): TemplateResult {
    return html`<section class="sign-in" aria-labelledby="who">
      ${brandMark}
      <h1 id="who" tabindex="-1">Who are you today?</h1>
      <p>Two users for trying things out on this machine. Each has keys of their own and sees nobody else’s.</p>
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
    this.session = hostSession();
    if (!this.session) {
      this.issuer = await findLocalIssuer();
      const user = rememberedUser();
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

function forApps(): TemplateResult {
  return html`<section class="sign-in">
    ${brandMark}
    <h1>Open this from your app</h1>
    <p>
      The app you use signs you in and shows your keys here. If you run this deployment, docs/web.md says how to
      hand the page a session, or how to put it into a page of your own.
    </p>
  </section>`;
}
