import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { fakeModel, load } from "./page.js";

const { default: widget } = await load("ExplainButtons");
const closers = [];
afterEach(() => closers.splice(0).forEach((close) => close()));

/** Two tables of texts with the buttons of one kernel, and one of another kernel. */
function texts() {
  const table = (...values) =>
    `<div><table>${values.map((value) => `<tr><td><button class="ntg-explain" value="${value}"></button></td></tr>`)}</table></div>`;
  document.body.innerHTML = table("abc.1", "abc.2") + table("abc.3", "xyz.1");
  const model = fakeModel({ token: "abc" });
  model.alive = true;
  model.widget_manager = {
    get_model: async (id) => ({ id, comm_live: model.alive }),
    create_view: async ({ id }) => ({
      el: Object.assign(document.createElement("p"), { textContent: `view of ${id}` }),
    }),
  };
  closers.push(widget.initialize({ model }));
  const [first, second, third, foreign] = document.querySelectorAll("button");
  return { model, first, second, third, foreign };
}

const settle = () => new Promise((resolve) => setTimeout(resolve, 0));
const places = () => [...document.querySelectorAll(".ntg-explanation")].map((node) => node.textContent);

test("an explanation opens below its texts and closes again", async () => {
  const { model, first } = texts();
  first.click();
  assert.deepEqual(model.sent, [{ explain: 1 }]);
  assert.deepEqual(places(), ["Explaining …"]);
  assert.equal(first.getAttribute("aria-expanded"), "true");
  model.emit("msg:custom", { explain: 1, panel: "p1" });
  await settle();
  assert.deepEqual(places(), ["view of p1"]);
  first.click();
  assert.deepEqual(places(), []);
  assert.deepEqual(model.sent.at(-1), { close: "p1" });
});

test("one explanation is open below the same texts, and those of others stay", async () => {
  const { model, first, second, third } = texts();
  third.click();
  first.click();
  model.emit("msg:custom", { explain: 3, panel: "p3" });
  model.emit("msg:custom", { explain: 1, panel: "p1" });
  await settle();
  second.click();
  assert.deepEqual(places(), ["Explaining …", "view of p3"]);
  assert.equal(first.getAttribute("aria-expanded"), "false");
});

test("an answer that comes too late closes its panel, and an error is shown as text", async () => {
  const { model, first, second } = texts();
  first.click();
  first.click();
  model.emit("msg:custom", { explain: 1, panel: "p1" });
  assert.deepEqual(model.sent.at(-1), { close: "p1" });
  second.click();
  model.emit("msg:custom", { explain: 2, error: "The <model> is gone." });
  await settle();
  assert.equal(document.querySelector("[role=alert]").textContent, "The <model> is gone.");
});

test("buttons of other kernels are left alone", () => {
  const { model, foreign } = texts();
  foreign.click();
  assert.deepEqual(model.sent, []);
  assert.match(document.head.querySelector("style").textContent, /\[value\^="abc\."\]/);
});

test("buttons and explanations go with their kernel", async () => {
  const { model, first } = texts();
  first.click();
  model.alive = false;
  model.emit("comm_live_update");
  await settle();
  assert.deepEqual(places(), []);
  assert.equal(document.head.querySelector("style").sheet?.disabled ?? true, true);
});
