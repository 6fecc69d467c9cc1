import { app, endpoint } from '../lib/app.ts';
import { route } from '../lib/http/endpoint.ts';
import { json, noContent } from '../lib/http/json.ts';
import { onboardingPatch } from '../lib/onboarding/onboarding-schema.ts';

export const { GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS } = endpoint('/api/onboarding', {
  GET: route({}, async ({ user }) => json(await (await app()).onboarding.read(user))),
  PATCH: route({ body: onboardingPatch }, async ({ user, body }) =>
    json(await (await app()).onboarding.change(user, body)),
  ),
  DELETE: route({}, async ({ user }) => {
    await (await app()).onboarding.startOver(user);
    return noContent();
  }),
});
