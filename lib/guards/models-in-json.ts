/**
 * Every model that a JSON text speaks of, by its characters and not by what one parser makes of them: of a member
 * that is there twice, some readers take the first and some the last.
 */

/** A string, a bracket or colon, a number or word. */
const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\]:]|[^\s{}[\]:,"]+/g;
/** `model`, `models`, `fallback_models`, in any letters: some readers do not mind the case. */
const MODEL_NAME = /(?:^|[^a-z])models?$/;
/** What these hold describes values by their names: a tool may well have a parameter called `model`. */
const SCHEMAS = new Set(['properties', '$defs', 'definitions']);

export type ModelsInJson = {
  /** What every member that is called after models holds, at any depth. */
  readonly models: readonly string[];
  /** The outermost object has a `model`. */
  readonly isNamed: boolean;
};

type Frame = {
  readonly sign: string;
  /** The member whose value it is. */
  readonly member: string;
  /** A list of models. */
  readonly isModels: boolean;
};

/** `text` must be JSON. Undefined: such a member holds anything but names. */
export function modelsInJson(text: string): ModelsInJson | undefined {
  const models: string[] = [];
  const open: Frame[] = [];
  let isNamed = false;
  let name = '';
  let member: string | undefined;
  for (const [token] of text.matchAll(TOKEN)) {
    const inside = open.at(-1);
    if (token === ':') member = String(JSON.parse(name));
    else if (token === '}' || token === ']') open.pop();
    else if (inside?.sign === '{' && member === undefined) name = token;
    else {
      const isModels = member === undefined ? inside?.isModels === true : isModelName(member);
      const isSchema = token === '{' && SCHEMAS.has(inside?.member ?? '');
      if (isModels && token.startsWith('"')) {
        models.push(String(JSON.parse(token)));
        isNamed ||= open.length === 1 && member === 'model';
      } else if (isModels && !isSchema && !(token === '[' && member !== undefined)) return undefined;
      if (token === '{' || token === '[') open.push({ sign: token, member: member ?? '', isModels });
      member = undefined;
    }
  }
  return { models, isNamed };
}

function isModelName(member: string): boolean {
  return MODEL_NAME.test(member.normalize('NFKC').toLowerCase());
}
