/** Texts for errors: what went wrong and what the user can do next. */
import { ApiError } from '../client/api-error.ts';
import type { MessageText } from './message.ts';

export type ErrorText = MessageText & {
  /** Sending the same request again may work. */
  readonly canRetry: boolean;
};

/** `provider` is the name of the provider that the error is about. The texts never contain user input or a key. */
export function describeError(error: unknown, provider = 'The provider'): ErrorText {
  if (!(error instanceof ApiError))
    return say('Something went wrong on this page.', 'Reload the page and try again.');
  const { code, retryAfterSeconds, fieldErrors, members } = error;
  const tryAgain = retryAfterSeconds
    ? `Try again in ${formatSeconds(retryAfterSeconds)}.`
    : 'Try again shortly.';
  switch (code) {
    case 'unreachable':
      return navigator.onLine
        ? retry('The server did not respond.', 'Check your connection and try again.')
        : retry('You are offline.', 'Try again when you are back online.');
    case 'signed_out':
    case 'token_missing':
    case 'token_invalid':
    case 'token_expired':
      return retry('Your session has ended.', 'Sign in again, then try again.');
    case 'store_unavailable':
      return retry('The key store is not available right now.', tryAgain);
    case 'vault_unavailable':
    case 'issuer_unavailable':
      return retry('The server cannot do this right now.', `Nothing was changed. ${tryAgain}`);
    case 'store_outdated':
      return retry('The key store is being upgraded.', `Nothing was changed. ${tryAgain}`);
    case 'env_file_busy':
      return retry('Another program is writing to your .env file.', 'Nothing was saved. Try again.');
    case 'env_file_refused':
    case 'deployment_outdated':
    case 'account_erased':
    case 'key_deleted':
      return say('Nothing was saved.', error.message);
    case 'rate_limited':
      return retry('Too many requests in one minute.', tryAgain);
    case 'too_many_calls':
      return retry('Too many calls at once.', tryAgain);
    case 'invalid_request':
      return say(
        'The input is not valid.',
        fieldErrors.map(({ detail }) => `${capitalize(detail)}.`).join(' '),
      );
    case 'key_rejected':
      return say(
        `${provider} rejected this key.`,
        'Make sure that you copied the whole key, or create a new one.',
      );
    case 'key_missing':
      return say('No key is stored.', 'Add a key first.');
    case 'key_paused':
      return say('This key is paused.', 'Change its limits to use it again.');
    case 'key_expired':
      return say('This key has expired.', 'Change its expiry date to use it again.');
    case 'model_not_allowed':
      return say('This key cannot be used with that model.', 'Change its limits, or choose another model.');
    case 'daily_limit_reached':
      return say('This key has reached its daily limit.', 'Change the limit, or wait until midnight UTC.');
    case 'key_unreadable':
      return say('The stored key cannot be decrypted.', 'Replace it with a new key.');
    case 'step_incomplete':
    case 'step_out_of_order':
    case 'step_required':
      return say('This step is not complete yet.', error.message);
    case 'provider_limited':
      return retry(
        `${provider} is limiting calls with this key.`,
        `${tryAgain} You can also check your plan at the provider.`,
      );
    case 'provider_refused':
      return say(
        `${provider} accepted the key but rejected the request.`,
        typeof members.providerMessage === 'string'
          ? `Its message: ${members.providerMessage}`
          : 'Check your account at the provider.',
      );
    case 'provider_error':
    case 'provider_redirected':
    case 'provider_unreachable':
    case 'provider_timeout':
      return retry(
        `${provider} is not responding correctly right now.`,
        'Your key is not the problem. Try again shortly.',
      );
    case 'broken_off':
      return retry('The answer was cut off.', 'Send the prompt again.');
    default:
      return retry(
        error.message,
        error.requestId ? `If this happens again, report the request ID ${error.requestId}.` : tryAgain,
      );
  }
}

function say(title: string, detail: string): ErrorText {
  return { title, detail, canRetry: false };
}

function retry(title: string, detail: string): ErrorText {
  return { title, detail, canRetry: true };
}

function formatSeconds(seconds: number): string {
  return seconds === 1 ? '1 second' : `${seconds} seconds`;
}

function capitalize(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
