import type { Answer } from './answers.ts';
import type { TestProviders } from './providers.ts';

/** Holds the next answer of a provider until `release`. `asked` resolves when the request has reached the provider. */
export function holdAnswer(
  providers: TestProviders,
  answer: Answer,
): { readonly asked: Promise<void>; readonly release: () => void } {
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const asked = new Promise<void>((resolve) => {
    providers.answerNextWith(async (recorded, response) => {
      resolve();
      await released;
      await answer(recorded, response);
    });
  });
  return { asked, release };
}
