import assert from "node:assert/strict";
import { test } from "node:test";
import { fakeModel, load, press, savedFiles, show } from "./page.js";

const { button, el, keepKeys, listen, saveChart, saveFile, setText, svg, uniqueId, visible } = await load("LivePanel");

test("texts and attributes never become markup", () => {
  const node = el("div", { text: "<img src=x onerror=hit()>", title: '"><script>' }, "<b>child</b>");
  assert.equal(node.children.length, 0);
  assert.equal(node.textContent, "<img src=x onerror=hit()><b>child</b>");
  assert.equal(node.title, '"><script>');
  assert.equal(svg("text", {}, "<i>").children.length, 0);
});

test("attributes that are null, undefined or false are left out, and true is empty", () => {
  const node = el("input", { id: null, name: undefined, disabled: false, hidden: true, size: 0 });
  assert.deepEqual(node.getAttributeNames().sort(), ["hidden", "size"]);
  assert.equal(node.getAttribute("size"), "0");
  assert.equal(el("p", {}, null, "a", undefined, el("b", { text: "c" })).innerHTML, "a<b>c</b>");
});

test("control characters and invisible marks become visible", () => {
  assert.equal(visible("a\u0000b\n\u001b\u007f"), "a\u2400b\u240a\u241b\u2421");
  assert.equal(visible("\u202eevil\u2066\u200b\ufeff\u00ad"), "⟨U+202E⟩evil⟨U+2066⟩⟨U+200B⟩⟨U+FEFF⟩⟨U+00AD⟩");
  assert.equal(visible("\u009b\u2028\ud800\u{e0001}👍"), "⟨U+009B⟩⟨U+2028⟩⟨U+D800⟩⟨U+E0001⟩👍");
  assert.equal(visible("plain שלום 😀"), "plain שלום 😀");
});

test("a button calls its listener and does not submit a form", () => {
  let clicks = 0;
  const node = button("Go", () => (clicks += 1), { title: "go on" });
  node.click();
  assert.equal(clicks, 1);
  assert.equal(node.type, "button");
  assert.equal(node.className, "ntg-button");
});

test("a text that is already there is not set again", async () => {
  const node = el("p", { text: "same" });
  const child = node.firstChild;
  setText(node, "same");
  assert.equal(node.firstChild, child);
  setText(node, "other");
  assert.equal(node.textContent, "other");
});

test("keys stay in a widget, but for combinations with Control and until it is removed", () => {
  const root = el("div", {}, el("input"));
  document.body.replaceChildren(root);
  let outside = 0;
  document.body.addEventListener("keydown", () => (outside += 1));
  const release = keepKeys(root);
  press(root.firstChild, "ArrowDown");
  assert.equal(outside, 0);
  root.firstChild.dispatchEvent(new window.KeyboardEvent("keydown", { key: "s", ctrlKey: true, bubbles: true }));
  assert.equal(outside, 1);
  release();
  press(root.firstChild, "ArrowDown");
  assert.equal(outside, 2);
});

test("listeners are removed together", () => {
  const model = fakeModel({ a: 1 });
  let calls = 0;
  const release = listen(model, { "change:a": () => (calls += 1), "msg:custom": () => (calls += 10) });
  model.set("a", 2);
  model.emit("msg:custom", {});
  assert.equal(calls, 11);
  release();
  assert.equal(model.listening(), 0);
});

test("identifiers are unique and valid in selectors", () => {
  const ids = new Set(Array.from({ length: 50 }, uniqueId));
  assert.equal(ids.size, 50);
  for (const id of ids) assert.match(id, /^ntg-[a-z0-9]+$/);
});

test("a chart is saved as an SVG of its own size, dark on white, and stays as it is", async () => {
  const files = savedFiles();
  const chart = svg("svg", { viewBox: "0 0 320 200" });
  chart.append(svg("text", {}, "a < b"));
  saveChart(chart, "training.svg");
  assert.equal(files[0].name, "training.svg");
  const text = await files[0].blob.text();
  assert.match(text, /^<svg xmlns="http:\/\/www.w3.org\/2000\/svg"/);
  assert.match(text, /width="320" height="200"/);
  assert.match(text, /background: ?(#fff|rgb\(255, 255, 255\))/);
  assert.match(text, /a &lt; b/);
  assert.equal(chart.hasAttribute("width"), false);
});

test("a file gets its name", () => {
  const files = savedFiles();
  saveFile(new Blob(["<p>"], { type: "text/html" }), "explanation.html");
  assert.deepEqual(
    files.map(({ name, blob }) => [name, blob.type]),
    [["explanation.html", "text/html"]],
  );
});

test("every widget releases its listeners", async () => {
  const states = {
    Form: { sections: [], values: {}, autos: {}, errors: {}, suggestions: {}, disabled: false },
    Ranges: { fields: [], values: {}, disabled: false },
    CodeView: { pieces: [] },
    OutputsView: { columns: [], alternatives: {}, version: 0, status: "" },
    LivePanel: { state: {} },
  };
  for (const [name, state] of Object.entries(states)) {
    const model = fakeModel(state);
    const { default: widget } = await load(name);
    const { release } = show(widget, model);
    assert.ok(model.listening() > 0, name);
    release();
    assert.equal(model.listening(), 0, name);
  }
});
