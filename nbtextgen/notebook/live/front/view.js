// The parts of the live panel, made once.

const NARROWEST = 240; // pixels that a chart is drawn for at least
const FIGURES = ["epoch", "update", "training loss", "validation loss", "learning rate", "tokens/s", "time left", "memory"];

function build(place) {
  const view = { name: el("span", { class: "ntg-live-name" }), state: el("span", { class: "ntg-live-state" }) };
  view.pause = button("Pause", null);
  view.stop = button("Stop", null, { title: "End now and keep the best model so far" });
  view.done = el("div");
  view.bar = el("div", { class: "ntg-live-bar", role: "progressbar", "aria-label": "Updates done", "aria-valuemin": 0, "aria-valuemax": 100 }, view.done);
  view.deaf = el("div", { class: "ntg-live-note", role: "status" });
  view.figures = Object.fromEntries(FIGURES.map((name) => [name, el("div", { class: "ntg-live-figure", text: "\u2013" })]));
  const figures = FIGURES.map((name) => el("div", {}, el("div", { class: "ntg-live-what", text: name }), view.figures[name]));
  view.svg = svg("svg", { tabindex: 0, role: "img", "aria-label": "Loss and learning rate by update; arrow keys read values" });
  view.tip = el("div", { class: "ntg-live-tip", hidden: true });
  view.chart = el("div", { class: "ntg-live-chart" }, view.svg, view.tip);
  view.width = NARROWEST; // until the chart has been laid out
  view.sliders = {
    rate_factor: slider("rate_factor", "Learning rate", [-6, 4, 0.25], Math.log2, (value) => 2 ** value, (value) => `\u00D7 ${short(value)}`),
    dropout: slider("dropout", "Dropout", [0, 0.9, 0.01], Number, Number, (value) => value.toFixed(2)),
    teacher_forcing: slider("teacher_forcing", "Teacher forcing", [0, 1, 0.01], Number, Number, (value) => value.toFixed(2)),
  };
  const sliders = Object.values(view.sliders).map((one) => one.whole);
  view.sliderBox = el("div", { class: "ntg-live-sliders", role: "group", "aria-label": "Change the running model" }, ...sliders);
  view.notes = el("div", { class: "ntg-live-note" });
  view.table = el("table", { hidden: true });
  view.about = el("div", { class: "ntg-live-about" });
  view.live = el("div", { class: "ntg-hidden", role: "status" });
  view.root = el(
    "section",
    { class: "ntg ntg-live", "aria-label": "Training" },
    el("div", { class: "ntg-live-head" }, view.name, view.state, el("div", { class: "ntg-live-buttons" }, view.pause, view.stop)),
    view.bar,
    view.deaf,
    el("div", { class: "ntg-live-figures" }, ...figures),
    view.chart,
    el("div", { class: "ntg-live-under" }, legend(), keepers(view)),
    view.sliderBox,
    view.notes,
    el("div", { class: "ntg-live-scroll" }, view.table),
    view.about,
    view.live
  );
  place.append(view.root);
  return view;
}

function legend() {
  const entries = LEGEND.map(({ name, color, dash, star }) => {
    const entry = el("span", { class: star ? "ntg-live-best" : null, text: name });
    entry.style.setProperty("--color", `var(--ntg-${color})`);
    entry.style.setProperty("--dash", dash ? "dashed" : "solid");
    return entry;
  });
  return el("div", { class: "ntg-live-legend" }, ...entries);
}

/** Buttons that save the chart as it is now. */
function keepers(view) {
  const one = (kind) =>
    button(kind.toUpperCase(), () => keepChart(alone(view), `training.${kind}`), {
      class: "ntg-button ntg-small",
      "aria-label": `Save training chart as ${kind.toUpperCase()}`,
    });
  return el("div", { class: "ntg-live-buttons" }, one("svg"), one("png"));
}

/** A slider for one control of the running model; `inward` and `outward` translate between its value and its place. */
function slider(name, title, [low, high, step], inward, outward, said) {
  const output = el("span", { class: "ntg-live-value" });
  const input = el("input", { type: "range", min: low, max: high, step, "aria-label": title });
  const whole = el("div", { class: "ntg-live-slider" }, el("span", { text: title }), output, input);
  const tellValue = (text) => {
    say(output, text);
    input.setAttribute("aria-valuetext", text);
  };
  let last = 0;
  let timer = 0;
  let held = -Infinity;
  return {
    whole,
    listen(tell) {
      const send = () => {
        last = performance.now();
        tell(name, outward(Number(input.value)));
      };
      input.addEventListener("input", () => {
        held = performance.now();
        tellValue(said(outward(Number(input.value))));
        clearTimeout(timer);
        timer = setTimeout(send, Math.max(0, 150 - (performance.now() - last)));
      });
    },
    set(value) {
      whole.hidden = value === undefined || value === null;
      if (whole.hidden || performance.now() - held < 1500) return; // the user's hand wins over an older message
      input.value = inward(value);
      tellValue(said(value));
    },
  };
}
