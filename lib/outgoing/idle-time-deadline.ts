/**
 * A deadline that counts only the time in which this process was waiting. While it is busy with other calls an
 * answer may long be there unread, and a burst of calls must not look like an outage of the other side.
 */

import { performance } from 'node:perf_hooks';
import { MAX_WALL_CLOCK_FACTOR, MIN_DEADLINE_CHECK_MS } from '../limits.ts';

export type Deadline = { readonly signal: AbortSignal; clear(): void };

/** Node only: reads the event loop's own account of its idle time. */
export function startDeadline(timeoutMs: number): Deadline {
  const controller = new AbortController();
  const startedAt = performance.now();
  const utilization = performance.eventLoopUtilization();
  let timer = setTimeout(check, timeoutMs);

  function check(): void {
    const waitedMs = performance.eventLoopUtilization(utilization).idle;
    const isOver =
      waitedMs >= timeoutMs || performance.now() - startedAt >= MAX_WALL_CLOCK_FACTOR * timeoutMs;
    if (isOver) controller.abort();
    else timer = setTimeout(check, Math.max(timeoutMs - waitedMs, MIN_DEADLINE_CHECK_MS));
  }

  return { signal: controller.signal, clear: () => clearTimeout(timer) };
}
