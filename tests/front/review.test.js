import assert from "node:assert/strict";
import { test } from "node:test";
import { enter, fakeModel, frame, labelled, load, press, show } from "./page.js";

const review = await load("ReviewView");

const listed = (row, changes = {}) => ({
  row,
  source: `source ${row}`,
  text: `output ${row}`,
  confidence: "31 %",
  state: "undecided",
  ...changes,
});
const whole = (row, changes = {}) => ({
  ...listed(row),
  position: row,
  decided: "",
  confidence: 0.31,
  words: "Low confidence, 31 %",
  notes: ["A note."],
  candidates: [],
  ...changes,
});

function state(changes = {}) {
  return {
    window: { start: 0, count: 1000, rows: Array.from({ length: 80 }, (_, row) => listed(row)) },
    current: whole(0),
    details: {},
    progress: { done: 3, total: 1000, sentence: "3 of 1,000 rows decided", file: "a.review" },
    choices: {
      selection: "undecided",
      selections: [
        { name: "undecided", count: 997 },
        { name: "all", count: 1000 },
      ],
      model: true,
      origins: false,
      undoable: true,
    },
    status: { text: "", alert: false, at: 0 },
    ...changes,
  };
}

function shown(changes) {
  const model = fakeModel(state(changes));
  const { root, release } = show(review.default, model);
  return { model, root, release, card: root.querySelector(".ntr-card") };
}

test("each key asks for one thing, about the row that is shown", () => {
  const { model, card } = shown();
  for (const key of ["Enter", "s", "u", "j", "ArrowDown", "k", "x", "t", "5", "q"]) press(card, key);
  assert.deepEqual(model.sent, [
    { kind: "accept", row: 0 },
    { kind: "skip", row: 0 },
    { kind: "undo" },
    { kind: "go", position: 1 },
    { kind: "go", position: 1 },
    { kind: "explain", row: 0 },
  ]);
});

test("keys in fields, keys of buttons and shortcuts of the notebook are left alone", () => {
  const { model, root, card } = shown();
  const field = root.querySelector("textarea");
  for (const key of ["s", "Enter", "1"]) press(field, key);
  press(labelled(root, "Rows to list"), "s");
  press(root.querySelector(".ntr-actions button"), "Enter");
  card.dispatchEvent(new window.KeyboardEvent("keydown", { key: "s", ctrlKey: true, bubbles: true }));
  assert.deepEqual(model.sent, []);
});

test("the editor begins with the output, saves by Ctrl + Enter and leaves by Escape", () => {
  const { model, root, card } = shown();
  const field = root.querySelector("textarea");
  press(card, "e");
  assert.equal(field.value, "output 0");
  field.value = "right\nצדק";
  assert.ok(press(field, "Escape").defaultPrevented);
  assert.deepEqual(model.sent, []);
  press(card, "e");
  enter(field, "right\nצדק");
  model.set("details", { row: 0, tokens: [], candidates: [], reasons: [] });
  assert.equal(field.value, "right\nצדק"); // what the model says meanwhile takes nothing away
  let reached = false;
  const outside = () => (reached = true);
  document.body.addEventListener("keydown", outside);
  const event = new window.KeyboardEvent("keydown", { key: "Enter", ctrlKey: true, bubbles: true, cancelable: true });
  field.dispatchEvent(event);
  document.body.removeEventListener("keydown", outside);
  assert.ok(event.defaultPrevented && !reached); // the notebook would run the cell
  assert.deepEqual(model.sent, [{ kind: "correct", row: 0, text: "right\nצדק" }]);
  model.set("current", whole(1, { state: "corrected", decided: "as it is" }));
  press(card, "e");
  assert.equal(field.value, "as it is");
});

test("digits take the candidates of the table, or else of the model", () => {
  const { model, root, card } = shown({ current: whole(0, { candidates: ["output 0", "other", " "] }) });
  press(card, "2");
  press(card, "3");
  assert.deepEqual(model.sent, [{ kind: "correct", row: 0, text: "other" }]);
  model.set("current", whole(1));
  assert.equal(labelled(root, "Candidates"), null);
  model.set("details", { row: 0, tokens: [], candidates: ["late", "later"], reasons: [] }); // of the row before
  assert.equal(labelled(root, "Candidates"), null);
  model.set("details", { row: 1, tokens: [], candidates: ["output 1", "output 1", "<b>"], reasons: ["A reason."] });
  const buttons = [...labelled(root, "Candidates").querySelectorAll("button")];
  assert.deepEqual(
    buttons.map((node) => node.textContent),
    ["1output 1the output", "2<b>"],
  );
  buttons[1].click();
  assert.deepEqual(model.sent.at(-1), { kind: "correct", row: 1, text: "<b>" });
  assert.deepEqual(
    [...root.querySelectorAll("li bdi")].map((node) => node.textContent).filter((text) => text.startsWith("A ")),
    ["A reason.", "A note."],
  );
});

test("texts are texts, with hidden characters in sight, and unlikely tokens are shaded", () => {
  const { model, root } = shown({ current: whole(0, { source: "<b>\u202e", text: "a\tb" }) });
  assert.ok(root.textContent.includes("<b>⟨U+202E⟩") && root.textContent.includes("a␉b"));
  const tokens = [
    { text: "a␉", before: "", p: 0.999 },
    { text: "b", before: " ", p: 0.0002 },
    { text: "", before: "", p: 0.5, end: true },
  ];
  model.set("details", { row: 0, tokens, candidates: [], reasons: [] });
  const nodes = [...root.querySelectorAll(".ntr-token")];
  assert.deepEqual(
    nodes.map((node) => node.title),
    ["“a␉”: p = 99 %", "“b”: p = < 0.1 %", "end of the output: p = 50 %"],
  );
  assert.equal(nodes[1].style.getPropertyValue("--doubt"), "0.550");
});

test("the list holds a window and asks for more where it is scrolled to", () => {
  const { model, root } = shown();
  const list = root.querySelector('[role="listbox"]');
  assert.equal(list.querySelectorAll('[role="option"]').length, 80);
  assert.equal(list.querySelector('[aria-selected="true"]').id, list.getAttribute("aria-activedescendant"));
  list.scrollTop = 500 * 44;
  for (let time = 0; time < 3; time += 1) list.dispatchEvent(new window.Event("scroll"));
  assert.deepEqual(model.sent, [{ kind: "window", start: 460 }]); // once
  press(list, "End");
  press(list, "Home");
  assert.deepEqual(model.sent.slice(1), [
    { kind: "go", position: 999 },
    { kind: "go", position: 0 },
  ]);
  list.querySelectorAll('[role="option"]')[7].click();
  assert.deepEqual(model.sent.at(-1), { kind: "go", position: 7 });
});

test("the next row keeps the focus, and an error is an alert", async () => {
  const { model, root, card } = shown({ current: whole(0, { candidates: ["x", "y"] }) });
  labelled(root, "Candidates").querySelector("button").focus();
  model.set("current", whole(1));
  assert.equal(document.activeElement, card);
  model.set("status", { text: "Row 1 accepted.", alert: false, at: 1 });
  assert.equal(root.querySelector(':scope > [role="status"]').textContent, "Row 1 accepted.");
  model.set("status", { text: "The disk is full.", alert: true, at: 2 });
  assert.equal(root.querySelector('[role="alert"]').textContent, "The disk is full.");
  await frame();
});

test("what runs has a bar and a button that cancels it", () => {
  const { model, root } = shown();
  model.set("status", { text: "1 of 4 training rows read", alert: false, busy: true, done: 0.25, at: 1 });
  assert.equal(root.querySelector(".ntg-progress progress").value, 0.25);
  root.querySelector(".ntg-progress button").click();
  assert.deepEqual(model.sent, [{ kind: "cancel" }]);
  model.set("status", { text: "Cancelled.", alert: false, busy: false, done: 0, at: 2 });
  assert.ok(root.querySelector(".ntg-progress progress").hidden && root.querySelector(".ntg-progress button").hidden);
  assert.equal(root.querySelector(':scope > [role="status"]').textContent, "Cancelled.");
});

test("filters send their name, an empty list is a sentence, and nothing listens after the end", () => {
  const { model, root, release } = shown();
  enter(labelled(root, "Rows to list"), "all");
  assert.deepEqual(model.sent, [{ kind: "select", selection: "all" }]);
  model.set("current", {});
  model.set("window", { start: 0, count: 0, rows: [] });
  model.set("status", { text: "This list is empty.", alert: false, at: 1 });
  assert.ok(root.querySelector(".ntr-list").hidden && !root.querySelector(".ntr-empty").hidden);
  const buttons = [...root.querySelectorAll(".ntr-actions button")].map((node) => node.firstChild.textContent);
  assert.deepEqual(buttons, ["Accept", "Edit", "Skip", "Undo", "Explain", "Keys"]);
  release();
  assert.equal(model.listening(), 0);
});
