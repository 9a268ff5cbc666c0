import { SseError, describe } from '../errors.js';
import { checkTopicName, nameProblem } from './name.js';
import { checkPattern } from './pattern.js';

/**
 * The parameters of a definition's path: `PathParams<'stocks/:symbol'>` is `{ readonly symbol: string }`.
 *
 * Without parameters it is an empty record; for a path that is not known when compiling, any record.
 */
export type PathParams<Path extends string, Value = string> = string extends Path
  ? Readonly<Record<string, Value>>
  : { readonly [Name in ParamName<Path>]: Value };

type ParamName<Path extends string, Found extends string = never> = Path extends `${infer Segment}/${infer Rest}`
  ? ParamName<Rest, Found | SegmentParam<Segment>>
  : Found | SegmentParam<Path>;

type SegmentParam<Segment extends string> = Segment extends `:${infer Name}` ? Name : never;

/** What a path names: all that is needed of a topic definition here. */
interface HasPath<Path extends string> {
  readonly path: Path;
}

const PARAMETER = /^:[\p{ID_Start}$_][\p{ID_Continue}$]*$/u;

/**
 * The name of the parameter that a path's segment stands for, `undefined` for a static segment.
 *
 * @internal
 */
export function paramOf(segment: string): string | undefined {
  return segment.startsWith(':') ? segment.slice(1) : undefined;
}

/**
 * Checks the path of a topic definition: a topic name in which whole segments may be parameters (`:symbol`), each an
 * identifier and named once.
 *
 * @throws {@link SseError} with the code `invalid-definition`
 */
export function checkPath(path: unknown): asserts path is string {
  const problem = pathProblem(path);
  if (problem === undefined) return;
  throw new SseError('invalid-definition', `The path of a topic definition ${problem}; got ${describe(path)}`);
}

function pathProblem(path: unknown): string | undefined {
  if (typeof path !== 'string') return nameProblem(path);
  const segments = path.split('/');
  const params = segments.filter((segment) => segment.startsWith(':'));
  const badParam = params.find((param) => !PARAMETER.test(param));
  if (badParam !== undefined) return `must have an identifier after ':', not ${describe(badParam)}`;
  const repeated = params.find((param, index) => params.indexOf(param) !== index);
  if (repeated !== undefined) return `must not have the parameter ${describe(repeated)} twice`;
  return nameProblem(segments.map((segment) => segment.replace(/^:/, '-')).join('/'));
}

/**
 * The topic name that a definition's path gives with its parameters filled in. Values go in as they are: nothing is
 * percent-encoded, and nothing that would end the segment is taken.
 *
 * @throws {@link SseError} with the code `invalid-topic` when a parameter is missing, superfluous, or neither a finite
 * number nor a string that can be one segment
 */
export function topicName<Path extends string>(
  definition: HasPath<Path>,
  params: PathParams<Path, string | number>,
): string {
  const name = fill(definition, params);
  checkTopicName(name);
  return name;
}

/**
 * The pattern of all topics of a definition that have these parameters: those that are not given may be any. One that is given as
 * `undefined` is none that was left out: what only seems to be given must not open all.
 *
 * @throws {@link SseError} with the code `invalid-topic`, as {@link topicName} does
 */
export function topicPattern<Path extends string>(
  definition: HasPath<Path>,
  params: Partial<PathParams<Path, string | number>>,
): string {
  const pattern = fill(definition, params, '*');
  checkPattern(pattern);
  return pattern;
}

/** Tells whether every name that a pattern matches could be given by a definition's path. */
export function coversPattern({ path }: HasPath<string>, pattern: string): boolean {
  const [segments, wanted] = [path.split('/'), pattern.split('/')];
  if (segments.length !== wanted.length) return false;
  return segments.every(
    (segment, n) => wanted[n] !== '**' && (paramOf(segment) !== undefined || segment === wanted[n]),
  );
}

/** @param absent what stands for a parameter that is not given */
function fill({ path }: HasPath<string>, params: unknown, absent?: string): string {
  if (typeof params !== 'object' || params === null) {
    throw new SseError(
      'invalid-topic',
      `The topic ${describe(path)} needs an object of parameters; got ${describe(params)}`,
    );
  }
  const values = params as Readonly<Record<string, unknown>>;
  const segments = path.split('/');
  const superfluous = Object.keys(values).find((param) => !segments.includes(`:${param}`));
  if (superfluous !== undefined) {
    throw new SseError('invalid-topic', `The topic ${describe(path)} has no parameter ${describe(superfluous)}`);
  }
  return segments.map((segment) => fillSegment(path, segment, values, absent)).join('/');
}

function fillSegment(
  path: string,
  segment: string,
  values: Readonly<Record<string, unknown>>,
  absent: string | undefined,
): string {
  const param = paramOf(segment);
  if (param === undefined) return segment;
  if (!Object.hasOwn(values, param)) {
    if (absent !== undefined) return absent;
    throw new SseError('invalid-topic', `The topic ${describe(path)} needs the parameter ${describe(param)}`);
  }
  const value = values[param];
  const text = Number.isFinite(value) ? String(value) : value;
  if (typeof text === 'string' && !text.includes('/') && nameProblem(text) === undefined) return text;
  throw new SseError(
    'invalid-topic',
    `The parameter ${describe(param)} of the topic ${describe(path)} must be a finite number, or a string that can be ` +
      `one segment of a topic name; got ${describe(value)}`,
  );
}

/** The parameters with which a definition's path gives a topic name; `undefined` when it cannot give it. */
export function matchTopic<Path extends string>(definition: HasPath<Path>, name: string): PathParams<Path> | undefined {
  if (nameProblem(name) !== undefined) return undefined;
  const segments = definition.path.split('/');
  const given = name.split('/');
  if (segments.length !== given.length) return undefined;
  const params: Array<[string, string]> = [];
  for (const [index, value] of given.entries()) {
    const segment = segments[index] as string;
    const param = paramOf(segment);
    if (param !== undefined) params.push([param, value]);
    else if (segment !== value) return undefined;
  }
  // fromEntries defines own properties, so that a parameter called `__proto__` is one like any other.
  return Object.fromEntries(params) as PathParams<Path>;
}
