// The three destinations in a thread of their own. Reads no more of HTTP than our connector writes, because every millisecond here is
// one that the measured services do not get: node:http takes several times as much for a request.
import { createServer, type Socket } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';
import { Arrivals, nowMs } from './arrivals.js';

const arrivals = new Arrivals(workerData);
const answer = Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
const pathStart = 'POST /'.length;
const idMark = '"id":"e2e-';

/** @returns bytes that a whole request takes at the start of `text`, or 0 when it is not all there. */
function takeRequest(text: string, socket: Socket): number {
  const headEnd = text.indexOf('\r\n\r\n');
  if (headEnd < 0) return 0;
  const length = Number(/content-length: (\d+)/i.exec(text.slice(0, headEnd))?.[1] ?? 0);
  const end = headEnd + 4 + length;
  if (text.length < end) return 0;
  const idAt = text.indexOf(idMark, headEnd);
  const event = idAt < 0 || idAt > end ? -1 : Number.parseInt(text.slice(idAt + idMark.length, end), 10);
  arrivals.note(event, text.charCodeAt(pathStart) - '0'.charCodeAt(0), nowMs());
  socket.write(answer);
  return end;
}

const server = createServer({ noDelay: true }, (socket) => {
  let rest = '';
  // One character for each byte, so that the length in the header counts characters.
  socket.setEncoding('latin1');
  socket.on('data', (chunk: string) => {
    rest = rest === '' ? chunk : rest + chunk;
    for (let taken = takeRequest(rest, socket); taken > 0; taken = takeRequest(rest, socket)) rest = rest.slice(taken);
  });
  // A connector that ends resets its connections; what it had not delivered is seen in the count.
  socket.on('error', () => socket.destroy());
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  parentPort?.postMessage(typeof address === 'object' ? address?.port : undefined);
});
