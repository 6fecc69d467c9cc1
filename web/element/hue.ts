/** A colour of its own for each name, the same every time: a hue from 0 to 359. */
export function hueOf(name: string): number {
  return [...name].reduce((sum, character) => (sum * 31 + character.charCodeAt(0)) % 360, 7);
}
