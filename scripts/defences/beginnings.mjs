const from = 'test/nodes/from.spec.ts';
const finalEnds = 'test/nodes/final-ends.spec.ts';

/** Where a stream begins, what is read without one, and where a topic ends for good. */
export const beginnings = [
  {
    name: 'of what leads up to a place, nothing is missing that was not promised',
    file: 'src/hub/prelude.ts',
    find: 'const topics = hole.topics.filter((topic) => this.#begun.has(topic));',
    replace: 'const { topics } = hole;',
    spec: from,
    test: 'with memory what is no longer there is not told',
  },
  {
    name: 'an end that something came after is none for who begins before it',
    file: 'src/hub/prelude.ts',
    find: 'if (how === undefined) this.#ends.delete(topic);\n      else {',
    replace: 'if (how !== undefined) {',
    spec: from,
    test: 'with memory a topic that has ended gives',
  },
  {
    name: 'the end of a topic is not one of its newest events',
    file: 'src/hub/prelude.ts',
    find: 'const last = portion.last + (more?.get(topic) ?? 0);',
    replace: 'const { last } = portion;',
    spec: from,
    test: 'with memory a topic that has ended gives',
  },
  {
    name: 'the newest of each topic are those of the moment of the head',
    file: 'src/connection/topic-reading.ts',
    find: 'isExact && from === undefined ? this.#cursor.openAtHead() : this.#cursor.open(from);',
    replace: 'this.#cursor.open(from);',
    spec: from,
    test: 'with PostgreSQL newcomers in a storm',
  },
  {
    name: 'a place that is found before the answer is not told when it leads to others',
    file: 'src/connection/topic-reading.ts',
    find: "    this.#earlyPlace = '';\n    this.#cursor.beginAt",
    replace: '    this.#cursor.beginAt',
    spec: from,
    test: 'with memory a client that is cut off in what comes first',
  },
  {
    name: 'whoever opens a topic looks whether it has ended for good',
    file: 'src/hub/hub.ts',
    find: ', this.finalEnds.check(view.names.filter(isUsers))]',
    replace: ']',
    spec: finalEnds,
    test: 'a node that has not been told finds the mark',
  },
  {
    name: 'whoever comes between the end of a topic and its mark is given all the same what there is',
    file: 'src/hub/cursor.ts',
    find: 'if (hasComeLate) return this.#begin(this.#place);',
    replace: '',
    spec: finalEnds,
    test: 'whoever comes after the end and before its mark',
  },
  {
    name: 'nothing is published to a topic from when it is being ended',
    file: 'src/hub/final-ends.ts',
    find: ' || this.#ending.has(topic))',
    replace: ')',
    spec: finalEnds,
    test: 'with memory publishing to it is refused',
  },
];
