/** What has been started and how to stop it. */
export type StopList = {
  add(stop: () => Promise<void> | void): void;
  /** Stops everything, the last started first, and all of it, also when one of them fails: then it rejects. */
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
