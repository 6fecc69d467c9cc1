/** The SDKs under test, in the order of docs/sdks.md. */
import type { Sdk } from './harness/sdk.ts';
import { aiSdkAnthropic } from './sdks/ai-sdk-anthropic.ts';
import { aiSdkGoogle } from './sdks/ai-sdk-google.ts';
import { aiSdkGroq } from './sdks/ai-sdk-groq.ts';
import { aiSdkMistral } from './sdks/ai-sdk-mistral.ts';
import { aiSdkOpenai } from './sdks/ai-sdk-openai.ts';
import { aiSdkXai } from './sdks/ai-sdk-xai.ts';
import { anthropic } from './sdks/anthropic.ts';
import { anthropic0 } from './sdks/anthropic-0.ts';
import { cohere } from './sdks/cohere-ai.ts';
import { elevenlabs } from './sdks/elevenlabs.ts';
import { exa } from './sdks/exa-js.ts';
import { firecrawl } from './sdks/firecrawl.ts';
import { googleGenai } from './sdks/google-genai.ts';
import { groq } from './sdks/groq-sdk.ts';
import { huggingface } from './sdks/huggingface.ts';
import { mistral } from './sdks/mistral.ts';
import { openai } from './sdks/openai.ts';
import { openrouter } from './sdks/openrouter.ts';
import { perplexity } from './sdks/perplexity.ts';
import { tavily } from './sdks/tavily.ts';
import { together } from './sdks/together-ai.ts';

export const sdks: readonly Sdk[] = [
  ...[openai, anthropic, anthropic0, googleGenai, exa, mistral, groq, cohere, tavily, firecrawl, together],
  ...[perplexity, openrouter, elevenlabs, huggingface],
  ...[aiSdkOpenai, aiSdkAnthropic, aiSdkGoogle, aiSdkXai, aiSdkMistral, aiSdkGroq],
];
