import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { describe, type TestContext, test } from 'node:test';
import { checkDescriptors, descriptorOf } from './descriptor.ts';
import { type Libc, loadLibc, openLibc } from './libc.ts';
import { destinationReader } from './original-destination.ts';
import { bindTransparent } from './transparent-socket.ts';

const skip = process.platform === 'linux' ? false : 'only Linux has these calls';
if (skip !== false) console.log(`skipped: calls of the kernel: ${skip}`);

function libc(): Libc {
  const loaded = loadLibc();
  assert.ok(!('reason' in loaded), JSON.stringify(loaded));
  return loaded;
}

async function accepted(context: TestContext, server: Server, at: object): Promise<Socket> {
  server.listen(at);
  await once(server, 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [socket] = (await once(server, 'connection')) as [Socket];
  context.after(() => {
    client.destroy();
    socket.destroy();
    server.close();
  });
  return socket;
}

describe('the kernel', { skip }, () => {
  test('is asked through descriptors that this Node tells', async (context) => {
    assert.equal(checkDescriptors(libc()), null);
    const socket = await accepted(context, createServer(), { host: '127.0.0.1', port: 0 });
    assert.ok(descriptorOf(socket) > 2);
    socket.destroy();
    assert.equal(descriptorOf(socket), -1);
  });

  test('says so when Node tells no descriptors', () => {
    const broken: Libc = { ...libc(), socket: () => -1, errno: () => 'EMFILE' };
    assert.deepEqual(checkDescriptors(broken)?.code, 'WEFT0852');
  });

  test('knows no other destination of a connection that nobody redirected', async (context) => {
    const reader = destinationReader();
    assert.ok(!('reason' in reader));
    const socket = await accepted(context, createServer(), { host: '127.0.0.1', port: 0 });
    const found = reader.read(socket, 4);
    // Where connections are tracked it tells our own end, elsewhere nothing.
    if (found !== null) assert.deepEqual(found, { address: '127.0.0.1', port: socket.localPort });
  });

  test('binds a transparent socket, or says which right is missing', async (context) => {
    const bound = bindTransparent({ address: '127.0.0.1', port: 0 }, false);
    if (bound instanceof Error) {
      assert.match(bound.message, /^EPERM: .*CAP_NET_ADMIN/);
      return;
    }
    const server = createServer();
    const socket = await accepted(context, server, { fd: bound });
    assert.equal(socket.localPort, (server.address() as AddressInfo).port);
    const taken = bindTransparent({ address: '127.0.0.1', port: (server.address() as AddressInfo).port }, false);
    assert.ok(taken instanceof Error && taken.message === 'EADDRINUSE', String(taken));
  });
});

test('says what to do where there is no Linux, or no koffi', () => {
  const broken = (): never => {
    throw new Error("Cannot find module 'koffi'\nRequire stack: …");
  };
  const refusal = (platform: NodeJS.Platform) => {
    const opened = openLibc(platform, broken);
    return 'reason' in opened ? `${opened.code} ${opened.reason}` : 'none';
  };
  assert.match(refusal('darwin'), /^WEFT0850 only Linux .*explicit capture$/);
  assert.match(refusal('linux'), /^WEFT0851 .*koffi.*\(Cannot find module 'koffi'\); install/);
});
