import { describe } from 'vitest';
import { chromiumPath } from './support/chromium.ts';
import { startSite } from './support/start-site.ts';
import { describeUserJourney } from './user-journey.ts';

if (chromiumPath === undefined) {
  process.stderr.write('Skipped: the page in a browser, because no Chromium was found.\n');
}

describe.skipIf(chromiumPath === undefined)('a new user', () => {
  describeUserJourney(() => startSite(), { start: 60_000, wait: 30_000 });
});
