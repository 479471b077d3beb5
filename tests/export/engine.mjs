// Runs the engine of a page in Node.js: reads cases from the file given, writes their results as JSON.
import { readFileSync, writeFileSync } from "node:fs";
import vm from "node:vm";

const [code, cases, results] = process.argv.slice(2);
const names =
  "PageModel, DEFAULT_OPTIONS, restoreTokenizer, WordBreaks, rewriter, cutIntoUnits, ValueFunction, " +
  "exactShapley, sampledShapley, attentionByUnit, EOS";
const engine = vm.runInThisContext(`${readFileSync(code, "utf8")}\n;({ ${names} })`);

/** Runs a task of many steps to its end. */
function finish(task) {
  let step = task.next();
  while (!step.done) step = task.next();
  return step.value;
}

/** What a case asks of a model, by the name of the call. */
const calls = {
  generate(model, { text, options = {}, prefix = [] }) {
    const source = model.encode(text);
    return plain(finish(model.generate(source, { ...engine.DEFAULT_OPTIONS, ...options }, prefix)));
  },
  continueText: (model, { text, length, options = {} }) =>
    plain(finish(model.continueText(text, length, { ...engine.DEFAULT_OPTIONS, ...options }))),
  alternatives: (model, { text, ids, count }) => model.alternatives(model.encode(text), ids, count),
  explain(model, { text, ids, unit, budget }) {
    const source = model.encode(text);
    const units = engine.cutIntoUnits(model, source, unit);
    const value = new engine.ValueFunction(model.ensemble, source, units, [...ids, engine.EOS]);
    const result = finish(budget ? engine.sampledShapley(value, budget, 1) : engine.exactShapley(value));
    return { units: units.texts, ...plain(result) };
  },
  attention(model, { text, unit }) {
    const source = model.encode(text);
    const [output] = finish(model.generate(source, engine.DEFAULT_OPTIONS));
    return plain(engine.attentionByUnit(output.attention, engine.cutIntoUnits(model, source, unit)));
  },
};

const plain = (value) =>
  JSON.parse(JSON.stringify(value, (_, each) => (ArrayBuffer.isView(each) ? Array.from(each) : each)));

function answer(model, call) {
  try {
    return { value: calls[call.call](model, call) };
  } catch (error) {
    return { error: String(error.message) };
  }
}

const { models = [], tokenizers = null } = JSON.parse(readFileSync(cases, "utf8"));
const answers = models.map(({ description, weights, calls: asked }) => {
  const model = new engine.PageModel(description, weights);
  return asked.map((call) => answer(model, call));
});
let texts = null;
if (tokenizers) {
  const breaks = new engine.WordBreaks(tokenizers.word_breaks);
  texts = tokenizers.saved.map((saved) => {
    const tokenizer = engine.restoreTokenizer(saved, breaks);
    return tokenizers.texts.map((text) => {
      const encoding = tokenizer.encode(text);
      return { ...encoding, decoded: tokenizer.decode(encoding.ids) };
    });
  });
  texts.push(tokenizers.cleaning.map((clean) => tokenizers.texts.map(engine.rewriter(clean.steps, clean.tables))));
}
writeFileSync(results, JSON.stringify({ answers, texts }));
