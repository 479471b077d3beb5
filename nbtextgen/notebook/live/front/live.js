// The live training panel: draws what the kernel tells, and tells the kernel what the user does.
// All text is set as text, never as markup.

const MOST = 1200; // points kept of a curve; beyond that every second one is dropped
const SMOOTHING = 0.8;
const DEAF = 2500; // milliseconds without an answer after which the kernel is taken not to listen
const REASONS = {
  finished: "finished",
  interrupted: "stopped; the best model is kept",
  early: "stopped early: no improvement",
  time: "the time given is used up",
  diverged: "stopped: the loss is no longer a number",
  failed: "failed",
};

export default { render };

function render({ model, el }) {
  const view = build(el);
  let data = empty();
  let planned = 0;
  let hovered = null;
  let heardAt = 0;
  let askedAt = 0;

  const draw = () => {
    if (planned) return;
    planned = requestAnimationFrame(() => {
      planned = 0;
      show(view, data);
      plot(view, data, hovered);
      showDeaf();
    });
  };
  const tell = (what, value) => {
    if (askedAt <= heardAt) askedAt = performance.now(); // the oldest call that was not answered
    model.send({ do: what, value });
    setTimeout(showDeaf, DEAF + 50);
  };
  const showDeaf = () => {
    const waiting = askedAt > heardAt && performance.now() - askedAt > DEAF && !data.now.ended;
    const text = waiting
      ? "The kernel hears nothing from this panel while the cell runs. The notebook's interrupt button (\u25A0) does what Stop does: " +
        "it ends the training and keeps the best model."
      : "";
    if (view.deaf.textContent !== text) view.deaf.textContent = text;
  };
  const load = () => {
    const state = model.get("state");
    if (!state || !state.now) return;
    data = { ...empty(), ...state };
    draw();
  };
  const onMessage = (message) => {
    if (message.heard) heardAt = performance.now();
    if (message.controls) data.controls = message.controls;
    if (message.now) data.now = { ...data.now, ...message.now };
    const added = message.add ?? {};
    for (const name of ["train", "rate", "valid"]) {
      data[name] = thinned([...data[name], ...(added[name] ?? [])]);
    }
    for (const name of ["best", "samples", "warnings"]) if (added[name]) data[name] = added[name];
    if (added.valid) announce(view, data);
    draw();
  };

  view.stop.onclick = () => tell("stop");
  view.pause.onclick = () => tell(data.controls.paused ? "resume" : "pause");
  for (const slider of Object.values(view.sliders)) slider.listen(tell);
  const point = (x) => {
    hovered = x;
    draw();
  };
  view.svg.onpointermove = (event) => {
    const box = view.svg.getBoundingClientRect();
    point(((event.clientX - box.left) / box.width) * view.width);
  };
  view.svg.onpointerleave = () => point(null);
  view.svg.onblur = () => point(null);
  view.svg.onkeydown = (event) => {
    const step = { ArrowLeft: -12, ArrowRight: 12 }[event.key];
    if (!step) return;
    event.preventDefault();
    point(Math.min(Math.max((hovered ?? LEFT) + step, LEFT), view.width - RIGHT));
  };

  model.on("msg:custom", onMessage);
  model.on("change:state", load);
  const size = new ResizeObserver(draw);
  size.observe(el);
  load();
  const ask = () => !data.now.ended && heardAt <= askedAt && tell("hello");
  ask();
  const asking = setInterval(ask, DEAF);
  return () => {
    clearInterval(asking);
    model.off("msg:custom", onMessage);
    model.off("change:state", load);
    size.disconnect();
    cancelAnimationFrame(planned);
  };
}

function empty() {
  return { name: "", about: {}, now: {}, train: [], rate: [], valid: [], best: null, samples: [], warnings: [], controls: {}, error: "" };
}

function thinned(points) {
  return points.length <= MOST ? points : points.filter((_, at) => at % 2 === points.length % 2);
}

// Building ------------------------------------------------------------------------------------------------------

function make(tag, name, parent, text) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (text !== undefined) made.textContent = text;
  parent?.append(made);
  return made;
}

function build(el) {
  const root = make("section", "ntg-live", el);
  root.setAttribute("aria-label", "Training");
  // Keys pressed in our controls are theirs: JupyterLab would take the arrows for the notebook's own commands.
  root.onkeydown = (event) => !event.ctrlKey && !event.metaKey && event.stopPropagation();
  const head = make("div", "ntg-live-head", root);
  const view = { root, name: make("span", "ntg-live-name", head), state: make("span", "ntg-live-state", head) };
  const buttons = make("div", "ntg-live-buttons", head);
  view.pause = make("button", "", buttons, "Pause");
  view.stop = make("button", "", buttons, "Stop");
  view.stop.title = "End now and keep the best model so far";
  view.pause.type = view.stop.type = "button";
  const bar = make("div", "ntg-live-bar", root);
  bar.setAttribute("role", "progressbar");
  bar.setAttribute("aria-label", "Updates done");
  bar.setAttribute("aria-valuemin", "0");
  bar.setAttribute("aria-valuemax", "100");
  view.bar = bar;
  view.done = make("div", "", bar);
  view.deaf = make("div", "ntg-live-note", root);
  view.deaf.setAttribute("role", "status");
  const figures = make("div", "ntg-live-figures", root);
  view.figures = {};
  for (const name of ["epoch", "update", "training loss", "validation loss", "learning rate", "tokens/s", "time left", "memory"]) {
    const box = make("div", "", figures);
    make("div", "ntg-live-what", box, name);
    view.figures[name] = make("div", "ntg-live-figure", box, "\u2013");
  }
  const chart = make("div", "ntg-live-chart", root);
  view.chart = chart;
  view.svg = svg("svg", { tabindex: 0, role: "img", "aria-label": "Loss and learning rate by update; arrow keys read values" }, chart);
  view.tip = make("div", "ntg-live-tip", chart);
  view.tip.hidden = true;
  const legend = make("div", "ntg-live-legend", root);
  for (const [name, color, dash, kind] of [
    ["training loss", "train", "solid", ""],
    ["validation loss", "valid", "dashed", ""],
    ["learning rate (lower strip)", "muted", "solid", ""],
    ["best so far", "best", "solid", "ntg-live-best"],
  ]) {
    const entry = make("span", kind, legend, name);
    entry.style.setProperty("--color", `var(--ntg-${color})`);
    entry.style.setProperty("--dash", dash);
  }
  const sliders = make("div", "ntg-live-sliders", root);
  sliders.setAttribute("role", "group");
  sliders.setAttribute("aria-label", "Change the running model");
  view.sliders = {
    rate_factor: slider(sliders, "Learning rate", -6, 4, 0.25, Math.log2, (value) => 2 ** value, (value) => `\u00D7 ${short(value)}`),
    dropout: slider(sliders, "Dropout", 0, 0.9, 0.01, Number, Number, (value) => value.toFixed(2)),
    teacher_forcing: slider(sliders, "Teacher forcing", 0, 1, 0.01, Number, Number, (value) => value.toFixed(2)),
  };
  view.sliderBox = sliders;
  for (const [name, one] of Object.entries(view.sliders)) one.name = name;
  view.notes = make("div", "ntg-live-note", root);
  const scroll = make("div", "ntg-live-scroll", root);
  view.table = make("table", "", scroll);
  view.about = make("div", "ntg-live-about", root);
  view.live = make("div", "ntg-live-hidden", root);
  view.live.setAttribute("role", "status");
  return view;
}

function slider(parent, title, low, high, step, inward, outward, said) {
  const label = make("div", "ntg-live-slider", parent);
  make("span", "", label, title);
  const output = make("span", "ntg-live-value", label);
  const input = make("input", "", label);
  Object.assign(input, { type: "range", min: low, max: high, step });
  input.setAttribute("aria-label", title);
  const say = (text) => {
    set(output, text);
    input.setAttribute("aria-valuetext", text);
  };
  let last = 0;
  let timer = 0;
  let held = -Infinity;
  const one = {
    input,
    listen(tell) {
      const send = () => {
        last = performance.now();
        tell(one.name, outward(Number(input.value)));
      };
      input.oninput = () => {
        held = performance.now();
        say(said(outward(Number(input.value))));
        clearTimeout(timer);
        timer = setTimeout(send, Math.max(0, 150 - (performance.now() - last)));
      };
    },
    set(value) {
      label.hidden = value === undefined || value === null;
      if (label.hidden || performance.now() - held < 1500) return; // the user's hand wins over an older message
      input.value = inward(value);
      say(said(value));
    },
  };
  return one;
}

// Figures and samples -------------------------------------------------------------------------------------------

function show(view, data) {
  const { now, controls } = data;
  const over = Boolean(now.ended);
  set(view.name, data.name);
  set(view.state, stateOf(data));
  set(view.pause, controls.paused ? "Resume" : "Pause");
  view.pause.disabled = view.stop.disabled = over || Boolean(controls.stopping);
  view.sliderBox.hidden = over;
  for (const [name, one] of Object.entries(view.sliders)) one.set(controls[name]);
  const share = now.steps ? Math.min(100, (100 * now.step) / now.steps) : 0;
  view.done.style.width = `${share}%`;
  view.bar.setAttribute("aria-valuenow", share.toFixed(0));
  const figures = {
    epoch: now.epochs ? `${count(now.epoch)} / ${count(now.epochs)}` : "",
    update: now.steps ? `${count(now.step)} / ${count(now.steps)}` : "",
    "training loss": fixed(now.loss, 3),
    "validation loss": fixed(now.valid, 4),
    "learning rate": short(now.rate),
    "tokens/s": now.speed ? count(Math.round(now.speed)) : "",
    "time left": over || now.left === undefined ? "" : clock(now.left),
    memory: now.memory ? `${(now.memory / 1e6).toFixed(0)} MB` : "",
  };
  for (const [name, text] of Object.entries(figures)) set(view.figures[name], text || "\u2013");
  set(view.notes, data.warnings.map(visible).join("\n"));
  set(view.about, aboutOf(data.about));
  showSamples(view, data.samples);
}

function stateOf({ now, controls, error }) {
  if (error) return `failed: ${visible(error)}`;
  if (now.ended) return `${REASONS[now.ended] ?? now.ended} after ${clock(now.seconds ?? 0)}`;
  if (controls.stopping) return "stopping\u2026";
  if (controls.paused) return "paused";
  return now.step ? "training" : "preparing\u2026";
}

function aboutOf(about) {
  if (!about.pairs) return "";
  const choices = Object.entries(about.choices ?? {}).map(([name, value]) => `${name}=${value}`);
  const chosen = choices.length ? `; chosen from the data: ${choices.join(", ")}` : "";
  return `${count(about.pairs)} pairs, ${count(about.held_out)} held out; ${count(about.parameters)} parameters; ${about.device}, ${about.precision}${chosen}`;
}

function showSamples(view, samples) {
  const key = JSON.stringify(samples);
  if (view.samplesKey === key) return;
  view.samplesKey = key;
  view.table.replaceChildren();
  if (!samples.length) return;
  const head = make("tr", "", make("thead", "", view.table));
  for (const name of ["held-out source", "wanted", "written now"]) make("th", "", head, name).scope = "col";
  const body = make("tbody", "", view.table);
  for (const { source, target, outputs } of samples) {
    const row = make("tr", "", body);
    for (const text of [source, target]) make("bdi", "", make("td", "", row), visible(text));
    const cell = make("td", "", row);
    const [, last] = outputs[outputs.length - 1];
    make("bdi", last === target ? "ntg-live-right" : "", cell, visible(last) + (last === target ? " \u2713" : ""));
    for (const [epoch, text] of outputs.slice(0, -1).reverse().slice(0, 2)) {
      const line = make("div", "ntg-live-earlier", cell, `epoch ${epoch}: `);
      make("bdi", "", line, visible(text)).style.display = "inline";
    }
  }
}

function announce(view, data) {
  set(view.live, `Epoch ${data.now.epoch}: validation loss ${fixed(data.now.valid, 3)}`);
}

// The chart -----------------------------------------------------------------------------------------------------

const [LEFT, RIGHT, TOP, HEIGHT, STRIP, GAP] = [48, 10, 8, 190, 36, 14];

function svg(tag, attributes, parent) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  parent?.append(made);
  return made;
}

function plot(view, data, hovered) {
  const width = (view.width = Math.max(240, view.chart.clientWidth));
  const total = TOP + HEIGHT + GAP + STRIP + 18;
  view.svg.setAttribute("viewBox", `0 0 ${width} ${total}`);
  view.svg.style.height = `${total}px`;
  const parts = document.createDocumentFragment();
  const smooth = smoothed(data.train);
  const last = Math.max(1, data.now.step ?? 1, data.valid.at(-1)?.[0] ?? 1);
  const [low, high] = span([...smooth, ...data.valid, ...data.train].map((point) => point[1]));
  const x = (value) => LEFT + (value / last) * (width - LEFT - RIGHT);
  const y = (value) => TOP + ((high - Math.min(Math.max(value, low), high)) / (high - low)) * HEIGHT;
  axes(parts, { x, y, low, high, last, width });
  curve(parts, data.train, x, y, { stroke: "var(--ntg-train)", "stroke-opacity": 0.3 });
  curve(parts, smooth, x, y, { stroke: "var(--ntg-train)", "stroke-width": 2 });
  curve(parts, data.valid, x, y, { stroke: "var(--ntg-valid)", "stroke-width": 2, "stroke-dasharray": "6 3" });
  if (data.valid.length <= 60) {
    for (const [at, loss] of data.valid) svg("circle", { cx: x(at), cy: y(loss), r: 2.5, fill: "var(--ntg-valid)" }, parts);
  }
  const floor = TOP + HEIGHT + GAP + STRIP;
  const top = Math.max(1e-12, ...data.rate.map((point) => point[1]));
  curve(parts, data.rate, x, (value) => floor - (value / top) * STRIP, { stroke: "var(--ntg-muted)" });
  if (data.best) star(parts, x(data.best[0]), y(data.best[1]));
  view.tip.hidden = hovered === null || !data.train.length;
  if (!view.tip.hidden) tip(view, parts, data, smooth, Math.min(Math.max(((hovered - LEFT) / (width - LEFT - RIGHT)) * last, 0), last), x);
  view.svg.replaceChildren(parts);
}

function axes(parts, { x, y, low, high, last, width }) {
  for (const value of ticks(low, high, 5)) {
    svg("path", { d: `M${LEFT} ${y(value)}H${width - RIGHT}`, stroke: "var(--ntg-line)", "stroke-opacity": 0.5 }, parts);
    svg("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, parts).textContent = short(value);
  }
  const base = TOP + HEIGHT + GAP + STRIP;
  svg("path", { d: `M${LEFT} ${TOP}V${TOP + HEIGHT}H${width - RIGHT}M${LEFT} ${base}H${width - RIGHT}`, fill: "none", stroke: "var(--ntg-line)" }, parts);
  const places = ticks(0, last, Math.max(2, Math.floor(width / 110))).filter(Number.isInteger);
  for (const value of places) {
    const anchor = value === 0 ? "start" : "middle";
    svg("text", { x: x(value), y: base + 14, "text-anchor": anchor }, parts).textContent = count(value);
  }
}

function curve(parts, points, x, y, look) {
  const path = points.filter((point) => Number.isFinite(point[1])).map(([at, value]) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`);
  svg("polyline", { points: path.join(" "), fill: "none", "stroke-linejoin": "round", ...look }, parts);
}

function star(parts, x, y) {
  const tips = Array.from({ length: 10 }, (_, at) => {
    const [radius, angle] = [at % 2 ? 3.2 : 7.5, Math.PI * (at / 5 - 0.5)];
    return `${(x + radius * Math.cos(angle)).toFixed(1)},${(y + radius * Math.sin(angle)).toFixed(1)}`;
  });
  svg("polygon", { points: tips.join(" "), fill: "var(--ntg-best)", stroke: "var(--ntg-field)" }, parts);
}

function tip(view, parts, data, smooth, at, x) {
  const nearest = (points) => points.reduce((best, point) => (Math.abs(point[0] - at) < Math.abs(best[0] - at) ? point : best));
  const train = nearest(smooth);
  const place = x(train[0]);
  svg("path", { d: `M${place} ${TOP}V${TOP + HEIGHT + GAP + STRIP}`, stroke: "var(--ntg-muted)", "stroke-dasharray": "2 2" }, parts);
  const lines = [`update ${count(train[0])}`, `training ${fixed(train[1], 3)}`];
  if (data.valid.length) {
    const [step, loss] = nearest(data.valid);
    lines.push(`validation ${fixed(loss, 4)} (update ${count(step)})`);
  }
  if (data.rate.length) lines.push(`learning rate ${short(nearest(data.rate)[1])}`);
  set(view.tip, lines.join("\n"));
  const right = place > view.width / 2;
  view.tip.style.left = right ? "auto" : `${place + 10}px`;
  view.tip.style.right = right ? `${view.width - place + 10}px` : "auto";
}

function smoothed(points) {
  let mean = 0;
  return points.map(([at, value], number) => {
    mean = SMOOTHING * mean + (1 - SMOOTHING) * value;
    return [at, mean / (1 - SMOOTHING ** (number + 1))];
  });
}

function span(values) {
  const ordered = values.filter(Number.isFinite).sort((one, other) => one - other);
  if (!ordered.length) return [0, 1];
  let low = ordered[0];
  const high = ordered[Math.min(ordered.length - 1, Math.ceil(ordered.length * 0.98))];
  if (low >= 0 && low < 0.4 * high) low = 0;
  return high > low ? [low, high + 0.05 * (high - low)] : [low - 0.5, low + 0.5];
}

function ticks(low, high, wanted) {
  const raw = (high - low) / wanted;
  const size = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * size).find((one) => one >= raw * 0.999);
  const found = [];
  for (let at = Math.ceil(low / step - 1e-9); at * step <= high + 1e-9 * step; at += 1) found.push(at * step);
  return found;
}

// Text ----------------------------------------------------------------------------------------------------------

function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

const count = (value) => (Math.round(value) || 0).toLocaleString("en");
const fixed = (value, digits) => (Number.isFinite(value) ? value.toFixed(digits) : "");
const short = (value) => (Number.isFinite(value) ? String(Number(value.toPrecision(3))) : "");

function clock(seconds) {
  const [whole, pad] = [Math.floor(seconds), (value) => String(value).padStart(2, "0")];
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours ? `${hours}:${pad(minutes)}:${pad(whole % 60)}` : `${minutes}:${pad(whole % 60)}`;
}

function visible(text) {
  return text
    .replace(/[\u0000-\u001f]/g, (one) => String.fromCharCode(0x2400 + one.charCodeAt(0)))
    .replace(/\u007f/g, "\u2421")
    .replace(/[\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff\u00ad]/g, (one) => `\u27e8U+${one.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}\u27e9`);
}
