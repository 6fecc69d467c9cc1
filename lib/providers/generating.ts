/** The providers that `/api/generate` speaks to, in the order it prefers them. */
export const GENERATING = ['gemini', 'openai', 'anthropic', 'mistral', 'groq'] as const;
export type GeneratingProvider = (typeof GENERATING)[number];
