/** 128 + SIGINT: what a shell expects of a program that Ctrl-C has ended before it could clean up. */
const FORCED_EXIT_CODE = 130;
/** One Ctrl-C in `npm run` arrives twice: from the terminal, and passed on by npm. */
const SAME_KEY_PRESS_MS = 500;
const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Settles at the first Ctrl-C, SIGTERM or SIGHUP: everything is then stopped in order. At the second one this
 * process ends at once; what it started notices that and ends too.
 */
export function stopRequested(onForced: () => void): Promise<void> {
  return new Promise((resolve) => {
    let askedAt: number | undefined;
    for (const signal of STOP_SIGNALS) {
      process.on(signal, () => {
        askedAt ??= performance.now();
        resolve();
        if (performance.now() - askedAt < SAME_KEY_PRESS_MS) return;
        onForced();
        process.exit(FORCED_EXIT_CODE);
      });
    }
  });
}
