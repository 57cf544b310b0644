// On which real port each port of the ingress gateway is served: 80 and 8080 on the ingress port, any other on its own number
// where that is possible, else on a free one.
import type { ApiObject } from '../mesh-api/client.ts';
import { type PortPicker, tryPort } from '../port/free-port.ts';

/** Labels of the one ingress gateway of a local mesh; Istio's samples select it by the first. */
export const ingressLabels: Readonly<Record<string, string>> = { istio: 'ingressgateway', app: 'istio-ingressgateway' };

/** Ports of Gateways that the ingress gateway serves. */
export function declaredPorts(gateways: Iterable<ApiObject>): Set<number> {
  const ports = new Set<number>();
  for (const gateway of gateways) {
    const spec = gateway.spec as { selector?: Record<string, string>; servers?: { port?: { number?: number } }[] };
    const selector = Object.entries(spec.selector ?? {});
    if (!selector.every(([key, value]) => ingressLabels[key] === value)) continue;
    for (const server of spec.servers ?? []) if (server.port?.number !== undefined) ports.add(server.port.number);
  }
  return ports;
}

/** Decides once per gateway port and remembers it, so that a restarted gateway listens where it did. */
export class GatewayPorts {
  private readonly chosen = new Map<number, number>();
  private readonly picker: PortPicker;

  constructor(ingressPort: number, picker: PortPicker) {
    this.picker = picker;
    for (const port of [80, 8080]) this.chosen.set(port, ingressPort);
  }

  /** Adds what is new; true when there was something. */
  async add(ports: Iterable<number>): Promise<boolean> {
    let changed = false;
    for (const port of ports) {
      if (this.chosen.has(port)) continue;
      this.chosen.set(port, (await tryPort(port)) === null ? port : await this.picker.pick());
      changed = true;
    }
    return changed;
  }

  /** For the gateway's node metadata. */
  get mapping(): Record<string, number> {
    return Object.fromEntries(this.chosen);
  }

  /** Ports that are found on another number than their own, apart from the ingress port. */
  get moved(): Record<string, number> {
    return Object.fromEntries([...this.chosen].filter(([port, real]) => port !== real && port !== 80 && port !== 8080));
  }
}
