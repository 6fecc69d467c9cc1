import { existsSync, type FSWatcher, watch } from 'node:fs';

/** Editors write a file in several steps, and a checkout writes many: one change is told for all of them. */
export const QUIET_MS = 100;

/**
 * Tells `onChange` when something under a watched directory, or one of the watched files, has changed; once for
 * a burst. Files are named by the directory that holds them, so that they may appear later and be replaced.
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
