// The TypeScript types of the protobuf messages: `import type { envoy } from '@weft/api/xds/types'`. Made by `npm run generate`.
export type * from './generated/types.d.ts';
