import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readRuntime } from './runtime.ts';

const key = 'overload.premature_reset_total_stream_count';

function streamsOf(...staticLayers: Parameters<typeof layersOf>): number | undefined {
  return readRuntime(layersOf(...staticLayers)).prematureResetStreams;
}

function layersOf(...staticLayers: Record<string, string | number | Record<string, number>>[]) {
  return { layeredRuntime: { layers: staticLayers.map((staticLayer, i) => ({ name: String(i), staticLayer })) } };
}

test('reads a key whole or by its parts, as a number or as text', () => {
  assert.equal(streamsOf({ [key]: 20 }), 20);
  assert.equal(streamsOf({ [key]: '20' }), 20);
  assert.equal(streamsOf({ overload: { premature_reset_total_stream_count: 20 } }), 20);
});

test('takes the last layer that says something', () => {
  assert.equal(streamsOf({ [key]: 20 }, { [key]: 30 }, { other: 1 }), 30);
});

test('leaves alone what is not there or no number', () => {
  assert.equal(streamsOf(), undefined);
  assert.equal(streamsOf({ [key]: 'many' }), undefined);
  assert.equal(readRuntime({}).prematureResetSeconds, undefined);
});
