import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { systemClock } from '@weft/lib/clock';
import { MetricsRegistry } from '@weft/lib/metrics';
import type { Endpoint } from '../io/connection-info.ts';
import type { Libc } from '../io/kernel/libc.ts';
import { DestinationReader } from '../io/kernel/original-destination.ts';
import { encodeSocketAddress } from '../io/kernel/socket-address.ts';
import type { SocketInfo } from '../io/socket-info.ts';
import type { CompiledListener } from './compile-listener.ts';
import type { FilterChain } from './filter-chain.ts';
import { ownSockets } from './listen-sockets.ts';
import { Listener } from './listener.ts';
import { DestinationIndex, Redirection } from './redirection.ts';

/** A kernel that tells one destination of every connection. */
function kernelTelling(destination: Endpoint): DestinationReader {
  const getsockopt: Libc['getsockopt'] = (_fd, _level, _name, value) => {
    value.set(encodeSocketAddress(destination));
    return 0;
  };
  const none = () => -1;
  return new DestinationReader({
    getsockopt,
    setsockopt: none,
    socket: none,
    bind: none,
    close: none,
    errno: () => '',
  });
}

interface Taken {
  readonly by: string;
  readonly info: SocketInfo;
}

class Scene {
  readonly taken: Taken[] = [];
  readonly index: DestinationIndex<Listener> = new DestinationIndex();
  private readonly context: TestContext;

  constructor(context: TestContext) {
    this.context = context;
  }

  listener(name: string, redirection: Redirection | null): Listener {
    const chain = {
      takeSocket: (socket: Socket, info: SocketInfo) => {
        this.taken.push({ by: name, info });
        socket.destroy();
      },
    };
    const compiled: Pick<CompiledListener, 'name' | 'inspection' | 'chains' | 'matchers' | 'fallback' | 'limit'> = {
      name,
      inspection: null,
      chains: [chain as unknown as FilterChain],
      matchers: [{ criteria: [] }],
      fallback: null,
      limit: null,
    };
    const socket = { address: { host: '127.0.0.1', port: 0, ipv6Only: false }, backlog: 10, isTransparent: false };
    const scope = new MetricsRegistry().scope({ prefix: 'listener' });
    const whole = { ...compiled, ...socket, redirection, scope } as unknown as CompiledListener;
    return new Listener(whole, systemClock, this.index, ownSockets, null);
  }

  /** One connection to it; who took it. */
  async connectTo(listener: Listener): Promise<Taken> {
    await new Promise<void>((resolve, reject) =>
      listener.open((error) => (error === null ? resolve() : reject(error))),
    );
    const client = connect(listener.port, '127.0.0.1');
    client.on('error', () => {});
    this.context.after(() => {
      client.destroy();
      listener.close();
    });
    await once(client, 'close');
    return this.taken.at(-1) ?? assert.fail('nobody took it');
  }
}

const service = { address: '10.96.0.1', port: 80 };
const capturing = (more: object, destination = service) =>
  new Redirection({ useOriginalDst: true, ...more }, kernelTelling(destination));

test('the listener of the exact destination takes a redirected connection, else that of its port', async (context) => {
  const scene = new Scene(context);
  scene.index.add({ address: '0.0.0.0', port: 80 }, true, scene.listener('wildcard', null));
  const outbound = scene.listener('outbound', capturing({}));
  assert.equal((await scene.connectTo(outbound)).by, 'wildcard');

  const other = new Scene(context);
  other.index.add({ address: '0.0.0.0', port: 80 }, true, other.listener('wildcard', null));
  other.index.add(service, true, other.listener('exact', null));
  const { by, info } = await other.connectTo(other.listener('outbound', capturing({})));
  assert.equal(by, 'exact');
  assert.deepEqual([info.localAddress, info.localPort, info.originalDestination], ['10.96.0.1', 80, '10.96.0.1:80']);
  assert.equal(info.directLocalAddress, '127.0.0.1');
});

test("a destination without a listener stays with the capturing listener's own chains, restored", async (context) => {
  const scene = new Scene(context);
  const six = { address: '2001:db8::1', port: 443 };
  const { by, info } = await scene.connectTo(scene.listener('outbound', capturing({}, six)));
  assert.deepEqual([by, info.localAddress, info.originalDestination], ['outbound', '2001:db8::1', '[2001:db8::1]:443']);
});

test('a listener that only restores the destination keeps the connection', async (context) => {
  const scene = new Scene(context);
  scene.index.add(service, true, scene.listener('exact', null));
  const { by, info } = await scene.connectTo(scene.listener('outbound', capturing({ useOriginalDst: false })));
  assert.deepEqual([by, info.originalDestination], ['outbound', '10.96.0.1:80']);
});

test('a connection that nobody redirected has no destination to be sent on to', async (context) => {
  const scene = new Scene(context);
  const listener = scene.listener('outbound', null);
  await new Promise((resolve) => listener.open(resolve));
  const own = { address: '127.0.0.1', port: listener.port };
  listener.update({ ...listener.current, redirection: capturing({}, own) });
  const client = connect(listener.port, '127.0.0.1');
  await once(client, 'close');
  listener.close();
  assert.deepEqual([scene.taken[0]?.by, scene.taken[0]?.info.originalDestination], ['outbound', null]);
});

test('a destination at which connections are captured again is none', async (context) => {
  const scene = new Scene(context);
  scene.index.add({ address: '0.0.0.0', port: 80 }, true, scene.listener('inbound', capturing({})));
  const { by, info } = await scene.connectTo(scene.listener('outbound', capturing({})));
  assert.deepEqual([by, info.originalDestination], ['outbound', null]);
});

test('an IPv6 wildcard has IPv4 destinations only where it takes both', () => {
  const index = new DestinationIndex<string>();
  index.add({ address: '::', port: 80 }, false, 'six');
  index.add({ address: '::', port: 81 }, true, 'both');
  index.add({ address: 'FD00:0::1', port: 80 }, false, 'exact');
  const find = (address: string, port: number) => index.find({ address, port });
  assert.deepEqual([find('10.0.0.1', 80), find('10.0.0.1', 81), find('10.0.0.1', 82)], [null, 'both', null]);
  assert.deepEqual([find('fd00::2', 80), find('fd00::1', 80), find('fd00::2', 81)], ['six', 'exact', 'both']);
});

test('with TPROXY our own end is the destination, but not at the port of the listener', async () => {
  const redirection = new Redirection({ transparent: true }, kernelTelling({ address: '127.0.0.1', port: 15_006 }));
  const info = (directLocalPort: number) => ({ directLocalAddress: '192.0.2.1', directLocalPort }) as SocketInfo;
  const socket = {} as Socket;
  assert.deepEqual(redirection.read(socket, info(8080), 15_006), { address: '192.0.2.1', port: 8080 });
  // Redirected all the same: what the proxy sends to its own workload.
  assert.deepEqual(redirection.read(socket, info(15_006), 15_006), { address: '127.0.0.1', port: 15_006 });
});
