// Lets what takes configuration in the main thread pass it on to the workers once it has taken it.

import { encodeLayout } from '@weft/lib/protobuf/encode';
import { layoutOf } from '@weft/lib/protobuf/schema';
import { type KindSpec, kindSpecs } from '../xds/resource-kind.ts';
import type { ResourceTarget, ResourceTargets } from '../xds/target.ts';
import type { Change } from './messages.ts';

/** Who is told of each change. */
export interface ChangeFollower {
  onChange(change: Change): void;
  onMissingRoute(name: string): void;
}

export function forwardTargets(targets: ResourceTargets, follower: ChangeFollower): ResourceTargets {
  const forwarded = kindSpecs.flatMap((spec) => {
    const target = targets[spec.kind];
    // Each target keeps the message of its own kind.
    return target === undefined ? [] : [[spec.kind, forwardTarget(spec, target as ResourceTarget<unknown>, follower)]];
  });
  return Object.fromEntries(forwarded) as ResourceTargets;
}

function forwardTarget(
  spec: KindSpec,
  target: ResourceTarget<unknown>,
  follower: ChangeFollower,
): ResourceTarget<unknown> {
  const { kind } = spec;
  return {
    prepare: (set, removed, version, leaving) => {
      const prepared = target.prepare(set, removed, version, leaving);
      const commit = (): void => {
        prepared.commit();
        follower.onChange({
          kind,
          set: [...set].map(([name, message]) => [name, encode(spec, message)]),
          removed,
          version,
          leaving,
        });
      };
      return { issues: prepared.issues, commit };
    },
    onMissing: (name) => {
      target.onMissing?.(name);
      if (kind === 'route') follower.onMissingRoute(name);
    },
  };
}

function encode({ typeName }: KindSpec, message: unknown): Uint8Array {
  return encodeLayout(layoutOf(typeName), message);
}
