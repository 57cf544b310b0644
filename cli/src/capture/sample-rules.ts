// For tests: rules as `weft capture install` makes them where nothing else is said, and a machine that only pretends.

import type { CaptureRules } from './rules.ts';
import type { CallResult, CaptureSystem } from './system.ts';

export function sampleRules(changes: Partial<CaptureRules>): CaptureRules {
  return {
    outboundPort: 15_001,
    inboundPort: 15_006,
    proxy: { kind: 'uid', id: 1337 },
    includeCidrs: null,
    excludeCidrs: [],
    excludeOutboundPorts: [],
    includeInboundPorts: null,
    excludeInboundPorts: [],
    mode: 'redirect',
    isIpv6: true,
    ...changes,
  };
}

/** Has some programs, and notes what is called; `answer` says what that comes to. */
export class PretendedSystem implements CaptureSystem {
  isLinux = true;
  mayChangeNetwork = true;
  readonly calls: string[] = [];
  private readonly programs: readonly string[];
  private readonly answer: (call: string) => Partial<CallResult>;

  constructor(programs: readonly string[], answer: (call: string) => Partial<CallResult> = () => ({})) {
    this.programs = programs;
    this.answer = answer;
  }

  has(program: string): boolean {
    return this.programs.includes(program);
  }

  run(program: string, args: readonly string[]): CallResult {
    const call = [program, ...args].join(' ');
    this.calls.push(call);
    return { status: 0, out: '', err: '', ...this.answer(call) };
  }
}
