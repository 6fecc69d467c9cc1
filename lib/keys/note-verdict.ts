/** Key states learned from real calls: a key that a provider has refused is shown as invalid from then on. */
import type { UserId } from '../identity/user-id.ts';
import type { Kv } from '../kv/kv.ts';
import type { ProviderId } from '../providers/catalogue.ts';
import type { KeyVerdict } from '../providers/key-check-result.ts';
import type { StoredRecord } from '../vault/key-record.ts';
import { writeStatus } from '../vault/write-status.ts';

/**
 * Writes a verdict down after the response, and only when it is news, so that a healthy key costs no KV request.
 * Whether it could be written changes nothing for the call: the next one will learn the same.
 */
export function createNoteVerdict(from: {
  readonly kv: Kv;
  readonly user: UserId;
  readonly after: (work: Promise<unknown>) => void;
}) {
  return (provider: ProviderId, { text, record }: StoredRecord, verdict: KeyVerdict): void => {
    if (record === undefined || verdict === 'unknown') return;
    const status = verdict === 'valid' ? 'valid' : 'invalid';
    if (status === record.status) return;
    const write = async () => {
      await responseHandedOver();
      await writeStatus(from.kv, from.user, provider, { text, record }, status);
    };
    from.after(write().catch(() => undefined));
  };
}

/** The response is handed over by then: what is left of producing it runs in microtasks. */
function responseHandedOver(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
