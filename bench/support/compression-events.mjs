// The events of `compression.mjs`: JSON as an application would send it, the same in every process that asks for the same
// seed, and no two of them alike. How well it packs decides what the bench finds, so nothing in it is repeated by design
// but the names of the fields.
import { Buffer } from 'node:buffer';

const WORDS = (
  'order parcel customer invoice warehouse delayed shipped paid cancelled returned address street Zürich Köln Málaga ' +
  'express standard pickup carrier label weight pallet blue green small large cotton steel glass lamp table chair desk ' +
  'cable adapter battery case cover spare manual gift note fragile please ring twice leave with neighbour'
).split(' ');
const STATES = ['new', 'paid', 'packed', 'shipped', 'delivered', 'returned'];
const CURRENCIES = ['EUR', 'CHF', 'USD', 'GBP'];
const CUSTOMERS = 50_000;

/** The texts of all events of a stream, in order; a plan is a list of `{ bytes, count }`. */
export function textsOf(seed, plan) {
  const texts = [];
  for (const { bytes, count } of plan) {
    for (let i = 0; i < count; i++) texts.push(textOf(seed, texts.length, bytes));
  }
  return texts;
}

/** The event with a number, about so many bytes long. */
function textOf(seed, n, bytes) {
  const any = generator(seed * 1_000_003 + n);
  const pick = (list) => list[any(list.length)];
  const event = { n, id: any(2 ** 32).toString(16), status: pick(STATES), price: any(100_000) / 100 };
  event.at = new Date(1_767_225_600_000 + n * 100 + any(100)).toISOString();
  if (bytes > 250) event.customer = { id: any(CUSTOMERS), city: pick(WORDS), isNew: any(2) === 1 };
  if (bytes > 250) event.items = [];
  const lengthOf = () => Buffer.byteLength(JSON.stringify(event));
  let length = lengthOf();
  while (event.items !== undefined && length < bytes - 170) {
    const item = {
      sku: `${pick(WORDS).slice(0, 2).toUpperCase()}-${any(100_000)}`,
      title: [pick(WORDS), pick(WORDS), pick(WORDS)].join(' '),
      quantity: 1 + any(9),
      price: any(50_000) / 100,
      currency: pick(CURRENCIES),
      token: any(2 ** 32).toString(36) + any(2 ** 32).toString(36),
    };
    event.items.push(item);
    length += Buffer.byteLength(JSON.stringify(item)) + 1;
  }
  const words = [];
  for (length = lengthOf() + 12; length < bytes - 4; length += Buffer.byteLength(words.at(-1)) + 1)
    words.push(pick(WORDS));
  if (words.length > 0) event.note = words.join(' ');
  return JSON.stringify(event);
}

/** Mulberry32: whole numbers from 0 up to a limit. */
function generator(seed) {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}
