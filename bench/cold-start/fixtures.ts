/** KV, issuer and providers in a process of their own, so that their CPU is not counted. Forked by the benchmark. */
import { startWorld } from '../../test/support/start-world.ts';

const world = await startWorld({ applyEnv: false });
const token = await world.tokenFor('alice', { exp: Math.floor(Date.now() / 1000) + 3_600 });
process.send?.({ env: world.env, token, provider: world.providers.origin('openai') });
process.once('disconnect', () => void world.close());
