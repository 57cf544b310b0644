// Access logs.
import type { SupportTable } from './support-table.ts';

const log = 'envoy.config.accesslog.v3';
const stream = 'envoy.extensions.access_loggers.stream.v3';

/** `envoy.config.accesslog.v3` and its sinks. */
export const telemetrySupport: SupportTable = {
  [`${log}.AccessLog`]: { carried: 'name filter typed_config' },
  [`${log}.AccessLogFilter`]: {
    carried:
      'status_code_filter duration_filter runtime_filter and_filter or_filter header_filter response_flag_filter grpc_status_filter',
    harmless: {
      not_health_check_filter:
        'no filter of this proxy marks health checks, so all are logged; leave out those of a probe by a header_filter',
    },
    instead: {
      metadata_filter: 'use a header_filter',
      log_type_filter: 'an exchange is logged once, when it ends; remove it',
      traceable_filter: 'no exchange is traced; remove it',
      extension_filter: 'use the filters of envoy.config.accesslog.v3.AccessLogFilter',
    },
  },
  [`${log}.ComparisonFilter`]: { carried: 'op value' },
  [`${log}.StatusCodeFilter`]: { carried: 'comparison' },
  [`${log}.DurationFilter`]: { carried: 'comparison' },
  [`${log}.NotHealthCheckFilter`]: { carried: '' },
  [`${log}.RuntimeFilter`]: {
    carried: 'percent_sampled',
    harmless: {
      use_independent_randomness: 'every choice is independent',
      runtime_key: 'Weft has no runtime to override values; percent_sampled holds',
    },
  },
  [`${log}.AndFilter`]: { carried: 'filters' },
  [`${log}.OrFilter`]: { carried: 'filters' },
  [`${log}.HeaderFilter`]: { carried: 'header' },
  [`${log}.ResponseFlagFilter`]: { carried: 'flags' },
  [`${log}.GrpcStatusFilter`]: { carried: 'statuses exclude' },
  'envoy.extensions.access_loggers.file.v3.FileAccessLog': {
    carried: 'path format json_format typed_json_format log_format',
  },
  [`${stream}.StdoutAccessLog`]: { carried: 'log_format' },
  [`${stream}.StderrAccessLog`]: { carried: 'log_format' },
  'envoy.config.core.v3.SubstitutionFormatString': {
    carried: 'text_format json_format text_format_source omit_empty_values content_type formatters',
    harmless: { json_format_options: 'properties keep the order they are given in' },
  },
  'envoy.extensions.formatter.req_without_query.v3.ReqWithoutQuery': { carried: '' },
  'envoy.extensions.formatter.metadata.v3.Metadata': { carried: '' },
};
