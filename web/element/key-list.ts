import { html, LitElement, nothing, type PropertyValues, type TemplateResult } from 'lit';
import { repeat } from 'lit/directives/repeat.js';
import type { Provider, ProviderId, StoredKey } from '../client/api-responses.ts';
import type { Client } from '../client.ts';
import { baseStyles } from './base-styles.ts';
import { searchIcon } from './icons.ts';
import { keyListStyles } from './key-list-styles.ts';
import { ProviderCard } from './provider-card.ts';
import { groupProviders, searchProviders } from './providers.ts';

/** Lists the user's keys, then the providers that have no key yet. At first only a few of those are shown. */
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
  static override styles = [baseStyles, keyListStyles];

  declare client: Client;
  declare providers: readonly Provider[];
  declare keys: readonly StoredKey[];
  declare requiredProviders: readonly ProviderId[];
  /** The provider whose key form is open. Only one form can be open. */
  declare openForm: ProviderId | undefined;
  declare search: string;
  declare showsAll: boolean;
  /** The provider whose card is about to move because its key was saved or removed. */
  #moving: ProviderId | undefined;

  constructor() {
    super();
    this.requiredProviders = [];
    this.search = '';
    this.showsAll = false;
    this.addEventListener('user-keys-saved', this.#onSaved);
    this.addEventListener('user-keys-removed', this.#onRemoved);
  }

  /** Opens the key form of a provider, even if its card is not shown now. */
  async addKeyFor(provider: ProviderId): Promise<void> {
    this.search = '';
    this.showsAll = true;
    this.openForm = provider;
    await this.updateComplete;
  }

  protected override updated(changed: PropertyValues<this>): void {
    if (!changed.has('keys') || this.#moving === undefined) return;
    void this.#focusMovedCard(this.#moving);
    this.#moving = undefined;
  }

  protected override render(): TemplateResult {
    const { stored, suggested, others } = groupProviders(this.providers, this.keys, this.requiredProviders);
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
    const shown = query ? searchProviders(all, query) : this.showsAll ? all : suggested;
    return html`<section aria-labelledby="available">
      <div class="bar">
        <h3 id="available" class="title" tabindex="-1">${isFirst ? 'Choose a provider' : 'Add another provider'}</h3>
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
      <p class="visually-hidden" role="status">${query ? resultCount(shown.length) : ''}</p>
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
    return html`<ul class="cards surface" role="list">
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

  async #toggleForm(provider: ProviderId, open: boolean): Promise<void> {
    this.openForm = open ? provider : undefined;
    await this.updateComplete;
    if (!open) this.#card(provider)?.focusOpener();
  }

  #onSaved = ({ detail }: CustomEvent<StoredKey>): void => {
    this.openForm = undefined;
    this.search = '';
    this.#moving = detail.provider;
  };

  #onRemoved = ({ detail }: CustomEvent<Pick<StoredKey, 'provider'>>): void => {
    this.openForm = undefined;
    this.#moving = detail.provider;
  };

  /** After a save, focuses the card at its new place. After a delete, focuses the first title. */
  async #focusMovedCard(provider: ProviderId): Promise<void> {
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

  #card(provider: ProviderId): ProviderCard | undefined {
    const cards = [...this.renderRoot.querySelectorAll('user-keys-card')];
    return cards.find(
      (card): card is ProviderCard => card instanceof ProviderCard && card.provider.id === provider,
    );
  }
}

customElements.define('user-keys-list', KeyList);

function resultCount(count: number): string {
  return count === 1 ? '1 provider found' : `${count} providers found`;
}
