// `upgrade_configs`: which protocols a route lets through, and whether CONNECT ends here.

import type { envoy } from '@weft/api/xds/types';
import { type IssueSink, reportError, sinkAt } from '../../security/data-source.ts';
import type { RouteFields } from '../route.ts';

type UpgradeConfig = envoy.config.route.v3.RouteAction.UpgradeConfig;

export function compileUpgrades(
  configs: readonly UpgradeConfig[],
  sink: IssueSink,
): Pick<RouteFields, 'upgrades' | 'terminatesConnect'> {
  const upgrades = new Map<string, boolean>();
  let terminatesConnect = false;
  configs.forEach((config, i) => {
    const below = sinkAt(sink, `upgrade_configs[${i}]`);
    const type = (config.upgradeType ?? '').toLowerCase();
    if (type === '')
      reportError(sinkAt(below, 'upgrade_type'), 'WEFT0337', 'the upgrade has no type; give one, such as websocket');
    else if (upgrades.has(type))
      reportError(sinkAt(below, 'upgrade_type'), 'WEFT0337', `"${type}" is listed twice; keep one`);
    upgrades.set(type, config.enabled ?? true);
    if (config.connectConfig === undefined) return;
    if (type !== 'connect')
      reportError(sinkAt(below, 'connect_config'), 'WEFT0337', 'connect_config belongs to the upgrade type CONNECT');
    if (config.connectConfig.proxyProtocolConfig !== undefined) {
      reportError(
        sinkAt(below, 'connect_config.proxy_protocol_config'),
        'WEFT0337',
        'no PROXY header is sent; remove it',
      );
    }
    if (config.connectConfig.allowPost === true) {
      reportError(
        sinkAt(below, 'connect_config.allow_post'),
        'WEFT0337',
        'tunnels by POST are not carried out; use CONNECT',
      );
    }
    terminatesConnect = true;
  });
  return { upgrades: upgrades.size === 0 ? null : upgrades, terminatesConnect };
}
