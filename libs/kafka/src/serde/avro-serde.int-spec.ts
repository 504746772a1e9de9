import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { COMPATIBILITY, SchemaRegistry, SchemaType } from '@kafkajs/confluent-schema-registry';
import { latestSchema } from '@tributary/contracts';
import { testStack, uniqueName } from '@tributary/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLogger } from '../testing/silent-logger.js';
import { VirtualClock } from '../testing/virtual-clock.js';
import { AvroSerde, subjectOf } from './avro-serde.js';

const record = 'tributary.billing.Invoice';

describe('AvroSerde with a registry', () => {
  const { url } = testStack().registry;
  const topic = uniqueName('invoices');
  const serde = new AvroSerde({ registryUrl: url, logger: silentLogger });

  beforeAll(async () => {
    await new SchemaRegistry({ host: url }).register(
      { type: SchemaType.AVRO, schema: JSON.stringify(latestSchema(record)) },
      { subject: subjectOf(topic, record), compatibility: COMPATIBILITY.FULL_TRANSITIVE },
    );
  });

  it('writes and reads a record, money exact, in Confluent framing', async () => {
    const bytes = await serde.encode(topic, record, { invoiceId: 'in_1', number: 'A-7' });
    expect(bytes[0]).toBe(0);
    const { recordName, value, schemaId } = await serde.decode<{ invoiceId: string; number: string }>(bytes);
    expect({ recordName, schemaId }).toEqual({ recordName: record, schemaId: bytes.readUInt32BE(1) });
    expect(value).toMatchObject({ invoiceId: 'in_1', number: 'A-7' });
  });

  it('encodes without waiting once the id is known', async () => {
    expect(serde.encodeSync(uniqueName('cold'), record, {})).toBeUndefined();
    await serde.warm(topic, [record]);
    expect(serde.encodeSync(topic, record, { invoiceId: 'x' })).toEqual(
      await serde.encode(topic, record, { invoiceId: 'x' }),
    );
  });

  it('names the fields that do not fit', async () => {
    await expect(serde.encode(topic, record, { invoiceId: 5 })).rejects.toMatchObject({
      code: 'INVALID_RECORD_VALUE',
      retryable: false,
      paths: ['invoiceId'],
    });
  });

  it('says that a subject is not registered', async () => {
    const missing = uniqueName('missing');
    await expect(serde.encode(missing, record, { invoiceId: 'x' })).rejects.toMatchObject({
      code: 'SCHEMA_NOT_FOUND',
      schema: `${missing}-${record}`,
      retryable: false,
    });
  });

  it.each<[string, (good: Buffer) => Buffer]>([
    ['no bytes', () => Buffer.alloc(0)],
    ['half a prefix', (good) => good.subarray(0, 3)],
    ['a wrong first byte', (good) => Buffer.concat([Buffer.from([7]), good.subarray(1)])],
    ['JSON', () => Buffer.from('{"a":1}')],
    ['a body that ends early', (good) => good.subarray(0, good.length - 2)],
    ['bytes after the end', (good) => Buffer.concat([good, Buffer.from([0, 0])])],
    ['the prefix alone', (good) => good.subarray(0, 5)],
  ])('refuses %s as invalid', async (_, spoil) => {
    const good = await serde.encode(topic, record, { invoiceId: 'in_1', number: 'A-7' });
    await expect(serde.decode(spoil(good))).rejects.toMatchObject({ code: 'INVALID_AVRO', retryable: false });
  });

  it('refuses a record of another type than the reader asked for', async () => {
    const bytes = await serde.encode(topic, record, { invoiceId: 'in_1' });
    await expect(serde.decode(bytes, 'tributary.raw.RawRecord')).rejects.toMatchObject({ code: 'INVALID_AVRO' });
    await expect(serde.decode(bytes, 'tributary.nobody.Knows')).rejects.toMatchObject({ code: 'INVALID_AVRO' });
  });
});

describe('AvroSerde with a registry in trouble', () => {
  let requests = 0;
  let status = 404;
  let server: Server;
  let registryUrl = '';
  const anyRecord = Buffer.from([0, 0, 0, 0, 99, 1, 2]);

  beforeAll(async () => {
    server = createServer((_, response) => {
      requests += 1;
      response.writeHead(status, { 'content-type': 'application/json' }).end('{"error_code":1,"message":"no"}');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    registryUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => void server.close());

  it('asks for an unknown id once, however many records carry it, and again after a while', async () => {
    const clock = new VirtualClock();
    const serde = new AvroSerde({ registryUrl, logger: silentLogger, clock });
    requests = 0;
    for (let i = 0; i < 20; i++)
      await expect(serde.decode(anyRecord)).rejects.toMatchObject({ code: 'SCHEMA_NOT_FOUND' });
    const atFirst = requests;
    await Promise.allSettled(Array.from({ length: 20 }, () => serde.decode(anyRecord)));
    expect(requests).toBe(atFirst);
    await clock.advance(6_000);
    await expect(serde.decode(anyRecord)).rejects.toMatchObject({ code: 'SCHEMA_NOT_FOUND' });
    expect(requests).toBeGreaterThan(atFirst);
  });

  it.each([400, 401, 500, 503])('takes status %d for an outage, which passes', async (answer) => {
    status = answer;
    const serde = new AvroSerde({ registryUrl, logger: silentLogger });
    await expect(serde.decode(anyRecord)).rejects.toMatchObject({ code: 'REGISTRY_UNAVAILABLE', retryable: true });
  });

  it('takes a closed port for an outage', async () => {
    const serde = new AvroSerde({ registryUrl: 'http://127.0.0.1:1', logger: silentLogger });
    await expect(serde.decode(anyRecord)).rejects.toMatchObject({ code: 'REGISTRY_UNAVAILABLE', retryable: true });
    await expect(serde.encode('t', record, {})).rejects.toMatchObject({ code: 'REGISTRY_UNAVAILABLE' });
  });
});
