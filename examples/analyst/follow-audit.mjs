// What happens now, from the audit topic: counts what every stage does for a while.
//   KAFKA_BROKERS=... SCHEMA_REGISTRY_URL=... npx node examples/analyst/follow-audit.mjs [--seconds 10] [--from-beginning]
import { randomUUID } from 'node:crypto';
import { parseArgs } from 'node:util';
import confluent from '@kafkajs/confluent-schema-registry';
import kafkajs from 'kafkajs';

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '10' }, 'from-beginning': { type: 'boolean', default: false } },
});
const seconds = Number(values.seconds);
if (!(seconds > 0 && seconds < 86_400)) {
  console.error(`--seconds is ${values.seconds}; write a number, for example 10`);
  process.exit(2);
}
const { KAFKA_BROKERS: brokers, SCHEMA_REGISTRY_URL: host } = process.env;
if (!brokers || !host) {
  console.error('set KAFKA_BROKERS and SCHEMA_REGISTRY_URL, as npm start prints them');
  process.exit(2);
}

const kafka = new kafkajs.Kafka({
  clientId: 'analyst',
  brokers: brokers.split(','),
  logLevel: kafkajs.logLevel.ERROR,
});
const registry = new confluent.SchemaRegistry({ host });

// A group of its own, so that nobody's offsets are touched.
const consumer = kafka.consumer({ groupId: `analyst-${randomUUID()}` });
await consumer.connect();
await consumer.subscribe({ topics: ['audit.records.v1'], fromBeginning: values['from-beginning'] });

const seen = new Set();
const counts = new Map();
await consumer.run({
  autoCommit: false,
  eachMessage: async ({ message }) => {
    if (!message.value) return;
    const fact = await registry.decode(message.value);
    // Records are written at least once. The id of a fact is the same however often it is told.
    if (seen.has(fact.auditId)) return;
    seen.add(fact.auditId);
    const what = [fact.stage, fact.action, fact.outcome, fact.destination ?? fact.source ?? '-'].join('  ');
    counts.set(what, (counts.get(what) ?? 0) + 1);
  },
});

await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
await consumer.disconnect();

for (const [what, count] of [...counts].sort(([, a], [, b]) => b - a)) console.log(String(count).padStart(8), what);
console.log(String(seen.size).padStart(8), 'facts');
