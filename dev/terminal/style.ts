/** Colours: on a terminal only, and not with NO_COLOR (Node decides both). */
import { styleText } from 'node:util';

export const strong = (text: string): string => styleText('bold', text);
export const faint = (text: string): string => styleText('dim', text);
export const good = (text: string): string => styleText('green', text);
export const bad = (text: string): string => styleText('red', text);
export const caution = (text: string): string => styleText('yellow', text);
export const link = (text: string): string => styleText('cyan', text);
