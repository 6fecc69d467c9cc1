import { html, LitElement, nothing, type PropertyValues, type TemplateResult } from 'lit';
import { repeat } from 'lit/directives/repeat.js';
import type { Provider, ProviderName, StoredKey } from '../client/answers.ts';
import type { Client } from '../client.ts';
import { arrangeProviders, matchProviders } from './arrange-providers.ts';
import { controls } from './controls.ts';
import { searchIcon } from './icons.ts';
import { keyListStyles } from './key-list-styles.ts';
import { ProviderCard } from './provider-card.ts';

/** The keys a user has, then the providers they could add one for: a few, and the rest on request. */
export class KeyList extends LitElement {
  static override properties = {
    client: { attribute: false },
    providers: { attribute: false },
    keys: { attribute: false },
    requiredProviders: { attribute: false },
    openForm: { state: true },
    search: { state: true },
    showsAll: { state: true },
  };
  static override styles = [controls, keyListStyles];

  declare client: Client;
  declare providers: readonly Provider[];
  declare keys: readonly StoredKey[];
  declare requiredProviders: readonly ProviderName[];
  /** The one provider whose form is open. */
  declare openForm: ProviderName | undefined;
  declare search: string;
  declare showsAll: boolean;
  /** The provider whose card is about to move, since its key was saved or removed. */
  #moving: ProviderName | undefined;

  constructor() {
    super();
    this.requiredProviders = [];
    this.search = '';
    this.showsAll = false;
    this.addEventListener('user-keys-saved', this.#whenSaved);
    this.addEventListener('user-keys-removed', this.#whenRemoved);
  }

  /** Opens the form of a provider, wherever it stands. */
  async addKeyFor(provider: ProviderName): Promise<void> {
    this.search = '';
    this.showsAll = true;
    this.openForm = provider;
    await this.updateComplete;
  }

  protected override updated(changed: PropertyValues<this>): void {
    if (!changed.has('keys') || this.#moving === undefined) return;
    void this.#followCard(this.#moving);
    this.#moving = undefined;
  }

  protected override render(): TemplateResult {
    const { stored, suggested, others } = arrangeProviders(this.providers, this.keys, this.requiredProviders);
    return html`
      ${
        stored.length > 0
          ? html`<section aria-labelledby="yours">
            <h3 id="yours" class="title" tabindex="-1">Your keys</h3>
            ${this.#cards(stored)}
          </section>`
          : nothing
      }
      ${suggested.length > 0 ? this.#available(suggested, others, stored.length === 0) : nothing}
    `;
  }

  #available(suggested: readonly Provider[], others: readonly Provider[], isFirst: boolean): TemplateResult {
    const all = [...suggested, ...others];
    const query = this.search.trim();
    const shown = query ? matchProviders(all, query) : this.showsAll ? all : suggested;
    return html`<section aria-labelledby="available">
      <div class="bar">
        <h3 id="available" class="title" tabindex="-1">${isFirst ? 'Choose a provider' : 'Add another'}</h3>
        ${
          others.length > 0
            ? html`<div class="search">
              ${searchIcon}
              <input
                type="search"
                aria-label="Search providers"
                placeholder="Search ${all.length} providers"
                autocomplete="off"
                spellcheck="false"
                .value=${this.search}
                @input=${this.#searchFor}
              />
            </div>`
            : nothing
        }
      </div>
      <p class="visually-hidden" role="status">${query ? countOf(shown.length) : ''}</p>
      ${shown.length > 0 ? this.#cards(shown) : html`<p class="empty">No provider matches “${query}”.</p>`}
      ${
        query || others.length === 0
          ? nothing
          : html`<button
            class="quiet more"
            aria-expanded=${this.showsAll ? 'true' : 'false'}
            @click=${this.#showAll}
          >
            ${this.showsAll ? 'Show fewer' : `Show all ${all.length} providers`}
          </button>`
      }
    </section>`;
  }

  #cards(providers: readonly Provider[]): TemplateResult {
    return html`<ul class="cards" role="list">
      ${repeat(
        providers,
        ({ id }) => id,
        (provider) => html`<li>
          <user-keys-card
            data-provider=${provider.id}
            .client=${this.client}
            .provider=${provider}
            .stored=${this.keys.find((key) => key.provider === provider.id)}
            .isOpen=${this.openForm === provider.id}
            ?required=${this.requiredProviders.includes(provider.id)}
            @toggle-form=${(event: CustomEvent<boolean>) => this.#toggleForm(provider.id, event.detail)}
          ></user-keys-card>
        </li>`,
      )}
    </ul>`;
  }

  async #toggleForm(provider: ProviderName, open: boolean): Promise<void> {
    this.openForm = open ? provider : undefined;
    await this.updateComplete;
    if (!open) this.#card(provider)?.focusOpener();
  }

  #whenSaved = ({ detail }: CustomEvent<StoredKey>): void => {
    this.openForm = undefined;
    this.search = '';
    this.#moving = detail.provider;
  };

  #whenRemoved = ({ detail }: CustomEvent<Pick<StoredKey, 'provider'>>): void => {
    this.openForm = undefined;
    this.#moving = detail.provider;
  };

  /** The focus goes with a card that has moved up to the user's own; from one that has left, to the title. */
  async #followCard(provider: ProviderName): Promise<void> {
    if (!this.keys.some((key) => key.provider === provider)) {
      this.renderRoot.querySelector<HTMLElement>('.title')?.focus();
      return;
    }
    const card = this.#card(provider);
    await card?.updateComplete;
    card?.focus();
    card?.scrollIntoView({ block: 'nearest' });
  }

  #searchFor = (event: Event): void => {
    if (event.target instanceof HTMLInputElement) this.search = event.target.value;
  };

  #showAll = (): void => {
    this.showsAll = !this.showsAll;
  };

  #card(provider: ProviderName): ProviderCard | undefined {
    const cards = [...this.renderRoot.querySelectorAll('user-keys-card')];
    return cards.find(
      (card): card is ProviderCard => card instanceof ProviderCard && card.provider.id === provider,
    );
  }
}

customElements.define('user-keys-list', KeyList);

function countOf(count: number): string {
  return count === 1 ? '1 provider found' : `${count} providers found`;
}
