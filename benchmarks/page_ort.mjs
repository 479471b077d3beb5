// Measures the processor time of a decoder's step in onnxruntime-web: node page_ort.mjs FOLDER DECODER RUNS. Called by page.py.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const [folder, decoder, runs] = process.argv.slice(2);
const ort = createRequire(path.join(folder, "package.json"))("onnxruntime-web");
ort.env.wasm.numThreads = 1;
const hidden = 256;
const seconds = () => (process.cpuUsage().user + process.cpuUsage().system) / 1e6;
const opened = seconds();
const session = await ort.InferenceSession.create(readFileSync(decoder), { executionProviders: ["wasm"] });
const floats = (...shape) => {
  const size = shape.reduce((product, length) => product * length, 1);
  return new ort.Tensor("float32", Float32Array.from({ length: size }, Math.random), shape);
};

/** Seconds for 20 steps of some hypotheses over a source of 20 tokens. */
async function twentySteps(width) {
  const feeds = {
    tokens: new ort.Tensor("int64", new BigInt64Array(width).fill(7n), [1, width]),
    keys: floats(1, 20, hidden),
    values: floats(1, 20, hidden),
    mask: new ort.Tensor("bool", new Uint8Array(20).fill(1), [1, 20]),
    hidden_1: floats(1, width, hidden),
    cell_1: floats(1, width, hidden),
  };
  const start = seconds();
  for (let step = 0; step < 20; step++) {
    const results = await session.run(feeds);
    feeds.hidden_1 = results.next_hidden_1;
    feeds.cell_1 = results.next_cell_1;
  }
  return seconds() - start;
}

await twentySteps(1);
const load = seconds() - opened;
const best = async (width) => {
  const times = [];
  for (let run = 0; run < Number(runs); run++) times.push(await twentySteps(width));
  return Math.min(...times);
};
console.log(
  JSON.stringify({
    load_and_first_seconds: Math.round(1000 * load) / 1000,
    tokens_per_second: Math.round(20 / (await best(1))),
    tokens_per_second_beam_5: Math.round(20 / (await best(5))),
  }),
);
