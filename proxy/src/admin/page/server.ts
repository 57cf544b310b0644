// Pages about the process: `/ready`, `/server_info`, `/memory`, `/init_dump`.

import { messageToJson } from '@weft/lib/protobuf/codec';
import { redactSecrets } from '../redact.ts';
import { type AdminReply, jsonReply, textReply } from '../reply.ts';
import type { AdminState } from '../state.ts';

/** 200 once every listener serves, 503 before and while draining; the body is the state. */
export function readyPage(state: AdminState): AdminReply {
  const word = state.serverState();
  return textReply(`${word}\n`, word === 'LIVE' ? 200 : 503);
}

export function serverInfoPage(state: AdminState): AdminReply {
  const uptime = `${Math.max(0, Math.floor((state.clock.wallMs() - state.startedWallMs) / 1000))}s`;
  const { node } = state.bootstrap;
  return jsonReply({
    version: `weft/${state.version}/${process.version}`,
    state: state.serverState(),
    uptime_current_epoch: uptime,
    uptime_all_epochs: uptime,
    hot_restart_version: 'disabled',
    command_line_options: { concurrency: state.concurrency, config_path: state.configPath, mode: 'Serve' },
    ...(node === undefined
      ? {}
      : { node: redactSecrets(messageToJson('envoy.config.core.v3.Node', node, { originalNames: true })) }),
  });
}

/** Envoy's names, filled from what Node tells of its heap. */
export function memoryPage(state: AdminState): AdminReply {
  const usage = state.memory();
  return jsonReply({
    allocated: String(usage.heapUsed + usage.external),
    heap_size: String(usage.heapTotal),
    pageheap_unmapped: '0',
    pageheap_free: String(usage.heapTotal - usage.heapUsed),
    total_thread_cache: '0',
    total_physical_bytes: String(usage.rss),
  });
}

/** What the proxy still waits for. */
export function initDumpPage(state: AdminState): AdminReply {
  const unready = state.unready().map(({ name, targets }) => ({ name, target_names: targets }));
  return jsonReply({ unready_targets_dumps: unready });
}
