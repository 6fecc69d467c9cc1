import { print, printBad } from './print.ts';

const NOT_UNDERSTOOD_EXIT_CODE = 2;

/** Says how a command is used, after what was wrong with its command line: 2, or 0 where that was the question. */
export function explainUsage(usage: string, complaint?: string): number {
  const isAsked = process.argv.slice(2).some((word) => word === '--help' || word === '-h');
  if (!isAsked && complaint !== undefined) {
    print();
    printBad(complaint);
  }
  print(usage);
  return isAsked ? 0 : NOT_UNDERSTOOD_EXIT_CODE;
}
