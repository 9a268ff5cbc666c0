/** A name that no user can give a topic. */
export type OwnTopicName = `/${string}`;

/** Whether a topic is the users', and not one of the module's own. */
export function isUsers(topic: string): boolean {
  return !topic.startsWith('/');
}

const RUN = '/run/';

/** The topic that a run under a name is kept in. */
export function runTopic(name: string, id: string): OwnTopicName {
  return `${RUN}${id}/${name}`;
}

/** Whether nothing counts that stands behind the first end of a topic: a run ends once, whoever else writes to its topic. */
export function endsOnce(topic: string): boolean {
  return topic.startsWith(RUN);
}

/** The name by which users know a topic: that of what is kept in it. */
export function publicName(topic: string): string {
  return topic.startsWith(RUN) ? topic.slice(topic.indexOf('/', RUN.length) + 1) : topic;
}
