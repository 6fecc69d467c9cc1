/** Page object: finds and operates the parts of the page by their visible labels. */
import type { Locator, Page } from 'playwright-core';

export function createKeysPage(page: Page) {
  const button = (name: string | RegExp): Locator => page.getByRole('button', { name, exact: true });
  const heading = (name: string): Locator => page.getByRole('heading', { name, exact: true });
  const card = (provider: string): Locator => page.getByRole('article', { name: provider, exact: true });

  return {
    button,
    heading,
    card,
    status: (provider: string, label: string): Locator => card(provider).getByText(label, { exact: true }),

    /** The hint of every stored key on the page. */
    storedKeys: (): Locator => page.locator('.key .hint'),

    async signIn(url: string, user: string): Promise<void> {
      await page.goto(url);
      await button(user).click();
      await heading('Your API keys').waitFor();
    },

    async openForm(provider: string): Promise<void> {
      await button(new RegExp(`^(Add key|Replace): ${provider}$`)).click();
    },

    /** Pastes the key into the provider's open form and saves it. */
    async saveKey(provider: string, key: string): Promise<void> {
      await card(provider)
        .getByLabel(/API key$/)
        .fill(key);
      await button('Save key').click();
    },
  };
}

export type KeysPage = ReturnType<typeof createKeysPage>;
