// The figures, the state and the samples of a training, as texts.

const REASONS = {
  finished: "finished",
  interrupted: "stopped; the best model is kept",
  early: "stopped early: no improvement",
  time: "the time given is used up",
  diverged: "stopped: the loss is no longer a number",
  failed: "failed",
};

function show(view, data) {
  const { now, controls } = data;
  const over = Boolean(now.ended);
  say(view.name, visible(data.name));
  say(view.state, stateOf(data));
  say(view.pause, controls.paused ? "Resume" : "Pause");
  view.pause.disabled = view.stop.disabled = over || Boolean(controls.stopping);
  view.sliderBox.hidden = over;
  for (const [name, one] of Object.entries(view.sliders)) one.set(controls[name]);
  const share = now.steps ? Math.min(100, (100 * now.step) / now.steps) : 0;
  view.done.style.width = `${share}%`;
  view.bar.setAttribute("aria-valuenow", share.toFixed(0));
  const figures = {
    epoch: now.epochs ? `${count(now.epoch)} / ${count(now.epochs)}` : now.epoch ? count(now.epoch) : "",
    update: now.steps ? `${count(now.step)} / ${count(now.steps)}` : "",
    "training loss": fixed(now.loss, 3),
    "validation loss": fixed(now.valid, 4),
    "learning rate": short(now.rate),
    "tokens/s": now.speed ? count(Math.round(now.speed)) : "",
    "time left": over || now.left === undefined ? "" : clock(now.left),
    memory: now.memory ? `${(now.memory / 1e6).toFixed(0)} MB` : "",
  };
  for (const [name, text] of Object.entries(figures)) say(view.figures[name], text || "\u2013");
  say(view.notes, data.warnings.map(visible).join("\n"));
  say(view.about, visible(aboutOf(data.about)));
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
  view.table.hidden = !samples.length;
  const heads = ["held-out source", "wanted", "written now"].map((text) => el("th", { scope: "col", text }));
  const rows = samples.map(({ source, target, outputs }) => {
    const [, last] = outputs.at(-1);
    const right = last === target;
    const earlier = outputs.slice(0, -1).reverse().slice(0, 2);
    return el(
      "tr",
      {},
      ...[source, target].map((text) => el("td", {}, el("bdi", { text: visible(text) }))),
      el(
        "td",
        {},
        el("bdi", { class: right ? "ntg-live-right" : null, text: visible(last) + (right ? " \u2713" : "") }),
        ...earlier.map(([epoch, text]) => el("div", { class: "ntg-live-earlier" }, `epoch ${epoch}: `, el("bdi", { text: visible(text) })))
      )
    );
  });
  view.table.replaceChildren(el("thead", {}, el("tr", {}, ...heads)), el("tbody", {}, ...rows));
  // A text that scrolls must be reachable by keyboard.
  for (const text of view.table.querySelectorAll("bdi")) if (text.scrollHeight > text.clientHeight + 1) text.tabIndex = 0;
}

function announce(view, data) {
  say(view.live, `Epoch ${data.now.epoch}: validation loss ${fixed(data.now.valid, 3)}`);
}

// Texts ---------------------------------------------------------------------------------------------------------

const count = (value) => (Math.round(value) || 0).toLocaleString("en");
const fixed = (value, digits) => (Number.isFinite(value) ? value.toFixed(digits) : "");
const short = (value) => (Number.isFinite(value) ? String(Number(value.toPrecision(3))) : "");

function clock(seconds) {
  const [whole, pad] = [Math.floor(seconds), (value) => String(value).padStart(2, "0")];
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours ? `${hours}:${pad(minutes)}:${pad(whole % 60)}` : `${minutes}:${pad(whole % 60)}`;
}
