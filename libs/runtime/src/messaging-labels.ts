type Labels = Readonly<Record<string, string>>;

const operation = (name: string, type: string): Labels => ({
  'messaging.system': 'kafka',
  'messaging.operation.name': name,
  'messaging.operation.type': type,
});

export const sendLabels = operation('send', 'send');
export const pollLabels = operation('poll', 'receive');
export const commitLabels = operation('commit', 'settle');

/** Label sets under the names of the conventions, each made once: records are counted one by one. */
export class MessagingLabels {
  private readonly made = new Map<string, Labels>();

  of(name: 'send' | 'poll' | 'process', topic: string, group?: string): Labels {
    const key = `${name} ${topic} ${group}`;
    const known = this.made.get(key);
    if (known) return known;
    const labels = {
      'messaging.system': 'kafka',
      'messaging.operation.name': name,
      'messaging.destination.name': topic,
      ...(group !== undefined && { 'messaging.consumer.group.name': group }),
    };
    this.made.set(key, labels);
    return labels;
  }
}
