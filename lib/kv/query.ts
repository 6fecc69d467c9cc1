/**
 * Queries to the store. A query adds its commands to a pipeline and parses the answers to exactly those commands. The
 * pipeline counts them, so one query's answer cannot reach another query.
 */
import type { VercelKV } from '@vercel/kv';
import { type ZodType, z } from 'zod';

type Pipeline = ReturnType<VercelKV['pipeline']>;

/** Parses the answers to the query's own commands. Throws ZodError or `UnexpectedAnswer` if their shape is another. */
type ParseAnswers<T> = (answers: readonly unknown[]) => T;

export type Query<T> = (pipeline: Pipeline) => ParseAnswers<T>;

/** An answer of an unexpected shape, where no schema found it. */
export class UnexpectedAnswer extends Error {
  override readonly name = 'UnexpectedAnswer';
}

/**
 * A query of one or more commands. `schema` parses the list of their answers, one item for each command. Making a schema
 * takes longer than parsing with it: queries of every call use one that was made before, with `mapQuery`.
 */
export function query<T>(addCommands: (pipeline: Pipeline) => unknown, schema: ZodType<T>): Query<T> {
  return (pipeline) => {
    addCommands(pipeline);
    return (answers) => schema.parse(answers);
  };
}

/** Runs a Lua script as one command. `schema` parses what it returns. */
export function scriptQuery<T>(script: Script, schema: ZodType<T>): Query<T> {
  return (pipeline) => {
    pipeline.eval(script.source, [...script.keys], [...script.args]);
    return ([answer]) => schema.parse(answer);
  };
}

/** The same query, with its parsed answer changed by what this call knows. */
export function mapQuery<A, T>(asked: Query<A>, change: (answer: A) => T): Query<T> {
  return (pipeline) => {
    const parse = asked(pipeline);
    return (answers) => change(parse(answers));
  };
}

/** A Lua script with what it sees as `KEYS` and `ARGV`. */
export type Script = {
  readonly source: string;
  readonly keys: readonly string[];
  readonly args: readonly string[];
};

/** A script that writes, and the schema of what it returns. It returns something in any case: nil counts as no answer. */
export type ScriptedWrite<T> = { readonly script: Script; readonly answer: ZodType<T> };

/** The results of queries, in the same order. */
type Results<Q extends readonly Query<unknown>[]> = {
  readonly [I in keyof Q]: Q[I] extends Query<infer T> ? T : never;
};

/** Several queries that travel in one request. Their commands run in this order. */
export function combineQueries<const Q extends readonly Query<unknown>[]>(...queries: Q): Query<Results<Q>>;
export function combineQueries(...queries: readonly Query<unknown>[]): Query<readonly unknown[]> {
  return (pipeline) => {
    const first = pipeline.length();
    const parts = queries.map((add) => {
      const start = pipeline.length() - first;
      const parse = add(pipeline);
      return { parse, start, end: pipeline.length() - first };
    });
    return (answers) => parts.map(({ parse, start, end }) => parse(answers.slice(start, end)));
  };
}

/** A query with no commands. */
export const emptyQuery: Query<undefined> = () => () => undefined;

/** A string or null: the answer to `GET` and `HGET`. */
export const optionalText = z.string().nullable();

/** A number that Redis counts: the answer to `INCR`, `EXPIRE`, `HDEL` and the like. */
export const count = z.int();

/** A stored counter; 0 if there is none. Redis returns stored numbers as text. */
export const optionalCounter = z
  .string()
  .regex(/^-?\d{1,15}$/)
  .nullable()
  .transform((text) => Number(text ?? 0));

/** The answer to `HMGET` and `MGET` of this many fields, in order. */
export function optionalTexts(fields: number) {
  return z.array(optionalText).length(fields);
}

/** Refuses a list whose length is not that of what was asked for. */
export function assertLength(list: readonly unknown[], length: number): void {
  if (list.length !== length) throw new UnexpectedAnswer();
}

/** The answer to `HGETALL`: names and values alternately. An object, as some front ends send, is refused. */
export const fieldsOfHash = z
  .array(z.string())
  .refine((words) => words.length % 2 === 0)
  .transform(
    (words): ReadonlyMap<string, string> =>
      new Map(
        words.flatMap((name, index) => (index % 2 === 0 ? [[name, words[index + 1] ?? ''] as const] : [])),
      ),
  );
