// The least that a verified, durable webhook costs: bare Fastify, an HMAC and a batched kafkajs producer. Nothing of ours.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { createRequire } from 'node:module';
import fastify from 'fastify';
import kafkajs, { type Message } from 'kafkajs';

const { KAFKA_BROKERS = '', PORT = '0', TOPIC = '', SECRET = '' } = process.env;

// The same repair of kafkajs' 1 ms timer that the product has: the reference must not lose to a known bug.
const require = createRequire(import.meta.url);
interface Queue {
  throttleCheckTimeoutId: NodeJS.Timeout | null;
  throttledUntil: number;
  pending: unknown[];
  checkPendingRequests(): void;
}
const { prototype } = require('kafkajs/src/network/requestQueue/index.js') as {
  prototype: { scheduleCheckPendingRequests: unknown };
};
prototype.scheduleCheckPendingRequests = function (this: Queue) {
  if (this.throttleCheckTimeoutId || (this.throttledUntil <= Date.now() && this.pending.length === 0)) return;
  const wait = Math.max(10, this.throttledUntil - Date.now());
  this.throttleCheckTimeoutId = setTimeout(() => {
    this.throttleCheckTimeoutId = null;
    this.checkPendingRequests();
  }, wait);
};

const kafka = new kafkajs.Kafka({
  brokers: KAFKA_BROKERS.split(','),
  clientId: 'reference',
  logLevel: kafkajs.logLevel.ERROR,
});
const producer = kafka.producer({ idempotent: true, createPartitioner: kafkajs.Partitioners.DefaultPartitioner });
await producer.connect();

interface Waiting {
  readonly message: Message;
  resolve(): void;
  reject(error: unknown): void;
}

const mostRecords = 500;
const mostSends = 4;
let waiting: Waiting[] = [];
let sending = 0;
let scheduled = false;

function schedule(): void {
  if (scheduled || sending >= mostSends || waiting.length === 0) return;
  scheduled = true;
  setImmediate(() => {
    scheduled = false;
    const batch = waiting.slice(0, mostRecords);
    waiting = waiting.slice(mostRecords);
    sending += 1;
    producer
      .send({ topic: TOPIC, acks: -1, messages: batch.map(({ message }) => message) })
      .then(
        () => {
          for (const { resolve } of batch) resolve();
        },
        (error) => {
          for (const { reject } of batch) reject(error);
        },
      )
      .finally(() => {
        sending -= 1;
        schedule();
      });
    schedule();
  });
}

const produce = (message: Message): Promise<void> =>
  new Promise((resolve, reject) => {
    waiting.push({ message, resolve, reject });
    schedule();
  });

const app = fastify();
app.removeAllContentTypeParsers();
app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
app.post('/webhooks/:id', async (request, reply) => {
  const body = request.body as Buffer;
  const offered = Buffer.from(String(request.headers['x-hub-signature-256'] ?? ''));
  const wanted = Buffer.from(`sha256=${createHmac('sha256', SECRET).update(body).digest('hex')}`);
  if (offered.length !== wanted.length || !timingSafeEqual(offered, wanted)) return reply.code(401).send();
  await produce({ key: String(request.headers['x-github-delivery']), value: body });
  return reply.code(200).send();
});
app.get('/health/ready', async () => 'ready');
await app.listen({ port: Number(PORT), host: '127.0.0.1' });
