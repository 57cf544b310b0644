// A mesh of one's own small programs: TCP services, HTTPS at the gateway, clients of every habit, files that are edited while it runs.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { PortPicker } from '@weft/local/port/free-port';
import { findProgram } from '@weft/local/process/child';
import { eventually, type Outcome, RunningMesh } from './running-mesh.ts';

const programs = {
  'echo.mjs': `import net from 'node:net';
net.createServer((socket) => {
  socket.on('error', () => {});
  socket.end('hello from echo');
}).listen(process.env.PORT, '127.0.0.1');
`,
  'front.mjs': `import http from 'node:http';
import net from 'node:net';
http.createServer((request, response) => {
  const socket = net.connect(Number(process.env.ECHO_BUS_SERVICE_PORT), process.env.ECHO_BUS_SERVICE_HOST);
  let text = '';
  socket.on('data', (chunk) => (text += chunk));
  socket.on('end', () => response.end(text));
  socket.on('error', (error) => response.writeHead(502).end(String(error)));
}).listen(process.env.PORT, '127.0.0.1');
`,
};

const resources = (httpsPort: number, certificate: string, key: string): string => `
apiVersion: v1
kind: Service
metadata: { name: echo-bus }
spec: { ports: [{ name: tcp-echo, port: 7000 }], selector: { app: echo } }
---
apiVersion: v1
kind: Service
metadata: { name: front }
spec: { ports: [{ name: http, port: 80 }], selector: { app: front } }
---
apiVersion: weft.dev/v1alpha1
kind: Process
metadata: { name: echo, labels: { app: echo } }
spec: { command: [node, echo.mjs], ports: [{ name: tcp-echo, port: 7000, protocol: tcp }] }
---
apiVersion: weft.dev/v1alpha1
kind: Process
metadata: { name: front, labels: { app: front } }
spec: { command: [node, front.mjs], ports: [{ name: http, port: 80 }] }
---
apiVersion: v1
kind: Secret
metadata: { name: web-cert, namespace: istio-system }
type: kubernetes.io/tls
data: { tls.crt: ${certificate}, tls.key: ${key} }
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: web }
spec:
  selector: { istio: ingressgateway }
  servers:
    - port: { number: 80, name: http, protocol: HTTP }
      hosts: ['*']
    - port: { number: ${httpsPort}, name: https, protocol: HTTPS }
      hosts: ['*']
      tls: { mode: SIMPLE, credentialName: web-cert }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: web }
spec:
  hosts: ['*']
  gateways: [web]
  http: [{ route: [{ destination: { host: front } }] }]
`;

/** Whether a program is there to be tried. */
function has(program: string): boolean {
  return findProgram(program, process.env.PATH ?? '', process.cwd()) !== null;
}

function makeCertificate(folder: string): { certificate: string; key: string } {
  const [keyFile, certificateFile] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
  const args = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-days',
    '2',
    ...subject,
  ];
  execFileSync('openssl', [...args, '-keyout', keyFile, '-out', certificateFile], { stdio: 'ignore' });
  const encode = (file: string) => readFileSync(file).toString('base64');
  return { certificate: encode(certificateFile), key: encode(keyFile) };
}

describe('a mesh of own processes', { skip: has('openssl') ? false : 'openssl is not installed' }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'weft-own-'));
  const mesh = new RunningMesh(folder);
  let httpsPort = 0;
  let certificate = '';

  before(async () => {
    const made = makeCertificate(folder);
    certificate = Buffer.from(made.certificate, 'base64').toString();
    httpsPort = await new PortPicker().pick();
    for (const [name, text] of Object.entries(programs)) writeFileSync(join(folder, name), text);
    writeFileSync(join(folder, 'mesh.yaml'), resources(httpsPort, made.certificate, made.key));
    await mesh.start();
  });

  after(async () => {
    await mesh.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Runs a client inside the mesh; what it printed. */
  const runInside = (...command: string[]): Promise<Outcome> =>
    mesh.weft('run', '--service', 'client', '--port', '80', '--', ...command);

  it('reaches a TCP service by the variables it is given', async () => {
    assert.equal(await (await fetch(mesh.run.ingress)).text(), 'hello from echo');
  });

  const askByHttps = (): Promise<string> =>
    new Promise((resolve, reject) => {
      const call = request({ host: 'localhost', port: httpsPort, ca: certificate, agent: false }, (answer) => {
        let body = '';
        answer.on('data', (chunk) => (body += chunk));
        answer.on('end', () => resolve(body));
      });
      call.on('error', reject);
      call.end();
    });

  it('serves HTTPS at a gateway port of its own number, with the certificate of a Secret', async () => {
    assert.equal(await askByHttps(), 'hello from echo');
  });

  it('stops serving a certificate whose Secret is removed, until it is there again', async () => {
    const file = join(folder, 'mesh.yaml');
    const whole = readFileSync(file, 'utf8');
    const documents = whole.split('---\n');
    writeFileSync(file, documents.filter((text) => !text.includes('kind: Secret')).join('---\n'));
    await eventually('the handshake fails', () =>
      askByHttps().then(
        () => false,
        () => true,
      ),
    );
    writeFileSync(file, whole);
    await eventually('it is served again', () => askByHttps().catch(() => ''));
  });

  const clients: readonly (readonly [habit: string, program: string, ...command: string[]])[] = [
    ["Node's fetch", 'node', 'node', '-e', "fetch('http://front/').then((r) => r.text()).then(console.log)"],
    ["Node's http", 'node', 'node', '-e', "require('http').get('http://front/', (r) => r.pipe(process.stdout))"],
    ['curl, absolute-form', 'curl', 'curl', '-sS', 'http://front/'],
    ['curl, by a tunnel', 'curl', 'curl', '-sSp', 'http://front:80/'],
    [
      'Python',
      'python3',
      'python3',
      '-c',
      "import urllib.request as u; print(u.urlopen('http://front/').read().decode())",
    ],
  ];
  for (const [habit, program, ...command] of clients) {
    it(`routes calls of ${habit}`, { skip: has(program) ? false : `${program} is not installed` }, async () => {
      const { out, status, err } = await runInside(...command);
      assert.equal(out.trim(), 'hello from echo', err);
      assert.equal(status, 0);
    });
  }

  it('has the exit status of the program that was run, and keeps others from using its identity', async () => {
    const script = `fetch('http://front/', { method: 'GET' }).then(async () => {
      const port = new URL(process.env.HTTP_PROXY).port;
      const answer = await new Promise((resolve) => require('http').get({ host: '127.0.0.1', port, path: 'http://front/', agent: new (require('http').Agent)() }, resolve));
      process.exit(answer.statusCode === 407 ? 7 : 1);
    })`;
    assert.equal((await runInside('node', '-e', script)).status, 7);
    const left = readdirSync(join(mesh.state, 'workloads')).filter((name) => /-\d+$/.test(name));
    assert.deepEqual(left, [], 'a process that left has no files in the state folder');
  });

  it('tells of a file that is broken while it runs, and changes nothing that worked', async () => {
    writeFileSync(
      join(folder, 'bad.yaml'),
      'apiVersion: v1\nkind: Service\nmetadata: { name: front }\nspec: { prots: [] }\n',
    );
    await eventually('the finding is told', () =>
      /bad\.yaml:4: error WEFT\d{4} Service\/default\/front spec\.prots/.test(mesh.log),
    );
    assert.equal((await fetch(mesh.run.ingress)).status, 200);
    rmSync(join(folder, 'bad.yaml'));
    await eventually('it is mended', () => /mended: \S*bad\.yaml:4/.test(mesh.log));
  });

  it('runs a process that a new file declares, and ends it with the file', async () => {
    const file = join(folder, 'late.yaml');
    writeFileSync(
      file,
      'apiVersion: weft.dev/v1alpha1\nkind: Process\nmetadata: { name: late }\nspec: { command: [node, echo.mjs], ports: [{ name: tcp, port: 1, protocol: tcp }] }\n',
    );
    await eventually('it is ready', () => mesh.log.includes('late: ready'));
    rmSync(file);
    await eventually('it is gone', () => mesh.run.workloads.every(({ name }) => name !== 'late'));
  });
});
