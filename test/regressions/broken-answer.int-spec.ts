/**
 * The connection to a broker breaks in the middle of an answer: it was killed while it sent a large batch, or a firewall cut it off.
 * kafkajs keeps the first half, and takes the beginning of what the next connection brings for the second half. Nothing after that is
 * understood, so the consumer sits there, connected and silent, and only a restart of the process helps.
 */
import { createRequire } from 'node:module';
import { createServer, type Server, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { applyKafkaJsPatches } from '../../libs/kafka/src/connection/kafkajs-patches.js';

interface Connection {
  connect(): Promise<unknown>;
  isConnected(): boolean;
  send(protocol: object): Promise<unknown>;
  disconnect(): Promise<unknown>;
}

const require = createRequire(import.meta.url);
const Connection = require('kafkajs/src/network/connection.js') as new (options: object) => Connection;
const socketFactory = require('kafkajs/src/network/socketFactory.js') as () => unknown;
const Encoder = require('kafkajs/src/protocol/encoder.js') as new () => object;
const quiet = { debug() {}, info() {}, warn() {}, error() {}, namespace: () => quiet };

const requestTimeout = 1_000;
/** Of which kafkajs asks nothing first. */
const protocol = {
  request: { apiKey: 18, apiVersion: 0, apiName: 'ApiVersions', encode: async () => new Encoder() },
  response: { decode: async (payload: Buffer) => ({ text: String(payload) }), parse: async (data: unknown) => data },
};

function answer(correlationId: Buffer, text: string): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(correlationId.length + text.length);
  return Buffer.concat([length, correlationId, Buffer.from(text)]);
}

let broker: Server;
const sockets = new Set<Socket>();
let howToAnswer: (socket: Socket, correlationId: Buffer) => void;
beforeAll(async () => {
  applyKafkaJsPatches();
  broker = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    // Length, key, version, correlation id.
    socket.on('data', (request) => howToAnswer(socket, request.subarray(8, 12)));
  });
  await new Promise<void>((resolve) => broker.listen(0, '127.0.0.1', resolve));
});
afterAll(() => {
  for (const socket of sockets) socket.destroy();
  broker.close();
});

it.each<[string, (socket: Socket) => void]>([
  ['reset', (socket) => void socket.resetAndDestroy()],
  ['closed', (socket) => void socket.end()],
])('the answers on a connection are understood after one was %s in the middle of an answer', async (_, breakOff) => {
  const { port } = broker.address() as { port: number };
  const connection = new Connection({
    host: '127.0.0.1',
    port,
    logger: quiet,
    socketFactory: socketFactory(),
    requestTimeout,
    connectionTimeout: 1_000,
  });
  howToAnswer = (socket, correlationId) =>
    socket.write(answer(correlationId, 'x'.repeat(1_000)).subarray(0, 300), () => setImmediate(() => breakOff(socket)));
  await connection.connect();
  await expect(connection.send(protocol)).rejects.toThrow(/Connection error|Closed connection/);
  howToAnswer = (socket, correlationId) => void socket.write(answer(correlationId, 'whole'));
  for (let n = 0; n < 3; n++) {
    await connection.connect();
    expect(await connection.send(protocol)).toEqual({ text: 'whole' });
  }
  await connection.disconnect();
});
