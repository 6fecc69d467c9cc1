import { existsSync, type FSWatcher, watch } from 'node:fs';

/** An editor writes a file in several steps, and a checkout writes many files: `onChange` waits for this pause. */
export const QUIET_MS = 100;

/**
 * Calls `onChange` when something under a watched directory, or a watched file, has changed; once for several changes
 * in a row. A file is given as its directory and name, so that it may be created or replaced later.
 */
export function watchSources(
  watched: {
    readonly directories: readonly string[];
    readonly files: readonly { readonly directory: string; readonly names: readonly string[] }[];
  },
  onChange: () => void,
): { close(): void } {
  let timer: NodeJS.Timeout | undefined;
  function changed(): void {
    clearTimeout(timer);
    timer = setTimeout(onChange, QUIET_MS);
  }
  const watchers: FSWatcher[] = [
    ...watched.directories
      .filter((directory) => existsSync(directory))
      .map((directory) => watch(directory, { recursive: true }, changed)),
    ...watched.files.map(({ directory, names }) =>
      watch(directory, (_event, name) => {
        if (name !== null && names.includes(name)) changed();
      }),
    ),
  ];
  for (const watcher of watchers) watcher.on('error', () => {});
  return {
    close() {
      clearTimeout(timer);
      for (const watcher of watchers) watcher.close();
    },
  };
}
