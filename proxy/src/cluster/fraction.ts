// Envoy's `FractionalPercent` as a chance from 0 to 1.

import type { envoy } from '@weft/api/xds/types';

/** Absent is 0, as in Envoy. */
export function fractionOf(percent: envoy.type.v3.FractionalPercent | undefined): number {
  if (percent === undefined) return 0;
  const { denominator = 'HUNDRED' } = percent;
  const whole = denominator === 'MILLION' ? 1_000_000 : denominator === 'TEN_THOUSAND' ? 10_000 : 100;
  return Math.min(1, (percent.numerator ?? 0) / whole);
}
