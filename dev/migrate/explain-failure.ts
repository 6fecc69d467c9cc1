/** What went wrong before or between users, by its code: a message could quote a connection string or a row. */
import { describeOrigin } from '../../lib/log.ts';

const CODES: ReadonlyMap<string, string> = new Map([
  ['ENOENT', 'There is no such file.'],
  ['EACCES', 'The file may not be read.'],
  ['ECONNREFUSED', 'The database does not accept connections there.'],
  ['ENOTFOUND', 'The database’s host is not known.'],
  ['ETIMEDOUT', 'The database does not answer.'],
  ['ERR_INVALID_URL', 'DATABASE_URL is no connection string.'],
  ['28P01', 'The database refuses the password.'],
  ['28000', 'The database refuses the user.'],
  ['3D000', 'There is no such database.'],
  ['42P01', 'There is no table onboarding_sessions or api_keys.'],
  ['42703', 'A column of onboarding_sessions or api_keys is missing; docs/migrate.md lists them.'],
  ['42501', 'This database user may not read onboarding_sessions or api_keys.'],
  ['57P01', 'The database was shut down. What was moved is moved; run this again.'],
]);

export function explainFailure(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
  const known = code === undefined ? undefined : CODES.get(code);
  if (known !== undefined) return known;
  const { error: kind, frames } = describeOrigin(error);
  return `${kind}${code === undefined ? '' : ` ${code}`} ${frames}`;
}
