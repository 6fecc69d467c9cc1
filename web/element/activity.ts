import { html, LitElement, nothing, type PropertyValues, type TemplateResult } from 'lit';
import type { AuditEntry, AuditPage, Usage } from '../client/activity.ts';
import type { Provider, ProviderName } from '../client/answers.ts';
import type { Client } from '../client.ts';
import { activityStyles } from './activity-styles.ts';
import { callsChart } from './calls-chart.ts';
import { controls } from './controls.ts';
import { describeEntry } from './describe-entry.ts';
import { describeError, type ErrorText } from './describe-error.ts';
import { alertIcon } from './icons.ts';
import { exactTime, relativeTime } from './relative-time.ts';
import { TONE_ICONS } from './status-badge.ts';
import { usageTable } from './usage-table.ts';

const PAGE_ENTRIES = 10;
/** The log is written after the answer to what it is about. */
const LOG_DELAY_MS = 700;

/** What the user's keys were used for: calls per day, tokens, and the log as a timeline. */
export class Activity extends LitElement {
  static override properties = {
    client: { attribute: false },
    providers: { attribute: false },
    usage: { state: true },
    entries: { state: true },
    nextCursor: { state: true },
    isLoading: { state: true },
    failure: { state: true },
  };
  static override styles = [controls, activityStyles];

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
      ${
        this.failure
          ? html`<p class="message bad" role="alert">
            ${alertIcon}<span><strong>${this.failure.what}</strong> ${this.failure.next}</span>
          </p>`
          : nothing
      }
      ${this.usage ? this.#usage(this.usage) : nothing} ${this.#timeline()}
    </section>`;
  }

  #usage(usage: Usage): TemplateResult {
    if (usage.rows.length === 0) {
      return html`<p class="empty">No calls in the last 30 days. They show up here as soon as a key is used.</p>`;
    }
    return html`<div class="panel-card">
      ${callsChart(usage, this.#nameOf)} ${usageTable(usage, this.#nameOf)}
    </div>`;
  }

  #timeline(): TemplateResult | typeof nothing {
    if (this.entries.length === 0) return nothing;
    return html`<h4 id="log">What happened</h4>
      <ol class="log" role="list" aria-labelledby="log">
        ${this.entries.map((entry) => this.#entry(entry))}
      </ol>
      ${this.nextCursor === null ? nothing : html`<button class="quiet more" @click=${this.#more}>Show earlier</button>`}`;
  }

  #entry(entry: AuditEntry): TemplateResult {
    const { tone, what, details } = describeEntry(entry, this.#nameOf);
    return html`<li class=${tone}>
      <span class="mark">${TONE_ICONS[tone]}</span>
      <div>
        <p>${what}</p>
        ${details.length > 0 ? html`<p class="details">${details.join(' · ')}</p>` : nothing}
      </div>
      <time datetime=${entry.time} title=${exactTime(entry.time)}>${relativeTime(entry.time)}</time>
    </li>`;
  }

  #nameOf = (provider: ProviderName): string =>
    this.providers.find(({ id }) => id === provider)?.name ?? provider;

  #load = async (): Promise<void> => {
    const { client } = this;
    if (this.isLoading) return;
    this.isLoading = true;
    try {
      const [usage, page] = await Promise.all([
        client.activity.usage(),
        client.activity.log({ limit: PAGE_ENTRIES }),
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

  #more = async (): Promise<void> => {
    const { client, nextCursor } = this;
    if (nextCursor === null) return;
    try {
      const page = await client.activity.log({ limit: PAGE_ENTRIES, cursor: nextCursor });
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

/** After these there is something new to see. */
const EVENTS = ['user-keys-saved', 'user-keys-checked', 'user-keys-used', 'user-keys-removed'] as const;

customElements.define('user-keys-activity', Activity);
