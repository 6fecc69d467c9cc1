import { describe } from 'vitest';
import { chromiumPath } from './support/chromium.ts';
import { startVercelSite } from './support/start-site.ts';
import { describeUserJourney } from './user-journey.ts';

/** The first start installs the Vercel CLI. */
const START_TIMEOUT_MS = 600_000;
/** `vercel dev` starts a new process for every API call. */
const STEP_TIMEOUT_MS = 300_000;

describe.skipIf(chromiumPath === undefined)(
  'a new user, under vercel dev',
  { timeout: STEP_TIMEOUT_MS },
  () => {
    describeUserJourney(startVercelSite, { start: START_TIMEOUT_MS, wait: 90_000 });
  },
);
