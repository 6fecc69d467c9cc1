import { createHash, timingSafeEqual } from 'node:crypto';
import { Problem } from '../errors.ts';
import { log } from '../log.ts';
import type { Secret } from '../secret.ts';

/**
 * Lets the platform's scheduler in: `Authorization: Bearer <CRON_SECRET>`, compared in constant time, whatever the
 * lengths. Without a `CRON_SECRET` nobody is let in.
 *
 * @throws Problem `token_missing`, `token_invalid`.
 */
export function assertScheduler(request: Request, cronSecret: Secret | undefined): void {
  const [, token] = /^Bearer (.+)$/i.exec(request.headers.get('authorization') ?? '') ?? [];
  if (token === undefined) throw refused('token_missing');
  if (cronSecret === undefined) {
    log({ level: 'error', event: 'cron_refused', reason: 'CRON_SECRET is not set' });
    throw refused('token_invalid');
  }
  if (!timingSafeEqual(digest(token), digest(cronSecret.reveal()))) throw refused('token_invalid');
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function refused(code: 'token_missing' | 'token_invalid'): Problem {
  return new Problem(code, {
    detail: 'This address is for the scheduler, which sends CRON_SECRET as its bearer token.',
    headers: { 'www-authenticate': 'Bearer' },
  });
}
