/** A name that no user can give a topic. */
export type OwnTopicName = `/${string}`;

/** Whether a topic is the users', and not one of the module's own. */
export function isUsers(topic: string): boolean {
  return !topic.startsWith('/');
}
