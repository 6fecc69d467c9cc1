/** Colours, named by what they mean. Only a terminal gets them, or a pipe when FORCE_COLOR is set. */
import picocolors from 'picocolors';

/** NO_COLOR and FORCE_COLOR decide first. picocolors alone would also colour a pipe when `CI` is set. */
export function colorsFor(stream: NodeJS.WriteStream): ReturnType<typeof picocolors.createColors> {
  const isWanted = stream.isTTY || Boolean(process.env.FORCE_COLOR);
  return picocolors.createColors(isWanted && picocolors.isColorSupported);
}

const colors = colorsFor(process.stdout);

export const strong = colors.bold;
export const faint = colors.dim;
export const good = colors.green;
export const bad = colors.red;
export const caution = colors.yellow;
export const link = colors.cyan;
