import { describe } from 'vitest';
import { chromiumPath } from './support/chromium.ts';
import { startVercelSite } from './support/start-site.ts';
import { describeUserJourney } from './user-journey.ts';

/** Installing the CLI, the first time. */
const START_TIMEOUT_MS = 600_000;
/** Every call of the page is a new process. */
const STEP_TIMEOUT_MS = 300_000;

describe.skipIf(chromiumPath === undefined)(
  'a new user, under vercel dev',
  { timeout: STEP_TIMEOUT_MS },
  () => {
    describeUserJourney(startVercelSite, { start: START_TIMEOUT_MS, wait: 90_000 });
  },
);
