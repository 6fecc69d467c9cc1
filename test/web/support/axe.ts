import { AxeBuilder } from '@axe-core/playwright';
import type { Page } from 'playwright-core';

/** All accessibility violations that axe finds on the page now, one line each. No rule is disabled. */
export async function findAccessibilityViolations(page: Page): Promise<readonly string[]> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${JSON.stringify(target)} ${failureSummary}`),
  );
}
