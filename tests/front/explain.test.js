import assert from "node:assert/strict";
import { test } from "node:test";
import { enter, fakeModel, labelled, load, press, savedFiles, show } from "./page.js";

const explain = await load("ExplanationPanel");
const { tokenName, formatSigned, largest, strongest, textDirection, codePoints, headAnswer } = explain;
const { chipRow, shade, TextView, matrixLabel, matrixOf, matrixSvg, matrixView, cellAt, matrixLayout } = explain;
const { changeView, rowsView, colourBar, drawArcs, caption } = explain;

const part = (text, start, stop = start + [...text].length) => ({ text, start, stop });

/** An explanation of "ab c" -> "XY". */
function answer(changes = {}) {
  return {
    method: "shap",
    name: "Shapley values",
    algorithm: "exact, 8 coalitions",
    source: "ab c",
    text: "XY",
    contrast: null,
    unit: "word",
    inputs: [part("ab", 0), part("c", 3)],
    outputs: [part("X", 0), part("Y", 1), part("■", 2, 2)],
    values: [
      [1.5, -0.25],
      [0, 2],
      [0.0001, 0],
    ],
    errors: null,
    heads: null,
    logs: [-0.1, -0.2, -0.3],
    total: [1.5, 1.75],
    measure: "nats",
    sentence: "“XY” comes from “ab”.",
    sentences: ["“X” comes from “ab”.", "“Y” comes from “c”.", "The end hardly depends on the source."],
    pairs: null,
    notes: [],
    final: true,
    ...changes,
  };
}

const noCallbacks = { onActive() {}, onPress() {} };
const words = (chips) => chips.map((chip) => chip.querySelector(".nte-word").textContent);
const numbers = (chips) => chips.map((chip) => chip.querySelector(".nte-number").textContent);

test("tokens and numbers are written so that they can be seen", () => {
  assert.deepEqual(["a", " ", "", "\t", " \u200b"].map(tokenName), ["a", "␣", "∅", "\u2409", " ⟨U+200B⟩"]);
  assert.deepEqual(
    [0.125, -0.125, 0.001, -0.001].map((value) => formatSigned(value)),
    ["+0.13", "\u22120.13", "0.00", "0.00"],
  );
  assert.equal(formatSigned(-1.23456, 3), "\u22121.235");
  assert.deepEqual([largest([]), largest([0, 0]), largest([1, -3])], [1, 1, 3]);
  assert.deepEqual(codePoints("a😀é").length, 3);
});

test("the strongest attributions come first, without negligible ones", () => {
  assert.deepEqual(strongest([0.1, -3, 0, 2, 0.0001], 3), [1, 3, 0]);
  assert.deepEqual(strongest([0.1, -3, 2], 2), [1, 2]);
  assert.deepEqual(strongest([0, 0], 5), []);
});

test("a text is read in the direction of its first letter", () => {
  assert.deepEqual(["2019 abc", "12 שלום abc", "!مرحبا", "123", ""].map(textDirection), [
    "ltr",
    "rtl",
    "rtl",
    "ltr",
    "ltr",
  ]);
});

test("the values of one head replace the mean", () => {
  const heads = [
    [
      [1, 0],
      [0, 1],
      [1, 0],
    ],
    [
      [0, 1],
      [1, 0],
      [0, 1],
    ],
  ];
  const one = headAnswer(answer({ heads }), 2);
  assert.deepEqual(one.values, heads[1]);
  assert.deepEqual(one.total, [1 / 3, 2 / 3]);
  assert.equal(one.algorithm, "head 2 of 2");
  assert.equal(headAnswer(answer({ heads }), 0).algorithm, "exact, 8 coalitions");
  assert.equal(headAnswer(undefined, 1), undefined);
});

test("a row of chips and the gaps between them make up the text", () => {
  const { node, chips } = chipRow("Input", "😀b, c!", [part("😀b", 0), part("c", 4)], noCallbacks);
  assert.equal(node.textContent, "😀b, c!");
  assert.deepEqual(words(chips), ["😀b", "c"]);
  assert.deepEqual(
    [...node.querySelectorAll(".nte-gap")].map((gap) => gap.textContent),
    [", ", "!"],
  );
  assert.deepEqual(
    chips.map((chip) => chip.tabIndex),
    [0, -1],
  );
});

test("parts that overlap are shown by their own texts", () => {
  const { node, chips } = chipRow("Output", "ab", [part("<a>", 0, 2), part("b", 1)], noCallbacks);
  assert.deepEqual(words(chips), ["<a>", "b"]);
  assert.equal(node.querySelectorAll(".nte-gap").length, 0);
});

test("white space in a chip is visible, and markup stays text", () => {
  const { node, chips } = chipRow("Input", " <b>\n", [part(" ", 0), part("<b>", 1), part("\n", 4)], noCallbacks);
  assert.deepEqual(words(chips), ["␣", "<b>", "\u240a"]);
  assert.equal(node.querySelector("b"), null);
});

test("chips are shaded by their share of the largest value", () => {
  const row = chipRow("Input", "abc", [part("a", 0), part("b", 1), part("c", 2)], noCallbacks);
  shade(row, [2, -1, 0.01], "for X");
  assert.deepEqual(
    row.chips.map((chip) => chip.style.getPropertyValue("--share")),
    ["1.000", "0.500", "0.005"],
  );
  assert.deepEqual(numbers(row.chips), ["+2.00", "\u22121.00", ""]);
  assert.deepEqual(
    row.chips.map((chip) => chip.className.replace("nte-chip", "").trim()),
    ["nte-for", "nte-against", "nte-for"],
  );
  assert.equal(row.chips[1].getAttribute("aria-label"), "b, \u22121.00 for X");
  shade(row, [2, -1, 0.01], "", null, [0.1, 1, 0]);
  assert.deepEqual(
    row.chips.map((chip) => chip.classList.contains("nte-noise")),
    [false, true, false], // within 1.96 standard errors
  );
  shade(row, null);
  assert.deepEqual(numbers(row.chips), ["", "", ""]);
  assert.equal(row.chips[0].getAttribute("aria-label"), "a");
});

test("arrow keys move along a row, which is one Tab stop", () => {
  const { node, chips } = chipRow("Input", "abc", [part("a", 0), part("b", 1), part("c", 2)], noCallbacks);
  document.body.replaceChildren(node);
  chips[0].focus();
  for (const [key, index] of [
    ["ArrowRight", 1],
    ["ArrowLeft", 0],
    ["ArrowLeft", 0],
    ["End", 2],
    ["Home", 0],
  ]) {
    assert.ok(press(document.activeElement, key).defaultPrevented);
    assert.equal(document.activeElement, chips[index], key);
  }
  assert.deepEqual(
    chips.map((chip) => chip.tabIndex),
    [0, -1, -1],
  );
  assert.ok(!press(chips[0], "a").defaultPrevented);
});

test("sentences name the strongest attributions of what is active", () => {
  const view = new TextView(
    answer({
      errors: [
        [0.01, 0.02],
        [0, 0],
        [0, 0],
      ],
    }),
  );
  document.body.replaceChildren(view.node);
  assert.match(view.summary.textContent, /^Attributions for the whole output/);
  assert.deepEqual(numbers(view.input.chips), ["+1.50", "+1.75"]);
  view.output.chips[0].focus();
  assert.equal(
    view.summary.textContent,
    "Top attributions for output “X”: “ab” +1.50 · “c” \u22120.25 (nats, standard error at most 0.020); log p \u22120.10",
  );
  view.input.chips[1].focus();
  assert.equal(view.summary.textContent, "Top effects of input “c”: “Y” +2.00 · “X” \u22120.25 (nats)");
  view.output.chips[2].focus();
  assert.match(view.summary.textContent, /“■”: none/);
});

test("an output token stays selected until it is pressed again or Escape is", () => {
  const view = new TextView(answer());
  const [first] = view.output.chips;
  first.click();
  view.input.chips[0].dispatchEvent(new window.Event("mouseenter"));
  view.input.chips[0].dispatchEvent(new window.Event("mouseleave"));
  assert.equal(first.getAttribute("aria-pressed"), "true");
  assert.match(view.summary.textContent, /output “X”/);
  first.click();
  assert.match(view.summary.textContent, /whole output/);
  first.click();
  press(first, "Escape");
  assert.equal(first.getAttribute("aria-pressed"), "false");
  assert.match(view.summary.textContent, /whole output/);
});

test("the context method compares the source with the earlier output", () => {
  const view = new TextView(
    answer({
      method: "context",
      values: [
        [1, 0.5],
        [2, -1],
        [0, 0],
      ],
    }),
  );
  assert.deepEqual(numbers(view.output.chips), ["+1.00", "+2.00", ""]);
  view.showOutput(1);
  assert.equal(view.summary.textContent, "“Y”: source +2.00, earlier output \u22121.00 nats");
  assert.equal(view.input.chips.length, 0);
});

test("the matrix leaves out cells of next to nothing and numbers large ones", () => {
  const small = matrixSvg(matrixOf(answer()), 20);
  assert.equal(small.querySelectorAll("rect").length, 1 + 3); // the frame, and three cells above 2 % of the largest
  assert.equal(small.querySelectorAll("text").length, 5 + 2); // labels, and what rows and columns are
  const large = matrixSvg(matrixOf(answer()), 40);
  assert.deepEqual(
    [...large.querySelectorAll("text")].map((node) => node.textContent).filter((text) => /\d/.test(text)),
    ["+1.50", "\u22120.25", "+2.00"],
  );
  const fills = [...small.querySelectorAll("rect")].slice(1).map((node) => node.getAttribute("fill"));
  assert.deepEqual(fills, ["rgba(217,95,2,0.637)", "rgba(31,120,180,0.106)", "rgba(217,95,2,0.850)"]);
});

test("cells stand in their row and column, and are found again under the pointer", () => {
  const layout = matrixLayout(matrixOf(answer()), 20);
  const cells = [...matrixSvg(matrixOf(answer()), 20).querySelectorAll("rect")].slice(1);
  const place = (node) => [Number(node.getAttribute("x")), Number(node.getAttribute("y"))];
  for (const [node, row, column] of [
    [cells[0], 0, 0],
    [cells[1], 0, 1],
    [cells[2], 1, 1],
  ]) {
    const [x, y] = place(node);
    assert.deepEqual([x, y], [layout.left + 20 * column + 0.5, layout.top + 20 * row + 0.5]);
    assert.deepEqual(cellAt(matrixOf(answer()), 20, x + 5, y + 5), { row, column });
  }
  assert.equal(cellAt(matrixOf(answer()), 20, layout.left - 1, layout.top + 5), null);
  assert.equal(cellAt(matrixOf(answer()), 20, layout.left + 5, layout.top + 61), null);
});

test("column labels stand upright where they fit, and lean where they do not", () => {
  const turned = (cell) => matrixSvg(matrixOf(answer()), cell).querySelectorAll("text[transform]").length;
  assert.deepEqual([turned(44), turned(11)], [0, 2]);
});

test("earlier output tokens have columns of their own, behind a gap", () => {
  const earlierValues = [
    [0, 0],
    [0.5, 0],
    [0.25, -2],
  ];
  const joint = answer({ earlier: [part("X", 0), part("Y", 1)], earlierValues });
  const matrix = matrixOf(joint);
  const { left, top } = matrixLayout(matrix, 20);
  assert.deepEqual(matrix.values[1], [0, 2, 0.5, 0]);
  assert.deepEqual(cellAt(matrix, 20, left + 2 * 20 + 15, top + 25), { row: 1, column: 2 });
  assert.deepEqual(cellAt(matrix, 20, left + 20 + 5, top + 25), { row: 1, column: 1 });
  const view = new TextView(joint);
  view.showCell(2, 3);
  assert.equal(view.summary.textContent, "“■” from “Y”: \u22122.000 nats");
  view.showOutput(2);
  assert.deepEqual(numbers(view.output.chips), ["+0.25", "\u22122.00", ""]);
});

test("the colour bar names its ends and its unit; weights have no negative side", () => {
  const texts = (bar) => [...bar.querySelectorAll("text")].map((node) => node.textContent);
  assert.deepEqual(texts(colourBar(2, "nats", 1)), ["\u22122.00", "0", "+2.00", "log-probability (nats)"]);
  assert.deepEqual(texts(colourBar(0.5, "weight", 1)), ["0", "+0.50", "attention weight"]);
});

test("interactions are arcs between chips, and a list in words", () => {
  const pairs = { total: [[0, 1, -0.5]], tokens: [[], [[0, 1, 1.25]], []] };
  const view = new TextView(answer({ pairs }), { arcs: true });
  const arcs = () => [...view.input.node.querySelectorAll("path")].map((path) => path.getAttribute("stroke-dasharray"));
  assert.deepEqual(arcs(), ["5 3"]);
  assert.match(view.summary.textContent, /“ab” with “c” \u22120.50/);
  view.showOutput(1);
  assert.deepEqual(arcs(), ["none"]);
  view.showOutput(0);
  assert.match(view.summary.textContent, /none above/);
  const picture = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  drawArcs(picture, view.input.node, [[0, 7, 1]]);
  assert.equal(picture.children.length, 0); // a unit that is not there
});

test("a plain sentence follows what is selected", () => {
  const view = new TextView(answer(), { selected: 1 });
  assert.equal(view.sentence.textContent, "“Y” comes from “c”.");
  view.select(null);
  assert.equal(view.sentence.textContent, "“XY” comes from “ab”.");
  assert.match(caption(answer(), 0, "1f2e"), /^Attributions of “X” in the output “XY”.*Model 1f2e\.$/);
});

test("long labels are cut between characters", () => {
  assert.equal(matrixLabel("x".repeat(14)), "x".repeat(14));
  assert.equal(matrixLabel("😀".repeat(20)), `${"😀".repeat(13)}…`);
});

test("the matrix is read and zoomed by keys", () => {
  const zoom = {};
  const cells = [];
  const node = matrixView(answer(), zoom, (cell) => cells.push(cell));
  document.body.replaceChildren(node);
  const frame = node.querySelector(".nte-scroll");
  assert.equal(zoom.cell, 44);
  for (const key of ["ArrowDown", "ArrowRight", "ArrowRight", "ArrowUp", "-"]) press(frame, key);
  assert.deepEqual(
    cells.map((cell) => [cell.row, cell.column]),
    [
      [1, 0],
      [1, 1],
      [1, 1],
      [0, 1],
      [0, 1],
    ],
  );
  assert.equal(zoom.cell, 40);
  for (let presses = 0; presses < 20; presses += 1) press(frame, "-");
  assert.equal(zoom.cell, 5);
  frame.dispatchEvent(new window.Event("mouseleave"));
  assert.equal(cells.at(-1), null);
});

test("a changed output marks what was deleted and inserted", () => {
  let resets = 0;
  const view = changeView(
    {
      source: "ab <i>",
      before: [
        ["same", "X"],
        ["gone", "Y"],
      ],
      after: [
        ["same", "X"],
        ["new", "<b>"],
      ],
      same: false,
    },
    () => (resets += 1),
  );
  assert.deepEqual(
    [...view.querySelectorAll("del, ins")].map((node) => node.textContent),
    ["Y", "<b>"],
  );
  assert.equal(view.querySelector("b, i"), null);
  view.querySelector("button").click();
  assert.equal(resets, 1);
  assert.equal(
    changeView({}, () => {}),
    null,
  );
});

test("training rows are tables of text, which can be marked where a kernel is behind", () => {
  const row = (number, share) => ({
    row: number,
    place: `row ${number + 1}`,
    source: "<b>",
    target: "X",
    share,
    cleaning: "",
  });
  const rows = { part: "X", token: 0, proponents: [row(3, 1), row(5, 0.25)], opponents: [row(8, -0.5)] };
  const marked = [];
  const view = rowsView(rows, new Set([5]), { onMark: ({ row: number }) => marked.push(number), onClose() {} });
  assert.deepEqual(
    [...view.querySelectorAll("caption")].map((each) => each.textContent),
    ["speak for it", "speak against it"],
  );
  const buttons = [...view.querySelectorAll("[data-row]")];
  assert.deepEqual(
    buttons.map((each) => each.getAttribute("aria-label")),
    ["Mark row 4", "Unmark row 6", "Mark row 9"],
  );
  buttons[2].click();
  assert.deepEqual(marked, [8]);
  assert.equal(view.querySelectorAll("b").length, 0);
  assert.equal(rowsView(rows, new Set(), { onMark: null, onClose() {} }).querySelectorAll("[data-row]").length, 0);
  assert.equal(rowsView({}, new Set(), { onMark: null, onClose() {} }), null);
});

// The panel -----------------------------------------------------------------------------------------------------------

function state(changes = {}) {
  return {
    answers: { "word||shap": answer(), "word||attention": answer({ name: "Attention", final: false }) },
    view: { unit: "word", contrast: "", method: "shap" },
    choices: {
      methods: [
        { id: "shap", name: "SHAP" },
        { id: "attention", name: "Attention" },
        { id: "occlusion", name: "Occlusion" },
      ],
      units: ["token", "word"],
    },
    status: { busy: false, text: "" },
    sentences: { "word|": "The methods agree." },
    change: {},
    minimal: {},
    ...changes,
  };
}

const radio = (root, name) =>
  [...root.querySelectorAll("[role=radio]")].find((node) => node.firstChild.textContent === name);
const named = (root, name) => [...root.querySelectorAll("button")].find((node) => node.textContent === name);

test("the kernel is asked for what is not known, and for what is not final", () => {
  const model = fakeModel(state());
  const { root } = show(explain.default, model);
  assert.equal(root.querySelector(".nte-verdict").textContent, "The methods agree.");
  radio(root, "Attention").click();
  assert.equal(radio(root, "Attention").getAttribute("aria-checked"), "true");
  assert.equal(radio(root, "Attention").querySelector(".nte-mark").textContent, "…");
  radio(root, "SHAP").click();
  press(radio(root, "SHAP"), "ArrowLeft");
  assert.equal(document.activeElement, radio(root, "Occlusion"));
  assert.match(root.textContent, /Not computed yet\./);
  enter(labelled(root, "Unit"), "token");
  assert.deepEqual(
    model.sent.map(({ kind, unit, method }) => [kind, unit, method]),
    [
      ["ask", "word", "attention"],
      ["ask", "word", "occlusion"],
      ["ask", "token", "occlusion"],
    ],
  );
});

test("a refined answer leaves the focus where it is", () => {
  const model = fakeModel(state());
  const { root } = show(explain.default, model);
  const chip = () => root.querySelectorAll(".nte-row")[1].querySelectorAll(".nte-chip")[1];
  chip().focus();
  const before = chip();
  model.set("answers", { ...model.state.answers });
  assert.notEqual(chip(), before);
  assert.equal(document.activeElement, chip());
});

test("an input unit is edited in a menu, and restored", async () => {
  const model = fakeModel(state());
  const { root } = show(explain.default, model);
  const chip = root.querySelectorAll(".nte-row")[0].querySelectorAll(".nte-chip")[1];
  chip.click();
  const menu = labelled(root, "Change c");
  assert.equal(named(menu, "Restore"), undefined);
  labelled(menu, "Replace c by").value = "d";
  named(menu, "Replace").click();
  assert.deepEqual(model.sent.at(-1).edits, { 1: { action: "replace", text: "d" } });
  assert.ok(chip.classList.contains("nte-edited"));
  assert.equal(document.activeElement, chip);
  model.set("change", { group: "word|", source: "ab d", before: [["gone", "X"]], after: [["new", "Z"]], same: false });
  assert.match(labelled(root, "Changed input").textContent, /ab d/);
  chip.click();
  named(labelled(root, "Change c"), "Restore").click();
  assert.equal(labelled(root, "Changed input"), null);
  const requests = model.sent.length;
  root.querySelectorAll(".nte-row")[0].querySelectorAll(".nte-chip")[0].click();
  press(root.querySelector(".nte-menu"), "Escape");
  assert.equal(root.querySelector(".nte-menu"), null);
  assert.equal(model.sent.length, requests);
});

test("interactions and the smallest changes are asked of the kernel", () => {
  const model = fakeModel(state());
  const { root } = show(explain.default, model);
  root.querySelectorAll(".nte-row")[1].querySelectorAll(".nte-chip")[1].click();
  named(root, "Smallest change").click();
  const edits = [{ name: "left out", source: "ab ▒", before: [["gone", "XY"]], after: [["new", "<i>"]], same: false }];
  model.set("minimal", {
    group: "word|",
    token: 1,
    sentences: ["Without “c”, the output is “<i>”."],
    proof: "All.",
    edits,
  });
  const found = labelled(root, "Smallest changes");
  assert.match(found.textContent, /^Without “c”, the output is “<i>”\./);
  assert.equal(found.querySelector("i"), null);
  labelled(found, "Close the smallest changes").click();
  assert.equal(labelled(root, "Smallest changes"), null);
  radio(root, "Attention").click();
  named(root, "Interactions").click();
  assert.equal(radio(root, "SHAP").getAttribute("aria-checked"), "true");
  assert.deepEqual(
    model.sent.map(({ kind, method, token }) => [kind, method, token]),
    [
      ["find", "shap", 1],
      ["ask", "attention", undefined],
      ["interactions", "shap", undefined],
    ],
  );
  named(root, "runner-up").click();
  assert.equal(model.sent.at(-1).contrast, "runner-up");
  assert.equal(labelled(root, "Why this and not").value, "");
});

test("a panel that is drawn anew keeps what was chosen, and is closed by the kernel or by who opened it", () => {
  const model = fakeModel(state({ name: "p1" }));
  const { root: before } = show(explain.default, model);
  before.querySelectorAll(".nte-row")[1].querySelectorAll(".nte-chip")[1].click();
  radio(before, "Matrix").click();
  const { root } = show(explain.default, model);
  assert.equal(radio(root, "Matrix").getAttribute("aria-checked"), "true");
  assert.equal(root.querySelector(".nte-title").textContent, "Explanation of “XY”");
  assert.equal(root.querySelector(".nte-sentence").textContent, "“Y” comes from “c”.");
  labelled(root, "Close the explanation").click();
  assert.deepEqual(model.sent, [{ kind: "close" }]);
  root.addEventListener("ntg-close", (event) => event.preventDefault());
  labelled(root, "Close the explanation").click();
  assert.equal(model.sent.length, 1);
});

test("progress is shown with a way to cancel, and an error is named", () => {
  const model = fakeModel(state());
  const { root } = show(explain.default, model);
  model.set("status", { busy: true, text: "100 masked copies", done: 0.25 });
  assert.equal(root.querySelector("progress").value, 0.25);
  const cancel = named(root, "Cancel");
  cancel.focus();
  model.set("status", { busy: true, text: "200 masked copies", done: 0.5 });
  model.set("answers", { ...model.get("answers") });
  assert.equal(document.activeElement, cancel, "an update leaves the focus where it is");
  cancel.click();
  assert.deepEqual(model.sent, [{ kind: "cancel" }]);
  model.set("status", { busy: false, error: "No <memory>" });
  assert.equal(root.querySelector(".ntg-error").textContent, "No <memory>");
  assert.ok(root.querySelector("progress").hidden && named(root, "Cancel").hidden);
});

test("two explanations are pinned at most", () => {
  const model = fakeModel(state());
  const { root } = show(explain.default, model);
  for (const name of ["SHAP", "Attention", "SHAP"]) {
    radio(root, name).click();
    named(root, "Pin").click();
  }
  const titles = () => [...root.querySelectorAll(".nte-card strong")].map((node) => node.textContent);
  assert.deepEqual(titles(), ["Attention", "Shapley values"]);
  named(root.querySelector(".nte-card"), "Unpin").click();
  assert.deepEqual(titles(), ["Shapley values"]);
});

test("a saved page offers what it holds and nothing that needs a kernel", () => {
  const root = document.createElement("div");
  explain.default.renderSaved(root, state());
  assert.ok(radio(root, "Occlusion").disabled && !radio(root, "Attention").disabled);
  assert.deepEqual(
    [...labelled(root, "Unit").options].map((option) => option.value),
    ["word"],
  );
  assert.equal(named(root, "HTML"), undefined);
  assert.equal(labelled(root, "Why this and not"), null);
  radio(root, "Attention").click();
  assert.match(root.querySelector(".nte-notes").textContent, /^The methods agree\.Attention: exact/);
});

test("the page that the kernel sends is saved", () => {
  const files = savedFiles();
  const model = fakeModel(state());
  const { root } = show(explain.default, model);
  named(root, "HTML").click();
  assert.deepEqual(model.sent, [{ kind: "page" }]);
  model.emit("msg:custom", { kind: "page", html: "<!DOCTYPE html>" });
  assert.equal(files[0].name, "explanation.html");
});
