// Who is signed in: the name in a cookie, signed so that it cannot be made up. Any password is accepted: this is an example.
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

const secret = process.env.SESSION_SECRET ?? randomBytes(32);
const attributes = 'Path=/; HttpOnly; SameSite=Lax';

const sign = (user) => createHmac('sha256', secret).update(user).digest('base64url');

/** The Set-Cookie value that signs `user` in. */
export function sessionFor(user) {
  return `session=${Buffer.from(user).toString('base64url')}.${sign(user)}; ${attributes}`;
}

export const clearedSession = `session=; Max-Age=0; ${attributes}`;

/** The signed-in user of a request, or null. */
export function userOf(request) {
  const match = /(?:^|;\s*)session=([\w-]+)\.([\w-]+)/.exec(request.headers.cookie ?? '');
  if (match === null) return null;
  const user = Buffer.from(match[1], 'base64url').toString();
  const expected = Buffer.from(sign(user));
  const given = Buffer.from(match[2]);
  return given.length === expected.length && timingSafeEqual(given, expected) ? user : null;
}
