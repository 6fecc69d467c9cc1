/** What went wrong, and what the person can do next. */
import { ApiError } from '../client/api-error.ts';

export type ErrorText = {
  readonly what: string;
  /** What to do next. */
  readonly next: string;
  /** Asking again, without changing anything, may work. */
  readonly canRetry: boolean;
};

/** `provider` is its name, for errors that are about one. No input and no key is ever repeated. */
export function describeError(error: unknown, provider = 'The provider'): ErrorText {
  if (!(error instanceof ApiError))
    return say('Something went wrong in this page.', 'Reload it and try again.');
  const { code, retryAfterSeconds, fieldErrors, members } = error;
  const shortly = retryAfterSeconds ? `Try again in ${inSeconds(retryAfterSeconds)}.` : 'Try again shortly.';
  switch (code) {
    case 'unreachable':
      return navigator.onLine
        ? retry('The server did not answer.', 'Check your connection and try again.')
        : retry('You are offline.', 'Try again when you are back online.');
    case 'signed_out':
    case 'token_missing':
    case 'token_invalid':
    case 'token_expired':
      return retry('Your session has ended.', 'Sign in again, then try once more.');
    case 'store_unavailable':
      return retry('The key store is not answering right now.', shortly);
    case 'vault_unavailable':
    case 'issuer_unavailable':
      return retry('The server cannot do this right now.', `Nothing was changed. ${shortly}`);
    case 'env_file_busy':
      return retry('Something else is writing your .env file.', 'Nothing was saved. Try again.');
    case 'env_file_refused':
    case 'deployment_outdated':
    case 'account_erased':
      return say('Nothing was saved.', error.message);
    case 'rate_limited':
      return retry('That was too many requests for one minute.', shortly);
    case 'invalid_request':
      return say(
        'This is not in the form that is needed.',
        fieldErrors.map(({ detail }) => `${capitalized(detail)}.`).join(' '),
      );
    case 'key_rejected':
      return say(
        `${provider} does not accept this key.`,
        'Check that you copied all of it, or create a new one.',
      );
    case 'key_missing':
      return say('There is no key to use.', 'Add one first.');
    case 'key_paused':
      return say('This key is paused.', 'Change its limits to use it again.');
    case 'key_expired':
      return say('The expiry date of this key has passed.', 'Change its limits to use it again.');
    case 'model_not_allowed':
      return say('This key is not allowed for that model.', 'Change its limits, or choose another model.');
    case 'daily_limit_reached':
      return say(
        'This key has reached its calls for today.',
        'Change its limits, or go on after midnight UTC.',
      );
    case 'key_unreadable':
      return say('The stored key cannot be opened any more.', 'Replace it with a new one.');
    case 'step_incomplete':
    case 'step_out_of_order':
    case 'step_required':
      return say('This step is not done yet.', error.message);
    case 'provider_limited':
      return retry(
        `${provider} limits calls with this key at the moment.`,
        `${shortly} Or check your plan there.`,
      );
    case 'provider_refused':
      return say(
        `${provider} accepted the key but refused the request.`,
        typeof members.providerMessage === 'string'
          ? `It said: ${members.providerMessage}`
          : 'Check your account there.',
      );
    case 'provider_error':
    case 'provider_redirected':
    case 'provider_unreachable':
    case 'provider_timeout':
      return retry(
        `${provider} is not answering properly right now.`,
        'This is not about your key. Try again shortly.',
      );
    case 'broken_off':
      return retry('The answer broke off before its end.', 'Send the prompt again.');
    default:
      return retry(
        error.message,
        error.requestId ? `If it stays, report the number ${error.requestId}.` : shortly,
      );
  }
}

function say(what: string, next: string): ErrorText {
  return { what, next, canRetry: false };
}

function retry(what: string, next: string): ErrorText {
  return { what, next, canRetry: true };
}

function inSeconds(seconds: number): string {
  return seconds === 1 ? 'a second' : `${seconds} seconds`;
}

function capitalized(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
