// Runs a mesh in a process of its own, so that a test can kill it; prints a line when it is ready.
import { Mesh } from '../mesh.ts';

const mesh = await Mesh.open(JSON.parse(process.argv[2]), { onRows: () => {}, onNote: () => {} });
await mesh.start();
if (await mesh.whenReady(15_000)) console.log('ready');
