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

/** Whether a run is kept in a topic. Behind its first end nothing counts, whoever has written it. */
export function isOfRun(topic: string): boolean {
  return topic.startsWith(RUN);
}

/** The name by which users know a topic: that of what is kept in it. */
export function publicName(topic: string): string {
  return topic.startsWith(RUN) ? topic.slice(topic.indexOf('/', RUN.length) + 1) : topic;
}
