import { EXIT } from '../exit-codes.ts';

/** One Ctrl-C under `npm run` arrives twice: once from the terminal and once forwarded by npm. */
const SAME_KEY_PRESS_MS = 500;
const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Resolves at the first Ctrl-C, SIGTERM or SIGHUP, so that the caller can stop everything in order. At the second
 * one, this calls `onForced` and exits at once; child processes notice that and exit too.
 */
export function stopRequested(onForced: () => void): Promise<void> {
  return new Promise((resolve) => {
    let firstAt: number | undefined;
    for (const signal of STOP_SIGNALS) {
      process.on(signal, () => {
        firstAt ??= performance.now();
        resolve();
        if (performance.now() - firstAt < SAME_KEY_PRESS_MS) return;
        onForced();
        process.exit(EXIT.interrupted);
      });
    }
  });
}
