// What one replica of a process is: its names, identity, labels and ports, all fixed for its lifetime.
import { createHash, randomBytes } from 'node:crypto';
import type { Process, ProcessPort, ProcessReadiness } from '@weft/api/resource/process';
import type { PortPicker } from '../port/free-port.ts';

/** A port of a process: where its service is known, where its sidecar listens, where it listens itself. */
export interface WorkloadPort {
  readonly name: string;
  readonly servicePort: number;
  readonly protocol: NonNullable<ProcessPort['protocol']>;
  readonly listenPort: number;
  readonly targetPort: number;
}

/** A TCP service as this workload reaches it: by a port of its own sidecar. */
export interface TcpService {
  readonly host: string;
  /** The service's short name, from which the environment variables are made. */
  readonly service: string;
  readonly portName: string;
  readonly port: number;
  readonly listenPort: number;
}

/** One replica, or the gateway (which has no ports of its own kind and no capture). */
export interface Workload {
  /** Unique in its namespace: the process's name, with `-rN` from the second replica on. */
  readonly name: string;
  readonly process: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly hasProxy: boolean;
  readonly adminPort: number;
  readonly capturePort: number;
  readonly credential: string;
  readonly ports: readonly WorkloadPort[];
  readonly readiness: ProcessReadiness | null;
}

/** Where a process's own definition stands. */
export function workloadName(processName: string, replica: number): string {
  return replica === 0 ? processName : `${processName}-r${replica + 1}`;
}

/** `reviews-v1`, or `shop/reviews-v1` outside the namespace `default`: what `weft logs` and the like understand. */
export function shownName({ namespace, name }: { readonly namespace: string; readonly name: string }): string {
  return namespace === 'default' ? name : `${namespace}/${name}`;
}

/** Gives replica number `replica` of a process its ports and its credential. */
export async function makeWorkload(process: Process, replica: number, picker: PortPicker): Promise<Workload> {
  const { metadata, spec } = process;
  const hasProxy = spec.proxy?.enabled !== false;
  const ports: WorkloadPort[] = [];
  for (const port of spec.ports ?? []) {
    const targetPort = port.targetPort ?? (await picker.pick());
    const listenPort = hasProxy ? await picker.pick() : targetPort;
    ports.push({ name: port.name, servicePort: port.port, protocol: port.protocol ?? 'http', listenPort, targetPort });
  }
  return {
    name: workloadName(metadata.name, replica),
    process: metadata.name,
    namespace: metadata.namespace ?? 'default',
    serviceAccount: spec.serviceAccount ?? 'default',
    labels: metadata.labels ?? {},
    hasProxy,
    adminPort: hasProxy ? await picker.pick() : 0,
    capturePort: hasProxy ? await picker.pick() : 0,
    credential: randomBytes(24).toString('base64url'),
    ports,
    readiness: spec.readiness ?? null,
  };
}

/** Gives a workload's ports back when it is gone. */
export function releasePorts(workload: Workload, tcp: readonly TcpService[], picker: PortPicker): void {
  picker.giveBack(workload.adminPort);
  picker.giveBack(workload.capturePort);
  for (const port of workload.ports) {
    picker.giveBack(port.listenPort);
    picker.giveBack(port.targetPort);
  }
  for (const service of tcp) picker.giveBack(service.listenPort);
}

/** `spiffe://…` of a workload. */
export function spiffeId(trustDomain: string, namespace: string, serviceAccount: string): string {
  return `spiffe://${trustDomain}/ns/${namespace}/sa/${serviceAccount}`;
}

/** Lower-case hexadecimal SHA-256: what the sidecar is told of the capture credential. */
export function credentialHash(credential: string): string {
  return createHash('sha256').update(credential).digest('hex');
}
