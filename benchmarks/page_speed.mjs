// Measures the processor time of the engine of a page in Node.js: node page_speed.mjs ENGINE MODEL RUNS. Called by page.py.
import { readFileSync } from "node:fs";
import vm from "node:vm";

const [engineFile, modelFile, runs] = process.argv.slice(2);
const engine = vm.runInThisContext(
  `${readFileSync(engineFile, "utf8")}\n;({ PageModel, DEFAULT_OPTIONS, EOS, cutIntoUnits, ValueFunction, exactShapley })`,
);
const { description, weights, text, short, length } = JSON.parse(readFileSync(modelFile, "utf8"));
const opened = (process.cpuUsage().user + process.cpuUsage().system) / 1e6;
const model = new engine.PageModel(description, weights);

/** Seconds of processor time, also of the threads that compile and collect. */
const seconds = () => (process.cpuUsage().user + process.cpuUsage().system) / 1e6;

function finish(task) {
  let step = task.next();
  while (!step.done) step = task.next();
  return step.value;
}

function generate(options) {
  const start = seconds();
  const source = model.encode(text);
  const [output] = finish(
    model.generate(source, { ...engine.DEFAULT_OPTIONS, min_length: length, max_length: length, ...options }),
  );
  return { ids: output.ids, seconds: seconds() - start };
}

const first = generate({});
const firstOutput = seconds() - opened;
const greedy = Array.from({ length: Number(runs) }, () => generate({}).seconds);
const beam = Array.from({ length: Number(runs) }, () => generate({ beam: 5 }).seconds);
const source = model.encode(short);
const units = engine.cutIntoUnits(model, source, "token");
const output = [...first.ids.slice(0, 10), engine.EOS];
const start = seconds();
finish(engine.exactShapley(new engine.ValueFunction(model.ensemble, source, units, output)));
const shapley = seconds() - start;
const best = (values) => Math.min(...values);
console.log(JSON.stringify({ first: firstOutput, greedy: best(greedy), beam: best(beam), shapley, ids: first.ids }));
