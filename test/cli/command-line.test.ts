/** What every command has in common: its help, how it reports a mistake, and its exit codes. */
import { expect, test } from 'vitest';
import { runUserkeys } from './run-userkeys.ts';

const EXIT_CODES =
  /Exit codes:\n {2}0 {4}success\n {2}1 {4}failed.*\n {2}2 {4}wrong usage\n {2}130 {2}interrupted/;

const COMMANDS = [
  ...['dev', 'demo', 'vercel', 'vault-key', 'rotate', 'account', 'audit', 'migrate', 'legacy-scan'],
  ...['account export', 'account erase', 'migrate env', 'migrate postgres'],
];

test('without a command it lists every command, and exits with 0', async () => {
  const { code, out, err } = await runUserkeys([]);
  expect(code).toBe(0);
  expect(err).toBe('');
  expect(out).toBe((await runUserkeys(['--help'])).out);
  for (const command of COMMANDS) {
    if (!command.includes(' ')) expect(out).toMatch(new RegExp(`^  ${command} +\\S`, 'm'));
  }
});

test.each(['', ...COMMANDS])(
  'userkeys %s --help has the same layout, fits 80 columns and exits with 0',
  async (command) => {
    const { code, out, err } = await runUserkeys([...command.split(' ').filter(Boolean), '--help']);
    expect(code).toBe(0);
    expect(err).toBe('');
    expect(out.startsWith(`Usage: userkeys ${command}`.trimEnd())).toBe(true);
    expect(out).toMatch(/-h, --help +show this help/);
    expect(out).toMatch(EXIT_CODES);
    for (const line of out.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
    expect(out).not.toContain('\u001b[');
  },
);

test.each([
  [['nonsense'], "Unknown command 'nonsense'.", 'npm run userkeys -- --help'],
  [['acount'], "Unknown command 'acount' (Did you mean account?)", 'npm run userkeys -- --help'],
  [['--nonsense'], "Unknown option '--nonsense'.", 'npm run userkeys -- --help'],
  [['dev', '--nonsense'], "Unknown option '--nonsense'.", 'npm run dev -- --help'],
  [['dev', '--port'], "Option '--port <number>' argument missing.", 'npm run dev -- --help'],
  [['dev', '--port', 'x'], 'Give a number from 0 to 65535.', 'npm run dev -- --help'],
  [['dev', '--port', '65536'], 'Give a number from 0 to 65535.', 'npm run dev -- --help'],
  [['demo', 'twice'], "Too many arguments for 'demo'.", 'npm run demo -- --help'],
  [['vercel', '--once'], "Unknown option '--once'.", 'npm run dev:vercel -- --help'],
  [['migrate'], 'A command is missing: env or postgres or tenant.', 'npm run migrate -- --help'],
  [['migrate', 'env'], "Required option '--user <sub>' not specified.", 'npm run migrate -- env --help'],
  [['legacy-scan', 'nowhere'], 'There is no such file or directory.', 'npm run legacy:scan -- --help'],
])(
  '%j is a mistake: one line says why, one where the help is, and it exits with 2',
  async (args, why, help) => {
    const { code, out, err } = await runUserkeys(args);
    expect(code).toBe(2);
    expect(out).toBe('');
    const [reason, pointer, ...rest] = err.split('\n');
    expect(reason).toMatch(/^ {2}✗ /);
    expect(reason).toContain(why);
    expect(pointer).toBe(`  Help: ${help}`);
    expect(rest).toEqual(['']);
  },
);

test('a reader that closes the pipe early gets no stack trace', async () => {
  const { execFile } = await import('node:child_process');
  const { resolve } = await import('node:path');
  const cli = resolve(import.meta.dirname, '../../cli/userkeys.ts');
  const err = await new Promise<string>((done) => {
    const script = `"${process.execPath}" "${cli}" --help | true`;
    execFile('/bin/sh', ['-c', script], (_error, _out, stderr) => done(stderr));
  });
  expect(err).toBe('');
});

test('colours are for terminals: not in a pipe, also when CI is set, unless they are forced', async () => {
  const help = (env: Readonly<Record<string, string>>) => runUserkeys(['--help'], env);
  expect((await help({ CI: 'true' })).out).not.toContain('\u001b[');
  expect((await help({ FORCE_COLOR: '1' })).out).toContain('\u001b[');
  expect((await help({ FORCE_COLOR: '1', NO_COLOR: '1' })).out).not.toContain('\u001b[');
});
