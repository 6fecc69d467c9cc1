/**
 * A value that is made on its first use and then kept. If making it fails, the next use tries again.
 *
 * Also for modules: `import()` of a module that is loaded already still costs every call a resolution.
 */
export function lazy<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make().catch((error: unknown) => {
      made = undefined;
      throw error;
    });
    return made;
  };
}
