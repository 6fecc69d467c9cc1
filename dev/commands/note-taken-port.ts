import { print } from '../terminal/print.ts';
import { caution } from '../terminal/style.ts';

/** Where the functions are on another port than the one that was asked for. */
export function noteTakenPort(url: string, wantedPort: number): void {
  const { port } = new URL(url);
  if (wantedPort === 0 || Number(port) === wantedPort) return;
  print(caution(`Port ${wantedPort} is taken, so the functions are on ${port}.`));
  print();
}
