// Semantic checks of a rule's `directResponse`.

import { isUtf8 } from 'node:buffer';
import type { HttpDirectResponse } from '@weft/api/resource/http-route';
import type { Findings } from '../findings.ts';
import { formCodes, meaningCodes } from '../issue-code.ts';

/** The longest body, in bytes, as in Istio. */
export const maxDirectResponseBytes = 1024 * 1024;

/** Statuses that end an exchange without a body. */
const bodiless = [204, 205, 304];

/** One source of the body at most, and a body that proxies can send. */
export function validateDirectResponse(findings: Findings, path: string, { status, body }: HttpDirectResponse): void {
  if (body === undefined) return;
  const at = `${path}.body`;
  if (body.string !== undefined && body.bytes !== undefined) {
    findings.add(meaningCodes.conflictingFields, at, 'Only one of string and bytes can be set.');
  }
  if (body.string === undefined && body.bytes === undefined) {
    findings.add(meaningCodes.emptyRule, at, 'The body is empty; set string or bytes, or leave the body out.');
  }
  if (bodiless.includes(status)) {
    const message = `A response with status ${status} has no body; remove it, or change the status.`;
    findings.add(meaningCodes.conflictingFields, at, message);
  }
  validateBytes(findings, at, body);
}

function validateBytes(
  findings: Findings,
  path: string,
  { string, bytes }: NonNullable<HttpDirectResponse['body']>,
): void {
  const content = bytes === undefined ? Buffer.from(string ?? '', 'utf8') : Buffer.from(bytes, 'base64');
  if (content.length > maxDirectResponseBytes) {
    const message = `The body has ${content.length} bytes; at most ${maxDirectResponseBytes} can be sent.`;
    findings.add(formCodes.invalidValue, path, message);
  }
  if (bytes === undefined) return;
  // Base64 may be broken into lines, and its padding may be left out.
  const digits = bytes.replaceAll(/[\r\n]/g, '').replace(/={1,2}$/, '');
  if (content.toString('base64').replace(/={1,2}$/, '') !== digits) {
    findings.add(formCodes.invalidValue, `${path}.bytes`, 'This is no base64; use string for plain text.');
  } else if (!isUtf8(content)) {
    findings.add(formCodes.invalidValue, `${path}.bytes`, 'The bytes are no text in UTF-8, and others are not sent.');
  }
}
