// The elements of the live panel, made once.

/** @typedef {ReturnType<typeof buildView>} View */

const MIN_WIDTH = 240; // pixels of the chart
const SEND_INTERVAL = 150; // milliseconds between two values of a slider that are sent
const HOLD = 1500; // milliseconds after a move during which messages do not move a slider
const FIGURES = [
  "epoch",
  "update",
  "training loss",
  "validation loss",
  "task",
  "learning rate",
  "tokens/s",
  "elapsed",
  "time left",
  "memory",
];

/**
 * @param {HTMLElement} root
 * @param {() => TrainingState} currentState
 */
function buildView(root, currentState) {
  const done = el("div");
  const progress = {
    role: "progressbar",
    "aria-label": "Updates done",
    "aria-valuemin": 0,
    "aria-valuemax": 100,
  };
  const figures = Object.fromEntries(
    FIGURES.map((name) => [name, el("div", { class: "ntg-live-figure", text: "\u2013" })]),
  );
  const sliders = [
    createSlider("rate_factor", "Learning rate", [-6, 4, 0.25], {
      toPosition: Math.log2,
      toValue: (position) => 2 ** position,
      format: (value) => `\u00D7 ${formatShort(value)}`,
    }),
    createSlider("dropout", "Dropout", [0, 0.9, 0.01]),
    createSlider("teacher_forcing", "Teacher forcing", [0, 1, 0.01]),
  ];
  const labels = Object.fromEntries(FIGURES.map((name) => [name, el("div", { class: "ntg-live-label", text: name })]));
  const description = "Loss and learning rate by update; arrow keys read values";
  const view = {
    name: el("span", { class: "ntg-live-name" }),
    state: el("span", { class: "ntg-live-state" }),
    pause: button("Pause", null),
    stop: button("Stop", null, {
      title: "Stop training and keep the best model so far",
    }),
    done,
    bar: el("div", { class: "ntg-live-bar", ...progress }, done),
    notice: el("div", { class: "ntg-live-note", role: "status" }),
    figures,
    taskLabel: labels.task,
    legend: el("div", { class: "ntg-live-legend" }),
    change: el("span"),
    undo: button("Undo", null, { title: "Set the sliders as configured again" }),
    changeBox: el("div", { class: "ntg-live-note", role: "status", hidden: true }),
    svg: svg("svg", { tabindex: 0, role: "img", "aria-label": description }),
    tip: el("div", { class: "ntg-live-tip", hidden: true }),
    size: { width: MIN_WIDTH }, // until the chart has been laid out
    sliders,
    sliderBox: el(
      "div",
      {
        class: "ntg-live-sliders",
        role: "group",
        "aria-label": "Change the running model",
      },
      ...sliders.map(({ node }) => node),
    ),
    warnings: el("div", { class: "ntg-live-note" }),
    table: el("table", { hidden: true }),
    drawn: { samples: "", legend: "" }, // the samples in the table and the legend, as JSON
    about: el("div", { class: "ntg-live-about" }),
    announcement: el("div", { class: "ntg-hidden", role: "status" }),
  };
  view.changeBox.append(view.change, " ", view.undo);
  const chart = el("div", { class: "ntg-live-chart" }, view.svg, view.tip);
  const section = el(
    "section",
    { class: "ntg ntg-live", "aria-label": "Training" },
    el(
      "div",
      { class: "ntg-live-head" },
      view.name,
      view.state,
      el("div", { class: "ntg-live-buttons" }, view.pause, view.stop),
    ),
    view.bar,
    view.notice,
    el("div", { class: "ntg-live-figures" }, ...FIGURES.map((name) => el("div", {}, labels[name], figures[name]))),
    chart,
    el(
      "div",
      { class: "ntg-live-footer" },
      view.legend,
      el("div", { class: "ntg-live-buttons" }, saveButton("svg"), saveButton("png")),
    ),
    view.sliderBox,
    view.changeBox,
    view.warnings,
    el("div", { class: "ntg-live-scroll" }, view.table),
    view.about,
    view.announcement,
  );
  /** @param {"svg" | "png"} format */
  function saveButton(format) {
    const label = `Save training chart as ${format.toUpperCase()}`;
    const save = () => saveChart(chartPicture(whole, currentState()), `training.${format}`);
    return button(format.toUpperCase(), save, {
      class: "ntg-button ntg-small",
      "aria-label": label,
    });
  }
  const whole = { ...view, chart, root: section };
  root.append(section);
  return whole;
}

/**
 * How a slider translates between a value and its position, and writes a value.
 *
 * @typedef {{ toPosition: (value: number) => number, toValue: (position: number) => number, format: (value: number) => string }} Translation
 */

/** @type {Translation} */
const PLAIN = {
  toPosition: Number,
  toValue: Number,
  format: (value) => value.toFixed(2),
};

/**
 * A slider for one setting of the running model.
 *
 * @param {SliderName} name
 * @param {string} title
 * @param {[low: number, high: number, step: number]} positions
 * @param {Translation} translation
 */
function createSlider(name, title, [low, high, step], { toPosition, toValue, format } = PLAIN) {
  const output = el("span", { class: "ntg-live-value" });
  const input = el("input", {
    type: "range",
    min: low,
    max: high,
    step,
    "aria-label": title,
  });
  const node = el("div", { class: "ntg-live-slider" }, el("span", { text: title }), output, input);
  /** @param {number} value */
  const showValue = (value) => {
    setText(output, format(value));
    input.setAttribute("aria-valuetext", format(value));
  };
  let sentAt = 0;
  let movedAt = -Infinity;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  return {
    name,
    node,
    /** @param {(name: SliderName, value: number) => void} send */
    listen(send) {
      input.addEventListener("input", () => {
        movedAt = performance.now();
        showValue(toValue(Number(input.value)));
        clearTimeout(timer);
        timer = setTimeout(
          () => {
            sentAt = performance.now();
            send(name, toValue(Number(input.value)));
          },
          Math.max(0, SEND_INTERVAL - (movedAt - sentAt)),
        );
      });
    },
    /** From now on, messages move the slider again. */
    release() {
      clearTimeout(timer);
      movedAt = -Infinity;
    },
    /** @param {number | null | undefined} value none hides the slider */
    set(value) {
      node.hidden = value === undefined || value === null;
      if (value === undefined || value === null || performance.now() - movedAt < HOLD) return;
      input.value = String(toPosition(value));
      showValue(value);
    },
  };
}
