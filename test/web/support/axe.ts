import { AxeBuilder } from '@axe-core/playwright';
import type { Page } from 'playwright-core';

/**
 * All accessibility violations that axe finds on the page now, one line each. No rule is disabled. For a page with
 * frames, axe would have to run in each of them and put the results together on a page of its own.
 */
export async function findAccessibilityViolations(page: Page): Promise<readonly string[]> {
  if (page.frames().length > 1) throw new Error('axe looks into no frame.');
  const { violations } = await new AxeBuilder({ page })
    .setLegacyMode()
    .options({ resultTypes: ['violations'] })
    .analyze();
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${JSON.stringify(target)} ${failureSummary}`),
  );
}
