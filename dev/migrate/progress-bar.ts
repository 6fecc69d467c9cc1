import { styleText } from 'node:util';

const CELLS = 30;

export type ProgressBar = { show(done: number): void; finish(): void };

/** A bar on a terminal; elsewhere one line for each tenth, so that a log of it stays readable. */
export function createProgressBar(total: number, unit: string, stream: NodeJS.WriteStream): ProgressBar {
  const count = new Intl.NumberFormat('en');
  let lastTenth = -1;
  return {
    show(done) {
      const part = total === 0 ? 1 : Math.min(1, done / total);
      const text = `${count.format(done)} of ${count.format(total)} ${unit}`;
      if (stream.isTTY) {
        const filled = Math.round(part * CELLS);
        const bar = '█'.repeat(filled) + styleText('dim', '░'.repeat(CELLS - filled));
        stream.write(`\r  ${bar} ${String(Math.floor(part * 100)).padStart(3)} %  ${text}\u001b[K`);
        return;
      }
      const tenth = Math.floor(part * 10);
      if (tenth > lastTenth) stream.write(`  ${tenth * 10} %  ${text}\n`);
      lastTenth = tenth;
    },
    finish() {
      if (stream.isTTY) stream.write('\n');
    },
  };
}
