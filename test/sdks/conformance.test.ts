/** Every official SDK, unmodified, through the gateway: see docs/sdks.md. */
import { afterAll, beforeAll, describe, test } from 'vitest';
import { CASES, type CaseName, type Sdk } from './harness/sdk.ts';
import { type Stage, startStage } from './harness/stage.ts';
import { type Outcome, renderTable } from './harness/table.ts';
import { sdks } from './sdks.ts';

let stage: Stage;
const outcomes = new Map<string, Outcome>();
const key = (sdk: Sdk, name: CaseName) => `${sdk.name} ${name}`;

beforeAll(async () => {
  stage = await startStage();
});
afterAll(async () => {
  const table = renderTable(sdks, (sdk, name) => outcomes.get(key(sdk, name)) ?? '-');
  process.stdout.write(`\n${table}\n\n`);
  await stage.close();
});

describe.each(sdks.map((sdk) => [sdk.name, sdk] as const))('%s', (_name, sdk) => {
  test.each(CASES.filter((name) => sdk.lack(name) === undefined))('%s', async (name) => {
    outcomes.set(key(sdk, name), 'FAIL');
    await sdk.run(name, stage);
    outcomes.set(key(sdk, name), 'pass');
  });
});
