// Counters of one TLS context, with Envoy's names.

import { Counter, Scope } from '@weft/lib/metrics';

/** Made once per context. */
export class TlsStats {
  readonly handshake: Counter;
  readonly connectionError: Counter;
  readonly sessionReused: Counter;
  /** Of the downstream side only: a server always shows one. */
  readonly noCertificate: Counter;
  readonly failVerifyNoCertificate: Counter;
  readonly failVerifyError: Counter;
  readonly failVerifyNames: Counter;
  readonly failVerifyHash: Counter;
  /** Handshakes refused because a secret has not arrived. */
  readonly contextNotReady: Counter;

  constructor(scope: Scope = new Scope({ prefix: 'ssl' }), side: 'downstream' | 'upstream' = 'downstream') {
    this.handshake = scope.counter('ssl.handshake');
    this.connectionError = scope.counter('ssl.connection_error');
    this.sessionReused = scope.counter('ssl.session_reused');
    this.noCertificate = side === 'downstream' ? scope.counter('ssl.no_certificate') : new Counter();
    this.failVerifyNoCertificate = scope.counter('ssl.fail_verify_no_cert');
    this.failVerifyError = scope.counter('ssl.fail_verify_error');
    this.failVerifyNames = scope.counter('ssl.fail_verify_san');
    this.failVerifyHash = scope.counter('ssl.fail_verify_cert_hash');
    this.contextNotReady = scope.counter(
      side === 'downstream' ? 'downstream_context_secrets_not_ready' : 'upstream_context_secrets_not_ready',
    );
  }
}
