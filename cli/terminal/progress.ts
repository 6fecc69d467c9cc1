/**
 * Progress on standard error: a spinner on a terminal; in a pipe or a log, one line when a task starts and one when
 * it ends.
 */
import ora from 'ora';

const numbers = new Intl.NumberFormat('en');

/** Reports how many items are done. Returns what `task` returns; the spinner is gone when `task` throws. */
export async function withProgress<T>(
  { label, total, unit }: { readonly label: string; readonly total: number; readonly unit: string },
  task: (report: (done: number) => void) => Promise<T>,
): Promise<T> {
  const text = (done: number) => {
    const percent = total === 0 ? 100 : Math.min(100, Math.floor((done / total) * 100));
    return `${label}: ${numbers.format(done)} of ${numbers.format(total)} ${unit}, ${percent} %`;
  };
  const spinner = startSpinner(label);
  try {
    const result = await task((done) => {
      spinner.text = text(done);
    });
    spinner.stop();
    process.stderr.write(`  ${text(total)}\n`);
    return result;
  } finally {
    spinner.stop();
  }
}

/** The same for a task of unknown length. On a terminal its line is removed when it ends. */
export async function withSpinner<T>(
  label: string,
  task: (report: (text: string) => void) => Promise<T>,
): Promise<T> {
  const spinner = startSpinner(label);
  try {
    return await task((text) => {
      spinner.text = `${label}: ${text}`;
    });
  } finally {
    spinner.stop();
  }
}

/** Standard input stays untouched, so Ctrl-C ends the process as usual. */
function startSpinner(label: string): ReturnType<typeof ora> {
  return ora({ text: label, stream: process.stderr, prefixText: ' ', discardStdin: false }).start();
}
