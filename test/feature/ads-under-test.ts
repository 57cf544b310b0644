// The discovery service in process, without certificates, over worlds that the test makes.

import { Server, ServerCredentials } from '@grpc/grpc-js';
import { buildMesh, type MeshModel } from '@weft/control-plane/model/mesh';
import { defaultSettings, type MeshSettings } from '@weft/control-plane/model/settings';
import { worldOf } from '@weft/control-plane/store/world';
import { AdsServer, adsServerOptions, adsService } from '@weft/control-plane/xds/ads-server';
import { systemClock } from '@weft/lib/clock';
import { resources } from './resource.ts';

const silent = { info: () => {}, warn: () => {}, error: () => {} };

export class AdsUnderTest {
  readonly ads = new AdsServer({ clock: systemClock, log: silent, identify: null });
  private readonly server = new Server(adsServerOptions);
  private readonly settings: MeshSettings;
  private mesh: MeshModel | null = null;
  private revision = 0;
  address = '';

  constructor(settings: Partial<MeshSettings> = {}) {
    this.settings = { ...defaultSettings, ...settings };
  }

  async start(host = '127.0.0.1'): Promise<void> {
    this.server.addService(adsService, this.ads.implementation);
    const port = await new Promise<number>((resolve, reject) => {
      this.server.bindAsync(`${host}:0`, ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      );
    });
    this.address = `${host}:${port}`;
  }

  /** Makes these the resources of the mesh; gives back the revision. */
  apply(...yaml: readonly string[]): number {
    this.revision++;
    this.mesh = buildMesh(worldOf(resources(yaml.join('\n---\n')), this.revision), this.settings, this.mesh);
    this.ads.setMesh(this.mesh);
    return this.revision;
  }

  stop(): void {
    this.ads.close();
    this.server.forceShutdown();
  }
}
