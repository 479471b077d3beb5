// The state of a training as texts: figures, warnings, sample predictions.

/**
 * The latest figures; see `Record.now` in Python.
 *
 * @typedef {object} Figures
 * @property {string} [ended] why the training ended; empty while it runs
 * @property {number} [epoch]
 * @property {number | null} [epochs]
 * @property {number} [step]
 * @property {number | null} [steps]
 * @property {number} [loss]
 * @property {number} [valid]
 * @property {number} [rate]
 * @property {number} [speed] tokens per second
 * @property {number} [left] seconds
 * @property {number} [seconds]
 * @property {number} [memory] bytes
 * @property {string} [task_name] the metric of generated texts
 * @property {number} [task] its latest value, in percent
 * @property {number} [task_pairs] held-out inputs that it was measured on
 */

/** @typedef {"rate_factor" | "dropout" | "teacher_forcing"} SliderName */

/** @typedef {[step: number, text: string]} Change a setting that was changed by hand */

/** @typedef {{ paused?: boolean, stopping?: boolean } & Partial<Record<SliderName, number | null>>} Controls */

/** @typedef {{ source: string, target: string, outputs: [step: number, text: string][] }} Sample */

/**
 * @typedef {object} About
 * @property {number} [pairs]
 * @property {number} [held_out]
 * @property {number} [parameters]
 * @property {string} [device]
 * @property {string} [precision]
 * @property {Partial<Record<"dropout" | "teacher_forcing", number>>} [configured] settings that sliders change
 * @property {Record<string, string>} [choices] settings chosen from the data
 */

/**
 * What the panel shows; see `Record.as_dict` in Python.
 *
 * @typedef {object} TrainingState
 * @property {string} name
 * @property {About} about
 * @property {Figures} now
 * @property {Point[]} train
 * @property {Point[]} rate
 * @property {Point[]} valid
 * @property {Point[]} task the metric of generated texts
 * @property {Change[]} changes
 * @property {Point | null} best
 * @property {Sample[]} samples
 * @property {string[]} warnings
 * @property {Controls} controls
 * @property {string} error
 */

const EARLIER = 2; // predictions of a sample that are shown beside the latest

/** @type {Record<string, string>} */
const REASONS = {
  finished: "finished",
  interrupted: "stopped",
  early: "stopped early: no improvement",
  time: "time limit reached",
  diverged: "stopped: the loss kept rising",
  failed: "failed",
};

/**
 * Brings everything but the chart up to date.
 *
 * @param {View} view
 * @param {TrainingState} state
 */
function showState(view, state) {
  const { now, controls } = state;
  const ended = Boolean(now.ended);
  setText(view.name, visible(state.name));
  setText(view.state, stateText(state));
  setText(view.pause, controls.paused ? "Resume" : "Pause");
  view.pause.disabled = view.stop.disabled = ended || Boolean(controls.stopping);
  view.sliderBox.hidden = ended;
  for (const slider of view.sliders) slider.set(controls[slider.name]);
  showChanges(view, state);
  const percent = ended ? 100 : now.steps ? Math.min(100, (100 * (now.step ?? 0)) / now.steps) : 0;
  view.done.style.width = `${percent}%`;
  view.bar.setAttribute("aria-valuenow", percent.toFixed(0));
  for (const [name, text] of Object.entries(figureTexts(now))) setText(view.figures[name], text || "\u2013");
  setText(view.taskLabel, now.task_name ? `${visible(now.task_name)} (${formatCount(now.task_pairs)} inputs)` : "task");
  const task = /** @type {HTMLElement} */ (view.taskLabel.parentElement);
  task.hidden = now.task === undefined;
  showLegend(view, state);
  setText(view.warnings, state.warnings.map(visible).join("\n"));
  setText(view.about, visible(aboutText(state.about)));
  showSamples(view, state.samples);
}

/**
 * A percentage of held-out inputs: `97 %` of 32, `99.8 %` of 500.
 *
 * @param {number} value
 * @param {Figures} now
 */
function formatTask(value, now) {
  return `${formatFixed(value, (now.task_pairs ?? 0) > 100 ? 1 : 0)} %`;
}

/**
 * @param {Figures} now
 * @returns {Record<string, string>} by the names of `FIGURES`
 */
function figureTexts(now) {
  return {
    epoch: now.epoch ? formatCount(now.epoch) + (now.epochs ? ` / ${formatCount(now.epochs)}` : "") : "",
    update: now.steps ? `${formatCount(now.step)} / ${formatCount(now.steps)}` : "",
    "training loss": formatFixed(now.loss, 3),
    "validation loss": formatFixed(now.valid, 4),
    task: now.task === undefined ? "" : formatTask(now.task, now),
    "learning rate": formatShort(now.rate),
    "tokens/s": now.speed ? formatCount(now.speed) : "",
    elapsed: now.seconds === undefined ? "" : formatTime(now.seconds),
    "time left": now.ended || now.left === undefined ? "" : formatTime(now.left),
    memory: now.memory ? `${(now.memory / 1e6).toFixed(0)} MB` : "",
  };
}

/** @param {TrainingState} state */
function stateText({ now, controls, error }) {
  if (error) return `failed: ${visible(error)}`;
  const kept = now.ended === "interrupted" || now.ended === "diverged" ? "; the best model is kept" : "";
  if (now.ended) return `${REASONS[now.ended] ?? now.ended} after ${formatTime(now.seconds ?? 0)}${kept}`;
  if (controls.stopping) return "stopping\u2026";
  if (controls.paused) return "paused";
  return now.step ? "training" : "preparing\u2026";
}

/**
 * Says what was changed by hand, and offers to undo it.
 *
 * @param {View} view
 * @param {TrainingState} state
 */
function showChanges(view, { changes, controls, now, about }) {
  const steered = isSteered(controls, about);
  const last = changes.at(-1);
  view.changeBox.hidden = Boolean(now.ended) || !last || !steered;
  if (last) {
    const text = `Since update ${formatCount(last[0])}: ${visible(last[1])}. Losses before and after are not comparable.`;
    setText(view.change, text);
  }
}

/**
 * Whether a slider is not where the settings of the training put it.
 *
 * @param {Controls} controls
 * @param {About} about
 */
function isSteered(controls, { configured = {} }) {
  if (controls.rate_factor !== undefined && controls.rate_factor !== 1) return true;
  /** @type {("dropout" | "teacher_forcing")[]} */
  const names = ["dropout", "teacher_forcing"];
  return names.some((name) => configured[name] !== undefined && controls[name] !== configured[name]);
}

/**
 * Draws the legend, unless it is the one that is shown.
 *
 * @param {View} view
 * @param {TrainingState} state
 */
function showLegend(view, state) {
  const entries = legendEntries(state);
  const key = JSON.stringify(entries);
  if (view.drawn.legend === key) return;
  view.drawn.legend = key;
  view.legend.replaceChildren(
    ...entries.map(({ name, color, dash, sign }) => {
      const entry = el("span", { class: sign ? "ntg-live-best" : null, text: visible(name) });
      entry.style.setProperty("--color", `var(--ntg-${color})`);
      entry.style.setProperty("--dash", dash ? "dashed" : "solid");
      return entry;
    }),
  );
}

/** @param {About} about */
function aboutText(about) {
  if (!about.pairs) return "";
  const choices = Object.entries(about.choices ?? {}).map(([name, value]) => `${name}=${value}`);
  return [
    `${formatCount(about.pairs)} pairs, ${formatCount(about.held_out)} held out`,
    `${formatCount(about.parameters)} parameters`,
    `${about.device}, ${about.precision}`,
    ...(choices.length ? [`chosen from the data: ${choices.join(", ")}`] : []),
  ].join("; ");
}

/**
 * Draws the table of sample predictions, unless they are those that it shows.
 *
 * @param {View} view
 * @param {Sample[]} samples
 */
function showSamples(view, samples) {
  const key = JSON.stringify(samples);
  if (view.drawn.samples === key) return;
  view.drawn.samples = key;
  view.table.hidden = !samples.length;
  const heads = ["validation input", "reference", "prediction"].map((text) => el("th", { scope: "col", text }));
  view.table.replaceChildren(el("thead", {}, el("tr", {}, ...heads)), el("tbody", {}, ...samples.map(sampleRow)));
  // A text that is cut is shown whole while it has the focus.
  for (const text of view.table.querySelectorAll("bdi")) {
    if (text.scrollHeight <= text.clientHeight + 1) continue;
    text.tabIndex = 0;
    text.title = "Press to see the whole text";
  }
}

/** @param {Sample} sample */
function sampleRow({ source, target, outputs }) {
  const latest = outputs.at(-1)?.[1] ?? "";
  const correct = latest === target;
  const earlier = outputs.slice(0, -1).reverse().slice(0, EARLIER);
  return el(
    "tr",
    {},
    ...[source, target].map((text) => el("td", {}, el("bdi", { text: visible(text) }))),
    el(
      "td",
      {},
      el("bdi", {
        class: correct ? "ntg-live-correct" : null,
        text: visible(latest || EMPTY) + (correct ? " \u2713" : ""),
      }),
      ...earlier.map(([step, text]) =>
        el(
          "div",
          { class: "ntg-live-earlier" },
          `update ${formatCount(step)}: `,
          el("bdi", { text: visible(text || EMPTY) }),
        ),
      ),
    ),
  );
}

const EMPTY = "\u2205"; // an empty text

// Numbers -------------------------------------------------------------------------------------------------------------

/** @param {number | null | undefined} value rounded to a whole number */
function formatCount(value) {
  return Math.round(value ?? 0).toLocaleString("en");
}

/**
 * @param {number | null | undefined} value
 * @param {number} digits
 */
function formatFixed(value, digits) {
  return Number.isFinite(value) ? Number(value).toFixed(digits) : "";
}

/** @param {number | null | undefined} value to three significant digits */
function formatShort(value) {
  return Number.isFinite(value) ? String(Number(Number(value).toPrecision(3))) : "";
}

/** @param {number} seconds as `1:02:03` or `2:03` */
function formatTime(seconds) {
  const whole = Math.floor(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  /** @param {number} value */
  const pad = (value) => String(value).padStart(2, "0");
  return hours ? `${hours}:${pad(minutes)}:${pad(whole % 60)}` : `${minutes}:${pad(whole % 60)}`;
}
