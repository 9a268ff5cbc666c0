/**
 * Warns when the server makes room by evicting keys: parts of the log, which readers are then told of as holes.
 *
 * @param settings what the server says of its memory
 */
export async function warnOfEviction(settings: Promise<unknown>, onWarning: (warning: Error) => void): Promise<void> {
  try {
    const info = String(await settings);
    const limit = Number(/^maxmemory:(\d+)/m.exec(info)?.[1] ?? 0);
    const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1] ?? 'noeviction';
    if (limit === 0 || policy === 'noeviction') return;
    const advice = 'Events that clients could still resume from may be lost; they are told so. Set it to noeviction.';
    onWarning(new Error(`redisEngine: maxmemory-policy of the server is ${policy}. ${advice}`));
  } catch {
    // A user who may not ask is not warned.
  }
}
