// The import law of the repository as data: which folder may use which, and the exceptions with their reasons.

/** Workspaces, and those whose code each may import. */
export const workspaces: Readonly<Record<string, readonly string[]>> = {
  api: [],
  lib: ['api'],
  proxy: ['api', 'lib'],
  'control-plane': ['api', 'lib'],
  local: ['api', 'lib', 'proxy', 'control-plane'],
  cli: ['api', 'lib', 'proxy', 'control-plane', 'local'],
};

/** The proxy's stages in the order a request passes them: each imports code of later ones only, types of any. */
export const proxyPath = [
  'bootstrap',
  'listener',
  'network-filter',
  'stream',
  'http-filter',
  'route',
  'cluster',
  'upstream',
] as const;

/** Every stage may import these; they import only each other and `lib`. */
export const proxyBase = ['io', 'protocol', 'fault'] as const;

/** Beside the path: stages may import the first two, nothing but `main.ts` imports the others. */
export const proxyBeside = ['telemetry', 'security'] as const;
export const proxyTop = ['xds', 'admin', 'worker', 'hot-upgrade'] as const;

/** What codecs may import of `lib`: bytes and values, no time, no sockets. */
export const protocolLibrary = ['assert', 'bytes', 'header'] as const;

/** The control plane's stages in the order a change passes them: each imports code of earlier ones only, types of any. */
export const controlPlanePath = ['source', 'resource', 'store', 'model', 'translate', 'xds', 'status'] as const;

/** The parser of documents and the issue codes, which every stage of the control plane speaks. */
export const controlPlaneBase = ['resource'] as const;

/** Imports that break the law for a reason: `importing file → imported file`. */
export const importExceptions: Readonly<Record<string, string>> = {};

/** Modules that translate/ may use though they can do I/O: `importing file → module`. */
export const pureExceptions: Readonly<Record<string, string>> = {
  'control-plane/src/translate/authorization/rbac-value.ts → node:net': 'isIP only reads text',
};

/** Folders of the proxy in which a request's code runs. */
export const hotFolders = [
  'io',
  'listener',
  'network-filter',
  'protocol',
  'stream',
  'http-filter',
  'route',
  'cluster',
  'upstream',
].map((folder) => `proxy/src/${folder}/`);

/** Words that have no place in them. */
export const hotWords: Readonly<Record<string, RegExp>> = {
  async: /\basync\b/,
  await: /\bawait\b/,
  throw: /\bthrow\b/,
  setTimeout: /\bset(?:Timeout|Interval)\b/,
  Promise: /\bPromise\b/,
  'wall clock': /\bDate\.now\b|\bperformance\.now\b|\bnew Date\(\)/,
  chance: /\bMath\.random\b/,
};

const offPath = 'names are resolved when configuration changes or an answer runs out, never for a request';
const harness = 'for tests and fuzzing only';

/** Files that may use one of those words, and why. */
export const hotExceptions: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'proxy/src/cluster/dns/resolver.ts': {
    async: offPath,
    await: offPath,
    Promise: offPath,
    throw: offPath,
  },
  'proxy/src/io/defect.ts': { throw: 'where nobody contains a defect it is to end the process' },
  'proxy/src/protocol/http1/fuzz.ts': { throw: harness, 'wall clock': harness },
  'proxy/src/protocol/http2/fuzz.ts': { throw: harness, 'wall clock': harness },
  'proxy/src/protocol/proxy-protocol/fuzz.ts': { throw: harness, 'wall clock': harness },
};

/** File names that say nothing. */
export const emptyNames = /(?:^|\/)(?:utils?|helpers?|common|misc|types|base|manager|index)\.ts$/;

export const nameExceptions: Readonly<Record<string, string>> = {
  'api/src/xds/types.ts': 'the door to generated declarations, which are types and nothing else',
};

export const fileLineLimit = 600;
export const testLineLimit = 900;
export const functionLineLimit = 70;
export const parameterLimit = 5;
export const folderFileLimit = 20;

/** Functions that may be longer or take more parameters, by `file:name`, and why. */
export const functionExceptions: Readonly<Record<string, string>> = {
  'proxy/src/protocol/http1/encode.ts:encodeRequestHead':
    'once per message: an options object would cost an allocation',
  'proxy/src/protocol/http1/encode.ts:encodeResponseHead':
    'once per message: an options object would cost an allocation',
};

/** Folders that may hold more files, and why. */
export const folderExceptions: Readonly<Record<string, string>> = {};
