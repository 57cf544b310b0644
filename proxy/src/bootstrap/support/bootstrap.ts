// The bootstrap itself.
import { monitorType } from '../connection-maxima.ts';
import type { SupportTable } from './support-table.ts';

const bootstrap = 'envoy.config.bootstrap.v3';

/** `envoy.config.bootstrap.v3`. */
export const bootstrapSupport: SupportTable = {
  [`${bootstrap}.Bootstrap`]: {
    carried:
      'node static_resources dynamic_resources admin bootstrap_extensions default_regex_engine layered_runtime overload_manager watchdog watchdogs',
    harmless: {
      cluster_manager:
        'only its local_cluster_name and bind address would matter, for zone-aware balancing and outgoing addresses',
      stats_config: 'statistics keep the names and tags they have without it',
      stats_flush_interval: 'statistics are read when they are asked for',
      enable_dispatcher_stats: 'there is no dispatcher to measure',
      stats_flush_on_admin: 'statistics are always current',
      deferred_stat_options: 'statistics cost nothing until they are used',
      application_log_config: 'log lines are JSON, see --log-level',
      typed_dns_resolver_config: "names are resolved by the system's resolver configuration",
      dns_resolution_config: "names are resolved by the system's resolver configuration",
      memory_allocator_manager: 'memory is managed by the JavaScript engine',
      listener_manager: 'there is one listener manager',
      default_socket_interface: 'there is one socket interface',
      grpc_async_client_manager_config: 'idle gRPC clients are closed with their cluster',
      node_context_params: 'xdstp names are not used',
      stats_server_version_override: 'the version statistic shows the real version',
      flags_path: 'there is no runtime to read flags',
      perf_tracing_file_path: 'use Node.js --cpu-prof to trace performance',
      inline_headers: 'all headers are looked up alike',
      use_tcp_for_dns_lookups: "names are resolved by the system's resolver configuration",
    },
    instead: {
      tracing: 'tracing is configured per connection manager; remove it here',
      header_prefix: 'Weft uses x-envoy- headers only; remove it',
      stats_sinks: 'scrape /stats/prometheus of the admin address instead',
      hds_config: 'remove it; health comes with the endpoints (EDS)',
      config_sources: 'use dynamic_resources.ads_config',
      default_config_source: 'use dynamic_resources.ads_config',
      certificate_provider_instances: 'use SDS secrets or certificate files',
    },
    defaults: { header_prefix: 'x-envoy' },
  },
  [`${bootstrap}.Watchdogs`]: {
    carried: 'worker_watchdog',
    harmless: { main_thread_watchdog: 'nothing in the process watches the main thread; let the supervisor ask /ready' },
  },
  [`${bootstrap}.Watchdog`]: {
    carried: 'miss_timeout megamiss_timeout kill_timeout max_kill_timeout_jitter multikill_timeout multikill_threshold',
    instead: { actions: 'a worker that hangs is counted, logged and replaced; remove the actions' },
  },
  'envoy.config.overload.v3.OverloadManager': {
    carried: 'resource_monitors',
    harmless: {
      refresh_interval: 'connections are counted as they come and go',
      buffer_factory_config: 'memory of streams is bounded by their windows and buffers',
    },
    instead: {
      actions: 'bound connections, streams and buffers instead, see docs/guides/limits.md; remove the actions',
      loadshed_points: 'bound connections, streams and buffers instead, see docs/guides/limits.md; remove them',
    },
  },
  'envoy.config.overload.v3.ResourceMonitor': { carried: 'name typed_config' },
  [monitorType]: { carried: 'max_active_downstream_connections' },
  [`${bootstrap}.LayeredRuntime`]: { carried: 'layers' },
  // Keys of the static layers that Weft does not know change nothing: each stands for a value that it has no other way to set.
  [`${bootstrap}.RuntimeLayer`]: {
    carried: 'name static_layer',
    harmless: {
      disk_layer: 'only static layers are read',
      admin_layer: 'runtime values do not change while the proxy runs',
      rtds_layer: 'runtime values do not change while the proxy runs',
    },
  },
  [`${bootstrap}.Bootstrap.StaticResources`]: { carried: 'listeners clusters secrets' },
  [`${bootstrap}.Bootstrap.DynamicResources`]: {
    carried: 'lds_config cds_config ads_config',
    instead: { lds_resources_locator: 'use lds_config', cds_resources_locator: 'use cds_config' },
  },
  [`${bootstrap}.Admin`]: {
    carried: 'address access_log',
    harmless: {
      profile_path: 'profiles are taken with Node.js --cpu-prof',
      ignore_global_conn_limit: 'there is no global connection limit',
    },
    instead: { access_log_path: 'use access_log with an envoy.access_loggers.file entry' },
    defaults: { access_log_path: '/dev/null' },
  },
  'weft.extensions.identity.v1.WorkloadIdentity': {
    carried: 'ca_cluster join_token_path trust_bundle_path spiffe_id requested_ttl',
  },
  'envoy.extensions.bootstrap.internal_listener.v3.InternalListener': {
    carried: '',
    harmless: { buffer_size_kb: 'internal connections have no buffer of their own' },
  },
  'envoy.extensions.regex_engines.v3.GoogleRE2': { carried: '' },
};
