import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { cliEnvironment, vercelCli } from './cli.ts';
import { stageCopy } from './stage.ts';

export type VercelBuild = {
  /** A directory in the form of the Build Output API, version 3. */
  readonly outputDirectory: string;
  /** What the CLI printed. */
  readonly log: string;
  remove(): Promise<void>;
};

/**
 * Builds this project with `vercel build`, as a deployment would, from a copy: the working tree and its `.vercel`
 * stay as they are. Nothing is installed, asked for or uploaded.
 */
export async function vercelBuild(options: { onLog?: (line: string) => void } = {}): Promise<VercelBuild> {
  const cli = await vercelCli(options.onLog);
  const { project, home, output, remove } = await stageCopy();
  try {
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath,
      [cli, 'build', '--yes', '--output', output],
      // What is in node_modules is what gets built; without this each function would be installed again.
      { cwd: project, env: { ...cliEnvironment(home), VERCEL_INSTALL_COMPLETED: '1' } },
    );
    return { outputDirectory: output, log: stdout + stderr, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}
