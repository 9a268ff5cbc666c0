/**
 * How gladly a client takes a media type, from 0 to 1: by the most specific range of its `Accept` header that fits. Who says nothing takes
 * everything. Parameters other than `q` are not looked at.
 *
 * @see RFC 9110, section 12.5.1
 */
export function acceptance(accept: string | undefined, type: string): number {
  if (accept === undefined || accept.trim() === '') return 1;
  const ranges = [type, `${type.slice(0, type.indexOf('/'))}/*`, '*/*'];
  let best = ranges.length;
  let weight = 0;
  for (const part of accept.toLowerCase().split(',')) {
    const [name = '', ...parameters] = part.split(';').map((each) => each.trim());
    const rank = ranges.indexOf(name);
    if (rank === -1 || rank > best) continue;
    const own = weightOf(parameters);
    // Of a range that is given twice the client wants what it wants more.
    weight = rank === best ? Math.max(weight, own) : own;
    best = rank;
  }
  return weight;
}

/** What is no weight is as if its range were not there. */
function weightOf(parameters: readonly string[]): number {
  const given = parameters.find((parameter) => /^q\s*=/.test(parameter));
  if (given === undefined) return 1;
  const text = given.slice(given.indexOf('=') + 1).trim();
  return /^(0(\.\d{0,3})?|1(\.0{0,3})?)$/.test(text) ? Number(text) : 0;
}
