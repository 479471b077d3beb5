import assert from "node:assert/strict";
import { test } from "node:test";
import { enter, fakeModel, labelled, load, press, show } from "./page.js";

const form = await load("Form");
const ranges = await load("Ranges");
const outputs = await load("OutputsView");
const code = await load("CodeView");
const progress = await load("Progress");

const FIELDS = [
  { name: "cell", label: "cell", help: "h", kind: "choice", choices: ["lstm", "gru"], default: "lstm" },
  {
    name: "hidden_size",
    label: "hidden size",
    help: "h",
    kind: "number",
    stops: [16, 24, 32, 48],
    auto: true,
    default: null,
  },
  { name: "sample", label: "sample", help: "h", kind: "switch", default: false },
  { name: "top_k", label: "top k", help: "h", kind: "number", stops: [0, 5, 10], default: 0, needs: "sample" },
  { name: "data", label: "data", help: "h", kind: "text", default: "", suggest: ["rows"] },
  { name: "text", label: "text", help: "h", kind: "area", default: "" },
];

function formState(changes = {}) {
  const values = { cell: "lstm", hidden_size: null, sample: false, top_k: 0, data: "", text: "" };
  const sections = [
    { title: "All", fields: FIELDS.slice(0, 5) },
    { title: "More", closed: true, fields: FIELDS.slice(5) },
  ];
  return { sections, values, autos: { hidden_size: 24 }, errors: {}, suggestions: {}, disabled: false, ...changes };
}

const shownForm = (changes) => {
  const model = fakeModel(formState(changes));
  const { root } = show(form.default, model);
  const control = (label) =>
    document.getElementById([...root.querySelectorAll("label")].find((node) => node.textContent === label).htmlFor);
  return { model, root, control };
};

test("values are written without the noise of binary fractions", () => {
  assert.deepEqual([0.1 + 0.2, 1e-5, 8192, null, undefined, ["a", "b"], true].map(form.formatValue), [
    "0.3",
    "0.00001",
    "8192",
    "",
    "",
    "a,b",
    "true",
  ]);
  assert.deepEqual(
    [0, 20, 41, 1e9].map((value) => form.nearestStop([16, 24, 32, 48], value)),
    [0, 0, 3, 3],
  );
});

test("every control sends its value under its name", () => {
  const { model, root, control } = shownForm({ values: { ...formState().values, hidden_size: 32, sample: true } });
  enter(control("cell"), "gru");
  enter(control("sample"), false);
  enter(control("hidden size"), " 40 ");
  enter(control("data"), " rows ");
  enter(control("text"), " typed ", "input");
  assert.deepEqual(model.state.values, {
    cell: "gru",
    hidden_size: "40",
    sample: false,
    top_k: 0,
    data: "rows",
    text: " typed ",
  });
  const slider = labelled(root, "hidden size, slider");
  enter(slider, 1, "input");
  assert.equal(model.state.values.hidden_size, 24);
  assert.equal(slider.getAttribute("aria-valuetext"), "24");
  assert.equal(control("hidden size").value, "24");
});

test("an open setting shows what it would be, and becomes that when it is set", () => {
  const { model, root, control } = shownForm();
  const auto = labelled(root, "hidden size: automatic");
  assert.ok(auto.checked && control("hidden size").disabled);
  assert.deepEqual([control("hidden size").value, labelled(root, "hidden size, slider").value], ["24", "1"]);
  enter(auto, false);
  assert.equal(model.state.values.hidden_size, 24);
  assert.ok(!control("hidden size").disabled);
  enter(auto, true);
  assert.equal(model.state.values.hidden_size, null);
});

test("what an open setting is stands in its check box and its empty box, and its slider at its begin", () => {
  const seed = { ...FIELDS[1], name: "seed", label: "seed", open: "random" };
  const { root, control } = shownForm({ sections: [{ title: "All", fields: [seed] }], autos: {} });
  assert.equal(labelled(root, "seed: random").parentElement.textContent, "random");
  const slider = labelled(root, "seed, slider");
  assert.deepEqual(
    [control("seed").value, control("seed").placeholder, slider.value, slider.getAttribute("aria-valuetext")],
    ["", "random", "0", "random"],
  );
});

test("a list offers other choices while the form is shown", () => {
  const { model, control } = shownForm();
  model.set("suggestions", { cell: ["lstm", "gru", "<b>"] });
  assert.deepEqual(
    [[...control("cell").options].map(({ value }) => value), control("cell").value],
    [["lstm", "gru", "<b>"], "lstm"],
  );
});

test("a setting without a value anywhere begins at its first stop", () => {
  const { model, root } = shownForm({ autos: {} });
  enter(labelled(root, "hidden size: automatic"), false);
  assert.equal(model.state.values.hidden_size, 16);
});

test("errors stand beside their setting as text, and go", () => {
  const { model, control } = shownForm({ errors: { hidden_size: "<b>must be</b> less" } });
  const box = control("hidden size");
  const error = document.getElementById(box.getAttribute("aria-describedby").split(" ")[1]);
  assert.equal(error.textContent, "<b>must be</b> less");
  assert.equal(error.children.length, 0);
  assert.equal(box.getAttribute("aria-invalid"), "true");
  model.set("errors", {});
  assert.equal(box.getAttribute("aria-invalid"), "false");
  assert.equal(error.textContent, "");
});

test("a setting without effect cannot be changed, nor any while the form is disabled", () => {
  const { model, control } = shownForm();
  assert.ok(control("top k").disabled);
  enter(control("sample"), true);
  assert.ok(!control("top k").disabled);
  model.set("disabled", true);
  assert.ok(control("top k").disabled && control("cell").disabled && control("text").disabled);
});

test("names are suggested, and what is being typed is not overwritten", () => {
  const { model, root, control } = shownForm();
  const box = control("data");
  assert.ok(box.getAttribute("list"));
  model.set("suggestions", { data: ["a", "<b>"] });
  assert.deepEqual(
    [...root.querySelector("datalist").children].map((option) => option.value),
    ["a", "<b>"],
  );
  box.focus();
  box.value = "half";
  model.set("values", { ...model.state.values, data: "whole" });
  assert.equal(box.value, "half");
  box.blur();
  model.set("values", { ...model.state.values, data: "other" });
  assert.equal(box.value, "other");
});

test("a closed section folds, and labels name their controls", () => {
  const { root, control } = shownForm();
  assert.equal(root.querySelector("details summary").textContent, "More");
  assert.ok(!root.querySelector("details").open);
  assert.equal(control("text").tagName, "TEXTAREA");
});

// Ranges --------------------------------------------------------------------------------------------------------------

const RANGES = [
  { name: "hidden_size", label: "hidden size", help: "h", kind: "number", stops: [16, 24, 32, 48] },
  { name: "cell", label: "cell", help: "h", kind: "choice", choices: ["lstm", "gru", "rnn"] },
];

function shownRanges() {
  const values = { hidden_size: { on: true, range: [17, 33] }, cell: { on: false, range: ["lstm", "rnn"] } };
  const model = fakeModel({ fields: RANGES, values, errors: {}, disabled: false });
  return { model, ...show(ranges.default, model) };
}

test("a range has two thumbs and two boxes; the lower end takes the upper along, and the other way round", () => {
  const { model, root } = shownRanges();
  const [low, high] = [labelled(root, "hidden size, from"), labelled(root, "hidden size, to")];
  const boxes = () => ["from", "to"].map((end) => labelled(root, `hidden size, ${end}, number`).value);
  assert.deepEqual(boxes(), ["17", "33"], "also between the stops");
  enter(low, 3, "input");
  assert.deepEqual(model.state.values.hidden_size.range, [48, 48]);
  assert.deepEqual([high.value, high.getAttribute("aria-valuetext")], ["3", "48"]);
  enter(high, 1, "input");
  assert.deepEqual(model.state.values.hidden_size.range, [24, 24]);
  enter(labelled(root, "hidden size, to, number"), "30");
  assert.deepEqual(
    [model.state.values.hidden_size.range, boxes()],
    [
      [24, 30],
      ["24", "30"],
    ],
  );
  enter(labelled(root, "hidden size, to, number"), "1000");
  assert.deepEqual([model.state.values.hidden_size.range, high.value], [[24, 1000], "3"], "outside of the slider");
  enter(labelled(root, "hidden size, from, number"), " many ");
  assert.deepEqual(
    [model.state.values.hidden_size.range, boxes()[0]],
    [["many", 1000], "many"],
    "for the kernel to refuse",
  );
});

test("the error of a range stands under its setting, and one about all above them", () => {
  const { model, root } = shownRanges();
  model.set("errors", { hidden_size: "must be <b>whole</b>", "": "Choose one." });
  const box = labelled(root, "hidden size, from, number");
  assert.equal(document.getElementById(box.getAttribute("aria-describedby")).textContent, "must be <b>whole</b>");
  assert.equal(box.getAttribute("aria-invalid"), "true");
  assert.equal(root.querySelector(".ntg-error").textContent, "Choose one.");
  model.set("errors", {});
  assert.deepEqual([box.getAttribute("aria-invalid"), root.querySelector(".ntg-error").textContent], ["false", ""]);
});

test("choices are kept in their order, and a setting that is not searched is dimmed", () => {
  const { model, root } = shownRanges();
  const [all, ...boxes] = root.querySelectorAll(".ntg-setting")[1].querySelectorAll("input");
  assert.ok(!all.checked && boxes.every((box) => box.disabled));
  enter(all, true);
  assert.ok(boxes.every((box) => !box.disabled));
  assert.equal(model.state.values.cell.on, true);
  assert.deepEqual(
    boxes.map((box) => box.checked),
    [true, false, true],
  );
  enter(boxes[1], true);
  assert.deepEqual(model.state.values.cell.range, ["lstm", "gru", "rnn"]);
  model.set("disabled", true);
  assert.ok(root.querySelector("fieldset").disabled);
});

// Outputs -------------------------------------------------------------------------------------------------------------

const token = (text, changes = {}) => ({ text, before: "", p: 0.5, forced: false, ...changes });

function shownOutputs(changes = {}) {
  const tokens = [token("<a>"), token("b", { before: " ", p: 0.004, forced: true }), token("", { end: true, p: 1 })];
  const columns = [
    { title: "first", error: "", forced: true, rows: [{ text: "<a> b", score: "-0.100", tokens }] },
    { title: "second", error: "No <text>.", forced: false, rows: [] },
  ];
  const model = fakeModel({ columns, alternatives: {}, version: 3, status: "", ...changes });
  const { root } = show(outputs.default, model);
  return { model, root, tokens: () => [...root.querySelectorAll(".ntg-token")] };
}

const OPTIONS = [
  { text: "b", p: 0.75, end: false, taken: true },
  { text: "<i>", p: 0.2, end: false, taken: false },
  { text: "", p: 0.0123, end: true, taken: false },
];

test("probabilities have two significant digits", () => {
  assert.deepEqual([1, 0.756, 0.1, 0.0123, 0.00017].map(outputs.formatPercent), [
    "100 %",
    "76 %",
    "10 %",
    "1.2 %",
    "0.017 %",
  ]);
});

test("outputs are tokens with their spaces, scores and errors, as text", () => {
  const { root, tokens } = shownOutputs();
  assert.equal(root.querySelector(".ntg-tokens").textContent, "<a> b■");
  assert.equal(root.querySelector(".ntg-score").textContent, "-0.100");
  assert.equal(root.querySelector("[role=alert]").textContent, "No <text>.");
  assert.equal(root.querySelector("a, text"), null);
  assert.deepEqual(
    tokens().map((node) => node.style.getPropertyValue("--doubt")),
    ["0.275", "0.548", "0.000"],
  );
  assert.equal(tokens()[1].getAttribute("aria-label"), "“b”, probability 0.40 %, chosen by you; other tokens");
  assert.deepEqual(
    tokens().map((node) => node.tabIndex),
    [0, -1, -1],
  );
});

test("what is sent names the column, the row, the token and the version", () => {
  const { model, root, tokens } = shownOutputs();
  tokens()[1].click();
  labelled(root, "Explain: <a> b").click();
  root.querySelector(".ntg-title button").click();
  assert.deepEqual(model.sent, [
    { version: 3, kind: "ask", column: 0, row: 0, at: 1 },
    { version: 3, kind: "explain", column: 0, row: 0 },
    { version: 3, kind: "release", column: 0 },
  ]);
});

test("an alternative is chosen by keys, and the focus returns to its token", () => {
  const { model, root, tokens } = shownOutputs();
  tokens()[0].focus();
  press(tokens()[0], "ArrowRight");
  assert.equal(document.activeElement, tokens()[1]);
  press(tokens()[1], "Enter");
  model.set("alternatives", { version: 3, column: 0, row: 0, at: 1, options: OPTIONS });
  const items = [...root.querySelectorAll("[role=menuitem]")];
  assert.deepEqual(
    items.map((item) => item.getAttribute("aria-label")),
    ["b, 75 %, current", "<i>, 20 %", "end here, 1.2 %"],
  );
  assert.equal(document.activeElement, items[0]);
  assert.equal(tokens()[1].getAttribute("aria-expanded"), "true");
  press(items[0], "ArrowUp");
  assert.equal(document.activeElement, items[2]);
  press(items[2], "ArrowDown");
  press(items[0], "ArrowDown");
  press(items[1], "Enter");
  assert.deepEqual(model.sent.at(-1), { version: 3, kind: "choose", column: 0, row: 0, at: 1, choice: 1 });
  assert.equal(root.querySelector("[role=menu]"), null);
  assert.equal(document.activeElement, tokens()[1]);
});

test("alternatives of an older result open no menu, and a press elsewhere closes one", () => {
  const { model, root } = shownOutputs();
  model.set("alternatives", { version: 2, column: 0, row: 0, at: 1, options: OPTIONS });
  assert.equal(root.querySelector("[role=menu]"), null);
  model.set("alternatives", { version: 3, column: 0, row: 0, at: 1, options: OPTIONS });
  assert.ok(root.querySelector("[role=menu]"));
  document.body.dispatchEvent(new window.Event("pointerdown", { bubbles: true }));
  assert.equal(root.querySelector("[role=menu]"), null);
});

test("the focus stays with its token when new outputs come, and is not taken from elsewhere", () => {
  const { model, tokens } = shownOutputs();
  tokens()[1].focus();
  model.set("columns", structuredClone(model.state.columns));
  assert.equal(document.activeElement, tokens()[1]);
  document.activeElement.blur();
  model.set("columns", structuredClone(model.state.columns));
  assert.equal(document.activeElement, document.body);
});

// Code ----------------------------------------------------------------------------------------------------------------

test("code is copied as it is and shown with its control characters visible", async () => {
  const model = fakeModel({ pieces: [{ name: "Python", code: "a = '<b>'\nb = '\u202e'" }] });
  const { root } = show(code.default, model);
  assert.equal(root.querySelector("pre").textContent, "a = '<b>'\nb = '⟨U+202E⟩'");
  let copied;
  const clipboard = { writeText: async (text) => (copied = text) };
  Object.defineProperty(globalThis, "navigator", { value: { clipboard }, configurable: true });
  const copy = labelled(root, "Copy Python");
  copy.click();
  await new Promise((resolve) => setTimeout(resolve, 0));
  assert.equal(copied, "a = '<b>'\nb = '\u202e'");
  assert.deepEqual([copy.textContent, root.querySelector("[role=status]").textContent], ["Copied", "Copied"]);
  clipboard.writeText = () => Promise.reject(new Error("not allowed"));
  copy.click();
  await new Promise((resolve) => setTimeout(resolve, 0));
  assert.equal(copy.textContent, "Press Ctrl-C");
  assert.equal(window.getSelection().toString(), root.querySelector("pre").textContent);
});

const runs = await load("RunsTable");
const RUNS = {
  heads: ["run", "updates"],
  rows: [
    { name: "a", cells: ["a", "900/1,000"], keys: ["a", 900] },
    { name: "b", cells: ["b", "1,000/1,000"], keys: ["b", 1000] },
    { name: "c", cells: ["c", ""], keys: ["c", ""] },
  ],
};

test("runs are sorted by a press on a head, numbers as numbers, those without a value last", () => {
  const { root } = show(runs.default, fakeModel(structuredClone(RUNS)));
  const order = () => [...root.querySelectorAll("tbody tr")].map((row) => row.cells[1].textContent).join("");
  const sort = (column) => root.querySelectorAll("th button")[column].click();
  assert.equal(order(), "abc");
  sort(1);
  assert.equal(order(), "abc");
  assert.equal(root.querySelectorAll("th")[1].getAttribute("aria-sort"), "ascending");
  sort(1);
  assert.equal(order(), "bac");
  sort(0);
  assert.equal(order(), "abc");
});

test("runs that are chosen are opened, compared, and deleted after a second press", () => {
  const { model, root } = shownRuns();
  const act = (text) => [...root.querySelectorAll("[role=toolbar] button")].find((node) => node.textContent === text);
  assert.ok(["Open", "Resume", "Compare", "Delete"].every((text) => act(text).disabled));
  enter(labelled(root, "Choose a"), true);
  act("Open").click();
  assert.ok(act("Compare").disabled);
  enter(labelled(root, "Choose b"), true);
  assert.ok(act("Open").disabled && act("Resume").disabled);
  act("Compare").click();
  act("Delete").click();
  act("Delete 2 for ever?").click();
  assert.deepEqual(model.sent, [
    { action: "open", names: ["a"] },
    { action: "compare", names: ["a", "b"] },
    { action: "delete", names: ["a", "b"] },
  ]);
  model.set("rows", RUNS.rows.slice(2));
  assert.ok(act("Delete").disabled, "what is gone is no longer chosen");
});

function shownRuns() {
  const model = fakeModel(structuredClone(RUNS));
  return { model, ...show(runs.default, model) };
}

test("a bar says how far work is, is cancelled once, and is read out at its beginning and its end only", () => {
  const model = fakeModel({ state: {} });
  const { root } = show(progress.default, model);
  const [bar, cancel] = [root.querySelector("progress"), root.querySelector("button")];
  const said = () => root.querySelector("[role=status]").textContent;
  assert.ok(bar.hidden && cancel.hidden && said() === "");
  model.set("state", { text: "Evaluating …" });
  assert.ok(!bar.hidden && !bar.hasAttribute("value") && said() === "Evaluating …");
  model.set("state", { text: "3 of 4 pairs generated", done: 0.75 });
  assert.ok(bar.value === 0.75 && bar.getAttribute("aria-label") === "3 of 4 pairs generated");
  assert.ok(said() === "Evaluating …" && root.textContent.includes("3 of 4 pairs generated"));
  cancel.focus();
  cancel.click();
  cancel.click();
  assert.deepEqual(model.sent, [{ kind: "cancel" }]);
  assert.equal(document.activeElement, root.querySelector(".ntg-progress"), "the focus stays in the panel");
  model.set("state", { text: "4 of 4 pairs generated", done: 1 });
  assert.ok(cancel.disabled && said() === "Stopping …");
  model.set("state", {});
  assert.ok(bar.hidden && cancel.hidden && said() === "");
  model.set("state", { text: "Evaluating …" });
  assert.ok(!cancel.disabled && said() === "Evaluating …");
});

const { FocusKeeper, el } = await load("Frame");
const settled = () => new Promise((resolve) => setTimeout(resolve));

test("the focus waits beside a control that is disabled, at the bar of its work, and comes back", async () => {
  const start = el("button", { text: "Start" });
  const cancel = el("button", { text: "Cancel" });
  const bar = el("progress", { hidden: true });
  const work = el("div", { class: "ntg-progress", tabindex: "-1" }, bar, cancel);
  const line = el("div", {}, start);
  const outside = el("button", { text: "elsewhere" });
  const root = el("div", {}, line, work);
  document.body.replaceChildren(root, outside);
  const keeper = new FocusKeeper(() => root);
  start.focus();
  start.disabled = true;
  await settled();
  assert.equal(document.activeElement, line);
  bar.hidden = false;
  await settled();
  assert.equal(document.activeElement, work);
  cancel.focus();
  start.disabled = false;
  await settled();
  assert.equal(document.activeElement, start);
  start.disabled = true;
  await settled();
  outside.focus(); // by the user, who does not want it back
  start.disabled = false;
  await settled();
  assert.equal(document.activeElement, outside);
  keeper.end();
});

test("the focus goes to a control that is drawn anew, else to the next one, else to the one before", async () => {
  const buttons = ["first", "second", "third"].map((text) => el("button", { text }));
  const root = el("div", {}, ...buttons);
  document.body.replaceChildren(root);
  const keeper = new FocusKeeper(() => root);
  buttons[1].focus();
  const again = el("button", { text: "second" });
  buttons[1].replaceWith(again);
  await settled();
  assert.equal(document.activeElement, again);
  again.remove();
  await settled();
  assert.equal(document.activeElement, buttons[2]);
  buttons[2].remove();
  await settled();
  assert.equal(document.activeElement, buttons[0]);
  buttons[0].remove();
  await settled();
  assert.equal(document.activeElement, root);
  keeper.end();
});

test("the focus goes back to what opened a widget that is closed, and from Stop to Start", async () => {
  const [opener, other, close, start, stop] = ["open", "other", "close", "start", "stop"].map((text) =>
    el("button", { text }),
  );
  const widget = el("div", { class: "ntg" }, close);
  const root = el("div", {}, el("div", {}, start, stop), opener, other, widget);
  document.body.replaceChildren(root);
  const keeper = new FocusKeeper(() => root);
  opener.focus();
  close.focus();
  widget.remove();
  await settled();
  assert.equal(document.activeElement, opener);
  start.disabled = true;
  await settled();
  stop.focus();
  stop.disabled = true;
  await settled();
  start.disabled = false;
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.equal(document.activeElement, start);
  stop.disabled = start.disabled = true;
  await settled();
  stop.disabled = false; // before the one that was pressed
  await settled();
  start.disabled = false;
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.equal(document.activeElement, start);
  keeper.end();
});
