import { describe, expect, it } from '@jest/globals';
import { Admission, type ConnectionLimits, type Counted } from './admission.js';

const limits = (given: Partial<ConnectionLimits>): ConnectionLimits => ({
  connections: Infinity,
  connectionsPerPrincipal: Infinity,
  connectionsPerAddress: Infinity,
  ...given,
});

const of = (id: string | null, address?: string): Counted => ({ principal: id === null ? null : { id }, address });

describe('admission', () => {
  it('lets in as many as the limit says, and names the limit to who comes after', () => {
    const admission = new Admission(limits({ connections: 2 }));

    const answers = [of('a'), of('b'), of('c')].map((one) => admission.enter(one));

    expect(answers).toEqual([undefined, undefined, 'connections']);
    expect(admission.count).toBe(2);
  });

  it('counts each principal apart', () => {
    const admission = new Admission(limits({ connectionsPerPrincipal: 1 }));

    const answers = [of('a'), of('b'), of('a')].map((one) => admission.enter(one));

    expect(answers).toEqual([undefined, undefined, 'connectionsPerPrincipal']);
  });

  it('counts each address apart, and an IPv6 network of 64 bits as one', () => {
    const admission = new Admission(limits({ connectionsPerAddress: 1 }));

    const answers = ['10.0.0.1', '10.0.0.2', '::ffff:10.0.0.1', '2001:db8::1', '2001:db8::2'].map((address) =>
      admission.enter(of(null, address)),
    );

    expect(answers).toEqual([undefined, undefined, 'connectionsPerAddress', undefined, 'connectionsPerAddress']);
  });

  it('counts nobody for a principal or an address that is not known', () => {
    const admission = new Admission(limits({ connectionsPerPrincipal: 1, connectionsPerAddress: 1 }));

    const answers = [of(null), of(null), of(null)].map((one) => admission.enter(one));

    expect(answers).toEqual([undefined, undefined, undefined]);
  });

  it.each(['__proto__', 'constructor', ''])('counts the principal %j like any other', (id) => {
    const admission = new Admission(limits({ connectionsPerPrincipal: 1 }));

    expect([of(id), of(id)].map((one) => admission.enter(one))).toEqual([undefined, 'connectionsPerPrincipal']);
  });

  it('counts nothing for who was refused by a later limit', () => {
    const admission = new Admission(limits({ connectionsPerPrincipal: 2, connectionsPerAddress: 1 }));
    const [first, refused] = [of('a', '10.0.0.1'), of('a', '10.0.0.1')];
    admission.enter(first);

    expect(admission.enter(refused)).toBe('connectionsPerAddress');
    admission.leave(refused);

    expect(admission.count).toBe(1);
    expect(admission.enter(of('a', '10.0.0.2'))).toBeUndefined();
    expect(admission.enter(of('a', '10.0.0.3'))).toBe('connectionsPerPrincipal');
  });

  it('has room as soon as one has left, and counts a second leave for nothing', () => {
    const admission = new Admission(limits({ connections: 2, connectionsPerPrincipal: 1, connectionsPerAddress: 1 }));
    const [first, second] = [of('a', '10.0.0.1'), of('b', '10.0.0.2')];
    admission.enter(first);
    admission.enter(second);

    admission.leave(first);
    admission.leave(first);

    expect(admission.count).toBe(1);
    expect(admission.enter(of('a', '10.0.0.1'))).toBeUndefined();
    expect(admission.enter(of('c', '10.0.0.3'))).toBe('connections');
  });

  it('is empty after any coming and going', () => {
    const admission = new Admission(limits({ connections: 50, connectionsPerPrincipal: 7, connectionsPerAddress: 5 }));
    const all = Array.from({ length: 1_000 }, (_, n) => of(`p${n % 13}`, `10.0.0.${n % 17}`));

    for (const one of all) admission.enter(one);
    for (const one of all) admission.leave(one);

    expect(admission.count).toBe(0);
    const again = all.slice(0, 13).map((one) => admission.enter(one));
    expect(again).toEqual(again.map(() => undefined));
  });
});
