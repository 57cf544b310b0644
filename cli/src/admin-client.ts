// Asks the admin interface of a proxy of the running mesh.
import { Agent, request } from 'node:http';
import { WeftError } from '@weft/lib/error';
import type { RunningWorkload } from '@weft/local/state/run-file';

const timeoutMs = 5_000;
// Not the global agent: that one honours HTTP_PROXY, and this is loopback.
const agent = new Agent({ maxSockets: 32 });

/** An answer as it came. */
export interface AdminAnswer {
  readonly status: number;
  readonly text: string;
}

/** One GET; throws WEFT0815 when the proxy does not answer. */
export function askAdmin(workload: RunningWorkload, path: string): Promise<AdminAnswer> {
  if (workload.admin === '') {
    throw new WeftError(
      'WEFT0815',
      `${workload.name} runs without a proxy (proxy.enabled is false), so there is nothing to ask`,
    );
  }
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => {
      const message = `the proxy of ${workload.name} does not answer at ${workload.admin} (${error.message}); its log tells more: weft logs --proxy ${workload.name}`;
      reject(new WeftError('WEFT0815', message, { cause: error }));
    };
    const call = request(`${workload.admin}${path}`, { agent, timeout: timeoutMs }, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (chunk: string) => (text += chunk));
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }));
      answer.on('error', fail);
    });
    call.on('timeout', () => call.destroy(new Error('no answer in time')));
    call.on('error', fail);
    call.end();
  });
}

/** The parsed JSON of a page that must answer 200. */
export async function askAdminJson(workload: RunningWorkload, path: string): Promise<unknown> {
  const { status, text } = await askAdmin(workload, path);
  try {
    if (status === 200) return JSON.parse(text);
  } catch {
    // Told below.
  }
  throw new WeftError(
    'WEFT0815',
    `the proxy of ${workload.name} answered ${path} with status ${status}: ${text.slice(0, 200).trim()}`,
  );
}
