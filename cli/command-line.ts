/** How every command line is read: one help layout, one way to report a mistake, one set of exit codes. */
import { Command, CommanderError, type CommandUnknownOpts } from '@commander-js/extra-typings';
import { EXIT, EXIT_CODES_HELP } from './exit-codes.ts';
import { printError } from './terminal/print.ts';
import { strong } from './terminal/style.ts';

const MAX_HELP_WIDTH = 80;

/** npm scripts whose name differs from the command's. */
const NPM_SCRIPTS: Readonly<Record<string, string>> = { vercel: 'dev:vercel', 'legacy-scan': 'legacy:scan' };

/** An empty program. Commands added to it share its help layout; mistakes are reported by `runCommandLine`. */
export function createProgram(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .helpCommand(false)
    .helpOption('-h, --help', 'show this help')
    .configureOutput({
      getOutHelpWidth: () => Math.min(MAX_HELP_WIDTH, process.stdout.columns ?? MAX_HELP_WIDTH),
      writeErr: () => {},
      outputError: () => {},
    })
    .configureHelp({ styleTitle: strong, subcommandTerm: (command) => command.name() })
    .addHelpText('afterAll', `\n${EXIT_CODES_HELP}\n`);
}

/**
 * Runs the command that `process.argv` names and exits. An action sets `process.exitCode`; a mistake in the command
 * line exits with 2; anything that a command throws is one line on standard error and exits with 1.
 */
export async function runCommandLine(program: CommandUnknownOpts): Promise<never> {
  // The reader of a pipe has gone, as in `userkeys audit | head`: nobody sees what would follow.
  process.stdout.on('error', () => process.exit(EXIT.failed));
  let current = program;
  forEachCommand(program, (command) => {
    command.exitOverride((error) => {
      current = command;
      throw error;
    });
  });
  try {
    await program.parseAsync();
  } catch (error) {
    process.exitCode = error instanceof CommanderError ? reportMistake(current, error) : reportFailure(error);
  }
  // What was written to a pipe has to arrive before the process ends.
  await Promise.all([process.stdout, process.stderr].map(flush));
  process.exit();
}

function forEachCommand(command: CommandUnknownOpts, visit: (command: CommandUnknownOpts) => void): void {
  visit(command);
  for (const child of command.commands) forEachCommand(child, visit);
}

function reportMistake(command: CommandUnknownOpts, error: CommanderError): number {
  if (error.exitCode === 0) return EXIT.success;
  // `userkeys` alone: a newcomer wants to see the commands.
  if (error.code === 'commander.help' && command.parent === null) {
    command.outputHelp();
    return EXIT.success;
  }
  printError(describeMistake(command, error), `Help: ${npmCommand(command)} --help`);
  return EXIT.usage;
}

/** Commander's message as a sentence on one line. */
function describeMistake(command: CommandUnknownOpts, { code, message }: CommanderError): string {
  if (code === 'commander.help') {
    return `A command is missing: ${command.commands.map((child) => child.name()).join(' or ')}.`;
  }
  const text = message.replace(/^error: /, '').replaceAll('\n', ' ');
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.)]$/.test(text) ? '' : '.'}`;
}

function reportFailure(error: unknown): number {
  printError(error instanceof Error ? error.message : String(error));
  return EXIT.failed;
}

/** How to run a command from this repository, ready to be followed by options. */
function npmCommand(command: CommandUnknownOpts): string {
  const names: string[] = [];
  for (let each = command; each.parent !== null; each = each.parent) names.unshift(each.name());
  const [first, ...rest] = names;
  if (first === undefined) return 'npm run userkeys --';
  return ['npm run', NPM_SCRIPTS[first] ?? first, '--', ...rest].join(' ');
}

function flush(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => stream.write('', () => resolve()));
}
