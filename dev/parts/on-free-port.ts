const TRIES = 50;

/** Starts something on port `first` or the next free port. With 0 the system picks a port. */
export async function onFreePort<T>(first: number, start: (port: number) => Promise<T>): Promise<T> {
  for (let port = first; ; port += 1) {
    try {
      return await start(port);
    } catch (error) {
      const isTaken = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
      if (!isTaken || first === 0 || port === first + TRIES) throw error;
    }
  }
}
