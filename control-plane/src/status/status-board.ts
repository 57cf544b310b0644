// What Weft finds out about a resource, as the status that is served with it: the same findings as `analyze` tells.

import { findKind } from '@weft/api/resource/kind';
import type { Issue } from '@weft/lib/issue';
import { checkStored } from '../resource/check-world.ts';
import { issueCodes } from '../resource/issue-code.ts';
import { kindRules } from '../resource/kind-rule.ts';
import { type CheckContext, MeshIndex } from '../resource/mesh-index.ts';
import type { StoredResource, World } from '../store/world.ts';

/** The condition that says whether anything is wrong; Istio's name for it. */
const conditionType = 'PassedAnalysis';

const titles: ReadonlyMap<string, string> = new Map(Object.values(issueCodes).map((each) => [each.code, each.title]));

/** Where the board looks. */
export interface StatusBoardOptions {
  readonly world: () => World;
  readonly checkContext: () => CheckContext;
  /** Findings about files: a resource whose newer text is broken is served in its last good state, and its status says so. */
  readonly fileIssues?: () => readonly Issue[];
}

/** Makes the status of resources, from one index per world. */
export class StatusBoard {
  private readonly options: StatusBoardOptions;
  private index: MeshIndex | null = null;

  constructor(options: StatusBoardOptions) {
    this.options = options;
  }

  /** The status of a resource with what was found; null for kinds about which nothing can be found. */
  statusOf(resource: StoredResource): object | null {
    const { object, origin } = resource;
    const info = findKind(object.apiVersion, object.kind);
    if (info === null || kindRules[info.id].check === undefined) return null;
    const ofFile = (this.options.fileIssues?.() ?? []).filter(
      (issue) =>
        issue.origin?.kind === origin.kind &&
        issue.origin.namespace === origin.namespace &&
        issue.origin.name === origin.name,
    );
    return describe(resource, [...ofFile, ...checkStored(info.id, resource, this.currentIndex())]);
  }

  private currentIndex(): MeshIndex {
    const world = this.options.world();
    if (this.index?.world !== world) this.index = new MeshIndex(world, this.options.checkContext());
    return this.index;
  }
}

function describe({ object }: StoredResource, issues: readonly Issue[]): object {
  const errors = issues.filter((issue) => issue.level === 'error').length;
  const warnings = issues.filter((issue) => issue.level === 'warning').length;
  const condition = {
    type: conditionType,
    status: errors === 0 ? 'True' : 'False',
    reason: errors === 0 ? 'NoErrors' : 'ErrorsFound',
    message: `${errors} errors, ${warnings} warnings`,
    observedGeneration: object.metadata.generation,
  };
  return {
    observedGeneration: object.metadata.generation,
    conditions: [...otherConditions(object.status), condition],
    ...(issues.length === 0 ? {} : { validationMessages: issues.map(messageOf) }),
  };
}

function otherConditions(status: object | undefined): readonly unknown[] {
  if (status === undefined || !('conditions' in status) || !Array.isArray(status.conditions)) return [];
  return status.conditions.filter(
    (each: unknown) => typeof each !== 'object' || each === null || !('type' in each) || each.type !== conditionType,
  );
}

function messageOf(issue: Issue): object {
  const { code, level, message, path, origin } = issue;
  const place = origin?.file === undefined ? {} : { file: origin.file, line: origin.line };
  return {
    type: { code, name: titles.get(code) ?? code },
    level: level.toUpperCase(),
    message,
    ...(path === undefined ? {} : { path }),
    ...place,
  };
}
