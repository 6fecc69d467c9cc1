/** The stop functions of everything that was started. */
export type StopList = {
  add(stop: () => Promise<void> | void): void;
  /** Calls every stop function, the last added first. Rejects at the end when some of them failed. */
  stopAll(): Promise<void>;
};

export function createStopList(): StopList {
  const stops: (() => Promise<void> | void)[] = [];
  return {
    add: (stop) => void stops.push(stop),
    async stopAll() {
      const failures: unknown[] = [];
      for (const stop of stops.splice(0).reverse()) {
        try {
          await stop();
        } catch (error) {
          failures.push(error);
        }
      }
      if (failures.length > 0) throw new AggregateError(failures, 'Not everything stopped cleanly.');
    },
  };
}
