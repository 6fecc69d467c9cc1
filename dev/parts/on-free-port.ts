const TRIES = 50;

/** Starts something on `first` or the next free port after it. Port 0 stays 0: the system picks. */
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
