/**
 * What went wrong before or between users, by its code: a message could quote a connection string or a row. In
 * brackets the option or the variable that led there.
 */
import { Problem } from '../../lib/errors.ts';
import { describeOrigin } from '../../lib/log.ts';

const FILE_CODES: ReadonlyMap<string, string> = new Map([
  ['ENOENT', 'There is no such file'],
  ['EACCES', 'The file may not be read'],
  ['EISDIR', 'That is a directory'],
]);

const DATABASE_CODES: ReadonlyMap<string, string> = new Map([
  ['ENOENT', 'There is no such socket'],
  ['ECONNREFUSED', 'The database does not accept connections there'],
  ['ENOTFOUND', 'The database’s host is not known'],
  ['ETIMEDOUT', 'The database does not answer'],
  ['ERR_INVALID_URL', 'That is no connection string'],
  ['28P01', 'The database refuses the password'],
  ['28000', 'The database refuses the user'],
  ['3D000', 'There is no such database'],
  ['42P01', 'There is no table onboarding_sessions or api_keys'],
  ['42703', 'A column of onboarding_sessions or api_keys is missing; docs/migrate.md lists them'],
  ['42501', 'This database user may not read onboarding_sessions or api_keys'],
  ['57P01', 'The database was shut down. What was moved is moved; run this again'],
]);

export function explainFileFailure(error: unknown, option: '--file' | '--settings', file: string): string {
  return explain(error, FILE_CODES, `${option} ${file}`);
}

export function explainDatabaseFailure(error: unknown, env: NodeJS.ProcessEnv): string {
  return explain(error, DATABASE_CODES, whatNamesTheDatabase(env));
}

function whatNamesTheDatabase(env: NodeJS.ProcessEnv): string {
  if (env.DATABASE_URL !== undefined) return 'DATABASE_URL';
  const isNamed = Object.keys(env).some((name) => name.startsWith('PG'));
  return isNamed ? 'the PG* variables' : 'neither DATABASE_URL nor a PG* variable is set';
}

function explain(error: unknown, codes: ReadonlyMap<string, string>, from: string): string {
  if (error instanceof Problem) return error.message;
  const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
  const known = code === undefined ? undefined : codes.get(code);
  if (known !== undefined) return `${known} (${from}).`;
  const { error: kind, frames } = describeOrigin(error);
  return `${kind}${code === undefined ? '' : ` ${code}`} ${frames}`;
}
