/** The body of `POST /api/generate`: a prompt, or a chat as the AI SDK's `useChat` sends it. */
import type { UIMessage } from 'ai';
import { z } from 'zod';
import { MAX_REQUESTED_MODEL_CHARACTERS } from '../limits.ts';
import { generatingProviders } from '../providers/catalogue.ts';

const providerMetadata = z.record(z.string(), z.record(z.string(), z.json())).exactOptional();
const written = { text: z.string(), state: z.enum(['streaming', 'done']).exactOptional(), providerMetadata };

const inline = {
  mediaType: z.string().min(1),
  url: z.string().regex(/^data:/, 'must be a data: URL'),
  providerMetadata,
};

/** The parts of a message that a model reads. Nothing is ever fetched: a file is sent as data. */
const part = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text'), ...written }),
  z.object({ type: z.literal('reasoning'), ...written }),
  z.object({ type: z.literal('file'), filename: z.string().exactOptional(), ...inline }),
  z.object({ type: z.literal('reasoning-file'), ...inline }),
  z.object({
    type: z.literal('custom'),
    kind: z.templateLiteral([z.string(), '.', z.string()]),
    providerMetadata,
  }),
  z.object({ type: z.literal('step-start') }),
  z.object({
    type: z.literal('source-url'),
    sourceId: z.string(),
    url: z.string(),
    title: z.string().exactOptional(),
    providerMetadata,
  }),
  z.object({
    type: z.literal('source-document'),
    sourceId: z.string(),
    mediaType: z.string(),
    title: z.string(),
    filename: z.string().exactOptional(),
    providerMetadata,
  }),
]);

const message = z.object({
  id: z.string().default(''),
  role: z.enum(['system', 'user', 'assistant']),
  parts: z.array(part),
});

const fields = z.strictObject({
  /** Default: the first of these that the user has a key for. */
  provider: z.enum(generatingProviders).optional(),
  model: z
    .string()
    .regex(/^[\w@:-][\w@:.-]*(\/[\w@:-][\w@:.-]*)*$/, 'must be a model name')
    .max(MAX_REQUESTED_MODEL_CHARACTERS)
    .optional(),
  prompt: z.string().min(1).optional(),
  /** For a prompt only; a chat is always answered as a stream. */
  stream: z.boolean().optional(),
  /** A chat instead of a prompt: `DefaultChatTransport` of the AI SDK sends these four members. */
  messages: z.array(message).min(1).optional(),
  id: z.string().optional(),
  trigger: z.enum(['submit-message', 'regenerate-message']).optional(),
  messageId: z.string().optional(),
});

/** A prompt as a client writes it. */
export type PromptRequest = Pick<z.input<typeof fields>, 'provider' | 'model' | 'stream'> & {
  readonly prompt: string;
};

type Asked = Pick<z.infer<typeof fields>, 'provider' | 'model'>;
type PromptBody = Asked & { readonly prompt: string; readonly stream: boolean };
type ChatBody = Asked & { readonly messages: UIMessage[]; readonly messageId: string | undefined };
export type GenerateBody = PromptBody | ChatBody;

/** Exactly one of `prompt` and `messages`. */
export const generateBody = fields.transform((body, context): GenerateBody => {
  const { provider, model, prompt, messages, stream = false, messageId } = body;
  if (prompt !== undefined && messages === undefined) return { provider, model, prompt, stream };
  if (prompt === undefined && messages !== undefined) return { provider, model, messages, messageId };
  context.addIssue({
    code: 'custom',
    path: ['prompt'],
    message: prompt === undefined ? 'is missing' : 'cannot be combined with messages',
  });
  return z.NEVER;
});
