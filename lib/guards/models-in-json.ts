/**
 * Finds every model that a JSON text names. The text is read token by token, because a parsed object hides duplicate
 * members: some parsers use the first one and some the last.
 */
import { visit } from 'jsonc-parser';
import { MAX_GUARDED_BODY_DEPTH, MAX_GUARDED_BODY_VALUES } from '../limits.ts';

/** `model`, `models`, `fallback_models`, in upper or lower case: some parsers ignore the case of names. */
const MODEL_NAME = /(?:^|[^a-z])models?$/;
/** Members that describe values by their names: a tool may have a parameter that is called `model`. */
const SCHEMAS = new Set(['properties', '$defs', 'definitions']);

type ModelsInJson = {
  /** The strings in every member that is called after models, at any depth. */
  readonly models: readonly string[];
  /** The outermost object has a `model`. */
  readonly isNamed: boolean;
};

/** An object or array that is open at this point of the text. */
type Parent = {
  /** The member whose value it is; undefined for elements of an array. */
  readonly member: string | undefined;
  /** It is a list of models. */
  readonly isModels: boolean;
};

/**
 * Returns undefined if the models cannot be determined: the text is not JSON, its outermost value is not an object, a
 * member for models contains anything but strings, or the text exceeds the limit of nesting or of values.
 */
export function modelsInJson(text: string): ModelsInJson | undefined {
  try {
    return findModels(collapseWhiteSpace(text));
  } catch (error) {
    if (error instanceof CannotTell) return undefined;
    throw error;
  }
}

/**
 * The parser is slow on long white space, so each thousand characters of it become one. Names of models and members that matter
 * contain none. A line break or tab stays one, because a string that contains it is not JSON.
 */
function collapseWhiteSpace(text: string): string {
  return text.replace(/[ \t\r\n]{16,1024}/g, (run) => (/[\t\r\n]/.test(run) ? '\n' : ' '));
}

/** Ends the visit. The parser offers no other way to stop early. */
class CannotTell extends Error {}

function findModels(text: string): ModelsInJson {
  const models: string[] = [];
  const parents: Parent[] = [];
  let isNamed = false;
  let values = 0;
  let member: string | undefined;

  /** Whether the next value belongs to a member that is called after models. */
  function isModelsValue(): boolean {
    values += 1;
    if (values > MAX_GUARDED_BODY_VALUES) throw new CannotTell();
    return member === undefined ? parents.at(-1)?.isModels === true : isModelName(member);
  }

  function open(isModels: boolean): void {
    if (parents.length === MAX_GUARDED_BODY_DEPTH) throw new CannotTell();
    parents.push({ member, isModels });
    member = undefined;
  }

  visit(
    text,
    {
      onObjectProperty: (name) => {
        member = name;
      },
      onObjectBegin: () => {
        const isModels = isModelsValue();
        if (isModels && !SCHEMAS.has(parents.at(-1)?.member ?? '')) throw new CannotTell();
        open(isModels);
      },
      onArrayBegin: () => {
        const isModels = isModelsValue();
        const isFirstValue = parents.length === 0;
        if (isFirstValue || (isModels && member === undefined)) throw new CannotTell();
        open(isModels);
      },
      onLiteralValue: (value: unknown) => {
        const isModels = isModelsValue();
        if (parents.length === 0 || (isModels && typeof value !== 'string')) throw new CannotTell();
        if (isModels) {
          models.push(String(value));
          isNamed ||= parents.length === 1 && member === 'model';
        }
        member = undefined;
      },
      onObjectEnd: () => void parents.pop(),
      onArrayEnd: () => void parents.pop(),
      onError: () => {
        throw new CannotTell();
      },
    },
    { disallowComments: true },
  );
  return { models, isNamed };
}

function isModelName(member: string): boolean {
  return MODEL_NAME.test(member.normalize('NFKC').toLowerCase());
}
