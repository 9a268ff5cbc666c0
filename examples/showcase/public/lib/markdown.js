// A little Markdown, as language models write it, as elements. Nothing of the text is ever taken for HTML.

const FENCE = /^\s*```\s*([\w+-]*)\s*$/;
const ITEM = /^\s*(?:[-*+]|(\d{1,3})[.)])\s+(.*)$/;
const HEADING = /^(#{1,6})\s+(.*)$/;
const INLINE = /`([^`\n]+)`|\*\*([^\n]+?)\*\*|\*([^*\s](?:[^*\n]*[^*\s])?)\*|\[([^\]\n]+)\]\((https?:\/\/[^\s)]+)\)/g;
const CLOSED = /`[^`]+`|\*\*.+?\*\*|\*[^*\s](?:[^*]*[^*\s])?\*/g;

/** Shows a text that grows: of its blocks only those are made anew that have changed. */
export class Markdown {
  #element;
  #sources = [];

  constructor(element) {
    this.#element = element;
  }

  /** @param isWhole whether it does not break off: otherwise marks that are half there are not shown */
  show(text, isWhole = true) {
    const blocks = blocksOf(isWhole ? text : rounded(text));
    const sources = blocks.map((block) => JSON.stringify(block));
    const same = sources.findIndex((source, i) => source !== this.#sources[i]);
    const from = same === -1 ? blocks.length : same;
    while (this.#element.childNodes.length > from) this.#element.lastChild.remove();
    this.#element.append(...blocks.slice(from).map(elementOf));
    this.#sources = sources;
  }
}

/** What is heard of a text, without its marks. */
export function spoken(text) {
  return text.replace(/```[^]*?(```|$)/g, ' code ').replace(/[`*#]/g, '');
}

/** A text that breaks off in the middle, so that what has begun in its last line has an end. */
function rounded(text) {
  const begin = text.lastIndexOf('\n') + 1;
  const [before, line] = [text.slice(0, begin), text.slice(begin)];
  if (/^\s*(?:[-*+]|\d{1,3}[.)]?|#{1,6}|`{1,2})\s*$/.test(line)) return before;
  const isCode = before.split('\n').filter((each) => FENCE.test(each)).length % 2 === 1;
  if (isCode || FENCE.test(line)) return text;
  const [mark] =
    /`[^`]*$/.exec(line.replace(/`[^`]+`/g, '')) ?? /\*\*?(?!.*\*|\s)/.exec(line.replace(CLOSED, '')) ?? [];
  if (mark === undefined) return text;
  const end = mark[0] === '`' ? '`' : mark;
  return line.endsWith(end) ? text.slice(0, -end.length) : text + end;
}

function blocksOf(text) {
  const blocks = [];
  let open;
  const begin = (block) => blocks.push((open = block));
  for (const line of text.split('\n')) {
    const fence = FENCE.exec(line);
    if (open?.kind === 'code') {
      if (fence) open = undefined;
      else open.lines.push(line);
      continue;
    }
    const [, hashes, title] = HEADING.exec(line) ?? [];
    const [, number, item] = ITEM.exec(line) ?? [];
    if (fence) begin({ kind: 'code', lines: [] });
    else if (line.trim() === '') open = undefined;
    else if (hashes) begin({ kind: 'heading', lines: [title] });
    else if (item !== undefined) {
      const kind = number === undefined ? 'ul' : 'ol';
      if (open?.kind !== kind) begin({ kind, start: Number(number ?? 1), lines: [] });
      open.lines.push(item);
    } else if (open?.kind === 'p') open.lines.push(line);
    else if (open?.kind === 'ul' || open?.kind === 'ol') open.lines.push(`${open.lines.pop()} ${line.trim()}`);
    else begin({ kind: 'p', lines: [line] });
    if (hashes) open = undefined;
  }
  return blocks;
}

function elementOf({ kind, lines, start }) {
  if (kind === 'code') {
    const code = make('code', lines.join('\n'));
    const pre = make('pre', code);
    // It may be wider than it is seen, and is scrolled with the keyboard.
    pre.tabIndex = 0;
    return pre;
  }
  if (kind === 'heading') return make('h3', ...inline(lines[0]));
  if (kind === 'p') return make('p', ...inline(lines.join('\n')));
  const list = make(kind, ...lines.map((line) => make('li', ...inline(line))));
  if (kind === 'ol') list.start = start;
  return list;
}

function inline(text) {
  const parts = [];
  let end = 0;
  for (const match of text.matchAll(INLINE)) {
    const [all, code, strong, emphasis, label, href] = match;
    parts.push(text.slice(end, match.index));
    end = match.index + all.length;
    if (code !== undefined) parts.push(make('code', code));
    else if (strong !== undefined) parts.push(make('strong', ...inline(strong)));
    else if (emphasis !== undefined) parts.push(make('em', emphasis));
    else parts.push(Object.assign(make('a', label), { href, rel: 'noopener noreferrer', target: '_blank' }));
  }
  return [...parts, text.slice(end)];
}

function make(name, ...children) {
  const element = document.createElement(name);
  element.append(...children);
  return element;
}
