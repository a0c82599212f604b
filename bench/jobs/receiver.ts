// A receiver of deliveries: node receiver.js DELAY_MS, a line with its URL out, 200 to everything until it is killed.
import { createServer } from 'node:http';

const delay = Number(process.argv[2] ?? 0);
const server = createServer((request, response) => {
  request.resume();
  request.on('end', () => {
    if (delay === 0) response.end('ok');
    else setTimeout(() => response.end('ok'), delay);
  });
});
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  process.stdout.write(`http://127.0.0.1:${address.port}/hook\n`);
});
