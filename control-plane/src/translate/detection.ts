// How long a listener looks at a silent connection before it takes it for plain TCP: decision 0008 says why these times.

import { durationFromMs } from '@weft/lib/protobuf/duration';
import type { ListenerFilter } from './filters.ts';
import type { Listener } from './snapshot.ts';

/** From the workload itself, on this machine: no packet is lost, and a client that means to speak first does. */
export const outboundDetectionMs = 100;

/** From elsewhere: the first packet may have to be sent again, which takes 200 ms and the way. */
export const inboundDetectionMs = 300;

/** Where silence leads nowhere, as only TLS is taken: nothing is won by hurry. */
export const patientDetectionMs = 5000;

/** The fields of a listener that detects; nothing where there is nothing to look at. */
export function detection(listenerFilters: readonly ListenerFilter[], waitMs: number): Listener {
  if (listenerFilters.length === 0) return {};
  return {
    listenerFilters,
    listenerFiltersTimeout: durationFromMs(waitMs),
    continueOnListenerFiltersTimeout: true,
  };
}
