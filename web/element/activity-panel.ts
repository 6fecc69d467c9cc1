import { html, LitElement, nothing, type PropertyValues, type TemplateResult } from 'lit';
import type { AuditEntry, AuditPage, Usage } from '../client/activity.ts';
import type { Provider, ProviderId } from '../client/api-responses.ts';
import type { Client } from '../client.ts';
import { activityPanelStyles } from './activity-panel-styles.ts';
import { baseStyles } from './base-styles.ts';
import { callsChart } from './calls-chart.ts';
import { describeAuditEntry } from './describe-audit-entry.ts';
import { describeError, type ErrorText } from './describe-error.ts';
import { errorMessage, TONE_ICONS } from './message.ts';
import { providerName } from './providers.ts';
import { relativeTimeElement } from './relative-time-element.ts';
import { usageTable } from './usage-table.ts';

const ENTRIES_PER_PAGE = 10;
/** The server writes a log entry only after it has sent the response. */
const LOG_DELAY_MS = 700;

/** Shows how the user's keys were used: calls per day, usage by model, and the audit log. */
export class ActivityPanel extends LitElement {
  static override properties = {
    client: { attribute: false },
    providers: { attribute: false },
    usage: { state: true },
    entries: { state: true },
    nextCursor: { state: true },
    isLoading: { state: true },
    failure: { state: true },
  };
  static override styles = [baseStyles, activityPanelStyles];

  declare client: Client;
  declare providers: readonly Provider[];
  declare private usage: Usage | undefined;
  declare private entries: readonly AuditEntry[];
  declare private nextCursor: string | null;
  declare private isLoading: boolean;
  declare private failure: ErrorText | undefined;
  #host: EventTarget | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    super();
    this.entries = [];
    this.nextCursor = null;
    this.isLoading = false;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    const root = this.getRootNode();
    this.#host = root instanceof ShadowRoot ? root.host : root;
    for (const event of EVENTS) this.#host.addEventListener(event, this.#reloadSoon);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearTimeout(this.#timer);
    for (const event of EVENTS) this.#host?.removeEventListener(event, this.#reloadSoon);
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has('client')) void this.#load();
  }

  protected override render(): TemplateResult {
    return html`<section aria-labelledby="title">
      <div class="bar">
        <h3 id="title">Activity</h3>
        <button class="quiet" aria-disabled=${this.isLoading ? 'true' : 'false'} @click=${this.#load}>Refresh</button>
      </div>
      ${this.failure ? errorMessage(this.failure, 'alert') : nothing}
      ${this.usage ? this.#usage(this.usage) : nothing} ${this.#log()}
    </section>`;
  }

  #usage(usage: Usage): TemplateResult {
    if (usage.rows.length === 0) {
      return html`<p class="empty">No calls in the last 30 days. Calls that use your keys appear here.</p>`;
    }
    return html`<div class="panel-card surface">
      ${callsChart(usage, this.#nameOf)} ${usageTable(usage, this.#nameOf)}
    </div>`;
  }

  #log(): TemplateResult | typeof nothing {
    if (this.entries.length === 0) return nothing;
    return html`<h4 id="log">Recent activity</h4>
      <ol class="log surface" role="list" aria-labelledby="log">
        ${this.entries.map((entry) => this.#entry(entry))}
      </ol>
      ${this.nextCursor === null ? nothing : html`<button class="quiet more" @click=${this.#loadMore}>Show older entries</button>`}`;
  }

  #entry(entry: AuditEntry): TemplateResult {
    const { tone, title, details } = describeAuditEntry(entry, this.#nameOf);
    return html`<li class=${tone}>
      <span class="mark">${TONE_ICONS[tone]}</span>
      <div>
        <p>${title}</p>
        ${details.length > 0 ? html`<p class="details">${details.join(' · ')}</p>` : nothing}
      </div>
      ${relativeTimeElement(entry.time)}
    </li>`;
  }

  #nameOf = (provider: ProviderId): string => providerName(this.providers, provider);

  #load = async (): Promise<void> => {
    const { client } = this;
    if (this.isLoading) return;
    this.isLoading = true;
    try {
      const [usage, page] = await Promise.all([
        client.activity.usage(),
        client.activity.log({ limit: ENTRIES_PER_PAGE }),
      ]);
      if (client !== this.client) return;
      this.failure = undefined;
      this.usage = usage;
      this.entries = [];
      this.#append(page);
    } catch (error) {
      if (client === this.client) this.failure = describeError(error);
    } finally {
      this.isLoading = false;
    }
  };

  #loadMore = async (): Promise<void> => {
    const { client, nextCursor } = this;
    if (nextCursor === null) return;
    try {
      const page = await client.activity.log({ limit: ENTRIES_PER_PAGE, cursor: nextCursor });
      if (client === this.client && nextCursor === this.nextCursor) this.#append(page);
    } catch (error) {
      if (client === this.client) this.failure = describeError(error);
    }
  };

  #append({ entries, nextCursor }: AuditPage): void {
    this.entries = [...this.entries, ...entries];
    this.nextCursor = nextCursor;
  }

  #reloadSoon = (): void => {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#load, LOG_DELAY_MS);
  };
}

/** Reload after these events, because each of them adds a log entry. */
const EVENTS = ['user-keys-saved', 'user-keys-checked', 'user-keys-used', 'user-keys-removed'] as const;

customElements.define('user-keys-activity', ActivityPanel);
