// What an AuthorizationPolicy can say and Weft does not carry out yet. All of it is refused: a policy that is half applied is a hole.

import type { NotCarriedOut } from '../not-carried-out.ts';

const tokens = 'Weft does not check JSON web tokens.';

/** Shrinks as Weft grows. */
export const authorizationPolicyNotCarriedOut: readonly NotCarriedOut[] = [
  {
    path: 'spec.action',
    level: 'error',
    why: 'use ALLOW or DENY.',
    when: (value) => value === 'AUDIT' || value === 'CUSTOM',
  },
  { path: 'spec.provider', level: 'error', why: 'it belongs to action CUSTOM; use ALLOW or DENY.' },
  { path: 'spec.targetRef', level: 'error', why: 'use selector.' },
  { path: 'spec.targetRefs', level: 'error', why: 'use selector.' },
  { path: 'spec.rules[].from[].source.requestPrincipals', level: 'error', why: tokens },
  { path: 'spec.rules[].from[].source.notRequestPrincipals', level: 'error', why: tokens },
  {
    path: 'spec.rules[].when[].key',
    level: 'error',
    why: tokens,
    when: (value) => typeof value === 'string' && value.startsWith('request.auth.'),
  },
  {
    path: 'spec.rules[].when[].key',
    level: 'error',
    why: 'metadata of other filters is not seen.',
    when: (value) => typeof value === 'string' && value.startsWith('experimental.'),
  },
];
