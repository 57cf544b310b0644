// The kubeconfig with which kubectl talks to the mesh API. kubectl sends a token over TLS only, hence the https address.

/** What a kubeconfig says. */
export interface KubeconfigOptions {
  /** `https://127.0.0.1:7070`. */
  readonly server: string;
  /** PEM of the authority that signed the API's certificate. */
  readonly authority: string;
  /** File that holds the token; a path survives a new token. */
  readonly tokenFile: string;
  readonly namespace: string;
}

/** JSON, which is YAML too. */
export function formatKubeconfig(options: KubeconfigOptions): string {
  const name = 'weft';
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': name,
    clusters: [
      {
        name,
        cluster: {
          server: options.server,
          'certificate-authority-data': Buffer.from(options.authority).toString('base64'),
        },
      },
    ],
    users: [{ name, user: { tokenFile: options.tokenFile } }],
    contexts: [{ name, context: { cluster: name, user: name, namespace: options.namespace } }],
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}
