import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { cpuTimeOf, peakMemoryOf } from './process-tree.ts';

const skip = process.platform === 'linux' ? false : 'it reads /proc';

test('counts the CPU time and memory of grandchildren', { skip }, async () => {
  // The shell waits for a Node that uses 0.3 s of CPU and 64 MiB, and then waits in turn.
  const work =
    'const b=Buffer.alloc(64<<20,1);const t=process.cpuUsage();while(process.cpuUsage(t).user<3e5);console.log(b.length);setInterval(()=>{},1e3)';
  const child = spawn('sh', ['-c', '"$0" -e "$1"; true', process.execPath, work], { detached: true });
  try {
    await once(child.stdout, 'data');
    const { user, system } = cpuTimeOf([child.pid ?? 0]);
    assert.ok(user + system >= 0.29, `${user} + ${system}`);
    assert.ok(peakMemoryOf([child.pid ?? 0]) > 64);
  } finally {
    process.kill(-(child.pid ?? 0), 'SIGKILL');
  }
});

test('a process that does not exist uses nothing', { skip }, () => {
  assert.deepEqual(cpuTimeOf([2 ** 30]), { user: 0, system: 0 });
  assert.equal(peakMemoryOf([2 ** 30]), 0);
});
