import assert from "node:assert/strict";
import { test } from "node:test";
import { fakeModel, frame, load, press, savedFiles, show } from "./page.js";

const live = await load("LivePanel");
const { thin, smooth, valueRange, ticks, withNews, emptyState, figureTexts, stateText, aboutText, formatTime } = live;

const STATE = {
  name: "dates",
  about: {
    pairs: 1200,
    held_out: 100,
    parameters: 7714,
    device: "cpu",
    precision: "fp32",
    choices: { tokens: "char" },
  },
  now: {
    ended: "",
    epoch: 3,
    epochs: 20,
    step: 30,
    steps: 1200,
    loss: 1.23456,
    rate: 0.0012345,
    speed: 862.4,
    left: 75,
  },
  train: [1, 10, 20, 30].map((step) => [step, 3 - step / 15]),
  rate: [1, 10, 20, 30].map((step) => [step, step / 10000]),
  valid: [
    [10, 2.4],
    [20, 1.9],
  ],
  best: [20, 1.9],
  samples: [
    {
      source: "<b>1</b>",
      target: "one",
      outputs: [
        [1, ""],
        [2, "on"],
        [3, "oe"],
        [4, "one"],
      ],
    },
    { source: "2", target: "two", outputs: [[1, "twwo"]] },
  ],
  warnings: ["A short training set."],
  controls: { paused: false, stopping: false, rate_factor: 1, dropout: 0.3, teacher_forcing: null },
  error: "",
};

async function panel(state = STATE) {
  const model = fakeModel({ state: structuredClone(state) });
  const shown = show(live.default, model);
  await frame();
  return { model, ...shown, text: (selector) => shown.root.querySelector(selector).textContent };
}

test("a long curve loses every second point but never its last", () => {
  const points = Array.from({ length: 1201 }, (_, step) => [step, 0]);
  for (const curve of [points, points.concat([[1201, 0]])]) {
    const thinned = thin(curve);
    assert.ok(thinned.length <= 601);
    assert.deepEqual(thinned.at(-1), curve.at(-1));
  }
  assert.equal(thin(points.slice(0, 1200)).length, 1200);
});

test("smoothing has no bias at the start", () => {
  const constant = smooth(Array.from({ length: 5 }, (_, step) => [step, 7]));
  for (const [, value] of constant) assert.ok(Math.abs(value - 7) < 1e-12);
  assert.deepEqual(smooth([[4, 2.5]]), [[4, 2.5]]);
  const [, second] = smooth([
    [0, 0],
    [1, 1],
  ]);
  assert.ok(Math.abs(second[1] - 0.5 / 0.75) < 1e-12);
});

test("the range begins at zero when the values are near it, and an outlier does not stretch it", () => {
  assert.deepEqual(valueRange([]), [0, 1]);
  assert.deepEqual(valueRange([3, 3]), [2.5, 3.5]);
  assert.deepEqual(valueRange([0.2, 2]), [0, 2 + 0.05 * 1.8]);
  const [low, high] = valueRange([2, 3, NaN, Infinity]);
  assert.ok(low < 2 && low > 1.9 && high > 3 && high < 3.1);
  assert.ok(valueRange([...Array.from({ length: 200 }, () => 1 + Math.random()), 1e6])[1] < 3);
});

test("ticks are round values inside the range", () => {
  assert.deepEqual(ticks(0, 10, 5), [0, 2, 4, 6, 8, 10]);
  assert.deepEqual(ticks(0, 73, 3), [0, 25, 50]);
  assert.deepEqual(ticks(1.1, 2.3, 5), [1.25, 1.5, 1.75, 2, 2.25]);
  for (const [low, high] of [
    [0, 1e-6],
    [0.013, 0.27],
    [2, 9e9],
  ]) {
    const values = ticks(low, high, 5);
    assert.ok(values.length >= 2 && values.length <= 8, `${values}`);
    const tolerance = 1e-8 * (high - low);
    assert.ok(values[0] >= low - tolerance && values.at(-1) <= high + tolerance);
  }
});

test("news add points to the curves and replace the rest", () => {
  const state = withNews(
    { ...emptyState(), train: [[1, 5]], now: { step: 1, loss: 5 } },
    {
      add: { train: [[2, 4]], best: [2, 4], warnings: ["w"] },
      now: { step: 2 },
    },
  );
  assert.deepEqual(state.train, [
    [1, 5],
    [2, 4],
  ]);
  assert.deepEqual([state.best, state.warnings, state.valid], [[2, 4], ["w"], []]);
  assert.deepEqual(state.now, { step: 2, loss: 5 });
  assert.deepEqual(withNews(state, { controls: { paused: true } }).controls, { paused: true });
});

test("figures are written with as many digits as they deserve", () => {
  assert.deepEqual(figureTexts(STATE.now), {
    epoch: "3 / 20",
    update: "30 / 1,200",
    "training loss": "1.235",
    "validation loss": "",
    task: "",
    "learning rate": "0.00123",
    "tokens/s": "862",
    elapsed: "",
    "time left": "1:15",
    memory: "",
  });
  assert.equal(figureTexts({ epoch: 3, epochs: null }).epoch, "3");
  assert.equal(figureTexts({ ended: "time", left: 4 })["time left"], "");
  assert.deepEqual([0, 59.9, 60, 3599, 3600, 36061].map(formatTime), [
    "0:00",
    "0:59",
    "1:00",
    "59:59",
    "1:00:00",
    "10:01:01",
  ]);
});

test("a number beside an axis is never wider than its place", () => {
  const numbers = [0, 0.5, 0.0015, 0.00015, 5e-5, 12, 1200];
  assert.deepEqual(numbers.map(live.formatTick), ["0", "0.5", "0.0015", "1.5e-4", "5e-5", "12", "1200"]);
});

test("the state is named in words", () => {
  const of = (now, controls = {}, error = "") => stateText({ now, controls, error });
  assert.equal(of({}), "preparing…");
  assert.equal(of({ step: 1 }), "training");
  assert.equal(of({ step: 1 }, { paused: true }), "paused");
  assert.equal(of({ step: 1 }, { paused: true, stopping: true }), "stopping…");
  assert.equal(of({ ended: "time", seconds: 61 }), "time limit reached after 1:01");
  assert.equal(of({ ended: "interrupted", seconds: 61 }), "stopped after 1:01; the best model is kept");
  assert.equal(of({ ended: "failed" }, {}, "no \u202e memory"), "failed: no ⟨U+202E⟩ memory");
  assert.equal(
    aboutText(STATE.about),
    "1,200 pairs, 100 held out; 7,714 parameters; cpu, fp32; chosen from the data: tokens=char",
  );
  assert.equal(aboutText({}), "");
});

test("the panel shows the state, the curves and the samples as text", async () => {
  const { root, text } = await panel();
  assert.equal(text(".ntg-live-name"), "dates");
  assert.equal(root.querySelectorAll("polyline").length, 4);
  assert.equal(root.querySelectorAll("circle").length, 2);
  assert.equal(root.querySelectorAll("polygon").length, 1);
  const [first, second] = root.querySelectorAll("tbody tr");
  assert.equal(first.querySelector("b"), null);
  assert.deepEqual(
    [...first.cells].map((cell) => cell.firstChild.textContent),
    ["<b>1</b>", "one", "one ✓"],
  );
  assert.deepEqual(
    [...first.querySelectorAll(".ntg-live-earlier")].map((node) => node.textContent),
    ["update 3: oe", "update 2: on"],
  );
  assert.equal(second.querySelector(".ntg-live-correct"), null);
  assert.equal(root.querySelector("[role=progressbar]").getAttribute("aria-valuenow"), "3");
  assert.equal(text(".ntg-live-legend").includes("best so far"), true);
  assert.deepEqual(
    [...root.querySelectorAll("th")].map((node) => node.textContent),
    ["validation input", "reference", "prediction"],
  );
});

test("points keep their order on the axes and stay inside the chart", async () => {
  const { root } = await panel();
  const places = root
    .querySelectorAll("polyline")[0]
    .getAttribute("points")
    .split(" ")
    .map((pair) => pair.split(",").map(Number));
  for (const [index, [x, y]] of places.entries()) {
    assert.ok(x >= 48 && x <= 630 && y >= 18 && y <= 208, `${x},${y}`);
    if (index) assert.ok(x > places[index - 1][0] && y > places[index - 1][1], "the loss falls");
  }
});

test("arrow keys read values, and Escape ends that", async () => {
  const { root, text } = await panel();
  const chart = root.querySelector("svg");
  assert.ok(root.querySelector(".ntg-live-tip").hidden);
  assert.ok(press(chart, "ArrowRight").defaultPrevented);
  await frame();
  assert.equal(text(".ntg-live-tip").split("\n")[0], "update 1");
  assert.match(text(".ntg-live-tip"), /validation 2\.4000 \(update 10\)/);
  for (let presses = 0; presses < 60; presses += 1) press(chart, "ArrowRight");
  await frame();
  assert.equal(text(".ntg-live-tip").split("\n")[0], "update 30");
  press(chart, "Escape");
  await frame();
  assert.ok(root.querySelector(".ntg-live-tip").hidden);
});

test("buttons send actions, and a pause turns into Resume", async () => {
  const { model, root } = await panel();
  const [pause, stop] = root.querySelectorAll("button");
  pause.click();
  model.emit("msg:custom", { acknowledged: "pause", controls: { ...STATE.controls, paused: true } });
  await frame();
  assert.equal(pause.textContent, "Resume");
  pause.click();
  stop.click();
  assert.deepEqual(
    model.sent.map(({ action }) => action),
    ["ping", "pause", "resume", "stop"],
  );
  model.emit("msg:custom", { acknowledged: "stop", controls: { ...STATE.controls, stopping: true } });
  await frame();
  assert.ok(pause.disabled && stop.disabled);
});

test("a slider sends its last value once, and messages do not move it while it is in use", async () => {
  const { model, root } = await panel();
  const [rate, dropout, forcing] = root.querySelectorAll("input[type=range]");
  assert.ok(forcing.parentElement.hidden, "teacher forcing is not set");
  assert.deepEqual([rate.value, rate.getAttribute("aria-valuetext")], ["0", "× 1"]);
  model.sent.length = 0;
  for (const value of ["-1", "-2", "-3"]) {
    rate.value = value;
    rate.dispatchEvent(new window.Event("input"));
  }
  await new Promise((resolve) => setTimeout(resolve, 250));
  assert.deepEqual(model.sent, [{ action: "rate_factor", value: 0.125 }]);
  model.emit("msg:custom", { controls: { ...STATE.controls, dropout: 0.55 } });
  await frame();
  assert.deepEqual([rate.value, dropout.value], ["-3", "0.55"]);
});

test("a panel whose messages the kernel does not read says so, until there is an answer", async (context) => {
  const timers = [];
  let now = 1000;
  context.mock.method(performance, "now", () => now);
  context.mock.method(globalThis, "setInterval", (callback) => timers.push(callback));
  const timeouts = context.mock.method(globalThis, "setTimeout", () => 0);
  const pass = () => {
    now += 2600;
    for (const callback of [...timeouts.mock.calls.map((call) => call.arguments[0]), ...timers]) callback();
  };
  const model = fakeModel({ state: structuredClone(STATE) });
  const { root } = show(live.default, model);
  const notice = root.querySelector(".ntg-live-note");
  assert.deepEqual(model.sent, [{ action: "ping" }]);
  assert.equal(notice.textContent, "");
  pass();
  assert.match(notice.textContent, /interrupt button/);
  model.emit("msg:custom", { acknowledged: "ping" });
  const sent = model.sent.length;
  pass();
  assert.equal(notice.textContent, "");
  assert.equal(model.sent.length, sent, "after an answer, nothing more is asked");
});

test("what was changed by hand is marked, told and can be undone", async () => {
  const changes = [
    [10, "dropout 0.3"],
    [20, "dropout 0.9"],
  ];
  const about = { ...STATE.about, configured: { dropout: 0.1 } };
  const { root, model } = await panel({ ...STATE, about, changes });
  const [, note] = root.querySelectorAll(".ntg-live-note");
  assert.match(note.textContent, /^Since update 20: dropout 0\.9\. .* not comparable\. Undo$/);
  const marks = [...root.querySelectorAll("svg g text")].map((node) => node.textContent);
  assert.deepEqual(marks, ["dropout 0.3", "dropout 0.9"]);
  note.querySelector("button").click();
  assert.deepEqual(model.sent.at(-1), { action: "undo" });
  const controls = { ...STATE.controls, dropout: 0.1 };
  model.emit("msg:custom", { controls, add: { changes: [...changes, [30, "dropout as configured"]] } });
  await frame();
  assert.ok(note.hidden, "nothing is left to undo");
  assert.equal(root.querySelector("input[aria-label=Dropout]").value, "0.1");
});

test("the metric of the task has a tile, a strip of the chart and a line of the legend", async () => {
  const now = { ...STATE.now, seconds: 65, task: 62.5, task_name: "exact match", task_pairs: 32 };
  const task = [
    [10, 0],
    [20, 62.5],
  ];
  const { root, text } = await panel({ ...STATE, now, task });
  const tiles = [...root.querySelectorAll(".ntg-live-figures > div")].map((node) => node.textContent);
  assert.ok(tiles.includes("exact match (32 inputs)63 %") && tiles.includes("elapsed1:05"), `${tiles}`);
  const many = await panel({ ...STATE, now: { ...now, task: 99.84, task_pairs: 2000 }, task });
  assert.match(many.root.querySelector(".ntg-live-figures").textContent, /exact match \(2,000 inputs\)99\.8 %/);
  assert.ok(text(".ntg-live-legend").includes("exact match"));
  assert.ok([...root.querySelectorAll("svg text")].some((node) => node.textContent === "exact match (%)"));
  assert.equal(root.querySelectorAll("polyline").length, 5);
});

test("losses that differ tenfold are on a logarithmic axis", async () => {
  const valid = [
    [10, 2.4],
    [20, 0.02],
  ];
  const { root } = await panel({ ...STATE, valid });
  const texts = [...root.querySelectorAll("svg text")].map((node) => node.textContent);
  assert.ok(texts.includes("loss (nats per token, logarithmic)") && texts.includes("0.1"), `${texts}`);
});

test("after the end there is nothing to steer", async () => {
  const { root, text, model } = await panel({ ...STATE, now: { ...STATE.now, ended: "early", seconds: 90 } });
  assert.equal(text(".ntg-live-state"), "stopped early: no improvement after 1:30");
  assert.equal(root.querySelector("[role=progressbar]").getAttribute("aria-valuenow"), "100");
  assert.match(text(".ntg-live-legend"), /best$/);
  assert.ok(root.querySelector(".ntg-live-sliders").hidden);
  assert.deepEqual(model.sent, []);
});

test("the saved chart has its legend and colours of its own", async () => {
  const files = savedFiles();
  const { root } = await panel();
  [...root.querySelectorAll("button")].find((node) => node.textContent === "SVG").click();
  const text = await files[0].blob.text();
  assert.equal(files[0].name, "training.svg");
  assert.ok(!text.includes("var("), "no colour of the theme is left");
  for (const name of ["training loss (thin: as measured)", "validation loss", "learning rate", "best so far"]) {
    assert.ok(text.includes(`>${name}</text>`), name);
  }
  assert.match(text, /#d9730d/);
});
