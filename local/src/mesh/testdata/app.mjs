// A user's program: listens on $PORT, shows its environment, and keeps a child of its own.
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';

const child = spawn('sleep', ['600']);
if (process.env.PID_FILE) writeFileSync(process.env.PID_FILE, `${process.pid} ${child.pid}`);
createServer((_request, response) => response.end(JSON.stringify(process.env))).listen(Number(process.env.PORT), '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));
