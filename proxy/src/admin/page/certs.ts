// `/certs`: every certificate in use, with its names and when it ends; never a key.

import { type AdminReply, jsonReply } from '../reply.ts';
import type { AdminState, CertificateReport } from '../state.ts';

const dayMs = 86_400_000;

/** `envoy.admin.v3.Certificates`. */
export function certsPage(state: AdminState): AdminReply {
  const now = state.clock.wallMs();
  return jsonReply({
    certificates: state.certificates().map(({ roots, chain }) => ({
      ca_cert: roots.map((certificate) => certificateToJson(certificate, now)),
      cert_chain: chain.map((certificate) => certificateToJson(certificate, now)),
    })),
  });
}

function certificateToJson(certificate: CertificateReport, now: number): unknown {
  const daysLeft = Math.max(0, Math.floor((certificate.expiresWallMs - now) / dayMs));
  return {
    path: certificate.path,
    serial_number: certificate.serial,
    subject_alt_names: [
      ...certificate.uriSans.map((uri) => ({ uri })),
      ...certificate.dnsSans.map((dns) => ({ dns })),
      ...certificate.ipSans.map((address) => ({ ip_address: address })),
    ],
    days_until_expiration: String(daysLeft),
    valid_from: new Date(certificate.validFromWallMs).toISOString(),
    expiration_time: new Date(certificate.expiresWallMs).toISOString(),
  };
}
