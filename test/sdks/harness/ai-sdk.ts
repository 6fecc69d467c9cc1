/** The cases of the AI SDK, the same for each of its providers. */
import { APICallError, generateText, type LanguageModel, streamText } from 'ai';
import type { SdkSpec } from './sdk.ts';

type TextModel = Exclude<LanguageModel, string>;

/** What a provider of the AI SDK has by being one; `model` is the model the cases ask. */
export function aiSdkCases<Client>(model: (client: Client) => TextModel) {
  return {
    read: (answer) => answer.text,
    call: async (client, signal) => {
      const { text } = await generateText({
        model: model(client),
        prompt: 'Hello',
        ...(signal ? { abortSignal: signal } : {}),
      });
      return text;
    },
    stream: {
      run: (client, signal) =>
        streamText({ model: model(client), prompt: 'Hello', ...(signal ? { abortSignal: signal } : {}) })
          .textStream,
    },
    error: {
      is: (error) => APICallError.isInstance(error),
      status: (error) => (APICallError.isInstance(error) ? error.statusCode : undefined),
    },
    abort: 'signal',
    retry: 'retries',
  } satisfies Partial<SdkSpec<Client, { readonly text: string }>>;
}
