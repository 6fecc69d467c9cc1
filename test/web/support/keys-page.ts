/** What a person does on the page, in the words they see there. */
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

    /** Every stored key that is shown, by its hint. */
    storedKeys: (): Locator => page.locator('.key .hint'),

    async signIn(url: string, user: string): Promise<void> {
      await page.goto(url);
      await button(user).click();
      await heading('Your API keys').waitFor();
    },

    async openForm(provider: string): Promise<void> {
      await button(new RegExp(`^(Add key|Replace): ${provider}$`)).click();
    },

    /** Pastes the key into the open form of that provider and saves. */
    async saveKey(provider: string, key: string): Promise<void> {
      await card(provider)
        .getByLabel(/API key$/)
        .fill(key);
      await button('Save key').click();
    },
  };
}

export type KeysPage = ReturnType<typeof createKeysPage>;
