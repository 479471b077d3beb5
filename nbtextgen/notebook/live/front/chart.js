// The live chart: curves, axes, the values at the pointer, and the chart as a picture of its own.

/** @typedef {(value: number) => number} Scale a value to a position in pixels */

/**
 * @typedef {object} Axes
 * @property {Scale} x
 * @property {Scale} y of the losses
 * @property {number} low
 * @property {number} high
 * @property {boolean} logarithmic whether the losses are on a logarithmic axis
 * @property {number} lastStep
 * @property {number} width
 */

/** @typedef {{ task: number, rate: number, base: number }} Layout tops of the strips (`task` is 0 without one), and the foot */

const [LEFT, RIGHT, TOP, LOSS_HEIGHT] = [48, 10, 18, 190];
const [TASK_HEIGHT, RATE_HEIGHT, GAP] = [48, 36, 24];
const KEY_STEP = 12; // pixels that an arrow key moves the pointer
const MAX_DOTS = 60; // validations that are marked by dots

/** @type {{ name: string, color: Color, dash?: string, sign?: string }[]} */
const LEGEND = [
  { name: "training loss (thin: as measured)", color: "train" },
  { name: "validation loss", color: "valid", dash: "6 3" },
  { name: "", color: "task" },
  { name: "learning rate", color: "muted" },
  { name: "changed by hand", color: "hand", dash: "4 3" },
  { name: "best so far", color: "best", sign: "\u2605" },
];

/** @typedef {keyof typeof COLORS} Color */

/** The colours of a saved picture, which has no theme. */
const COLORS = {
  train: "#2b7bba",
  valid: "#d9730d",
  best: "#1a936f",
  task: "#1a936f",
  hand: "#a05fb0",
  muted: "#5a5a5a",
  line: "#bdbdbd",
  field: "#ffffff",
};

/**
 * The lines of the legend that there is something of.
 *
 * @param {TrainingState} state
 */
function legendEntries(state) {
  return LEGEND.filter(
    ({ color }) => !(color === "task" && !state.task.length) && !(color === "hand" && !state.changes.length),
  ).map((entry) => {
    if (entry.color === "task") return { ...entry, name: state.now.task_name ?? "" };
    return entry.color === "best" && state.now.ended ? { ...entry, name: "best" } : entry;
  });
}

/**
 * @param {TrainingState} state
 * @returns {Layout}
 */
function chartLayout(state) {
  const task = state.task.length ? TOP + LOSS_HEIGHT + GAP : 0;
  const rate = (task ? task + TASK_HEIGHT : TOP + LOSS_HEIGHT) + GAP;
  return { task, rate, base: rate + RATE_HEIGHT };
}

/**
 * Draws the chart anew.
 *
 * @param {View} view
 * @param {TrainingState} state
 * @param {number | null} pointer where values are read, in pixels from the left
 */
function drawChart(view, state, pointer) {
  const width = view.size.width;
  const layout = chartLayout(state);
  view.svg.setAttribute("viewBox", `0 0 ${width} ${layout.base + 18}`);
  view.svg.style.height = `${layout.base + 18}px`;
  const smoothed = smooth(state.train);
  const axes = chartAxes(state, smoothed, width);
  const { x, y } = axes;
  const parts = [
    ...drawAxes(axes, layout, state),
    curve(state.train, x, y, { stroke: "var(--ntg-train)", "stroke-opacity": 0.3 }),
    curve(smoothed, x, y, { stroke: "var(--ntg-train)", "stroke-width": 2 }),
    curve(state.valid, x, y, { stroke: "var(--ntg-valid)", "stroke-width": 2, "stroke-dasharray": "6 3" }),
    ...(state.valid.length > MAX_DOTS ? [] : state.valid.map(([step, loss]) => dot(x(step), y(loss)))),
    curve(state.rate, x, stripScale(layout.rate, RATE_HEIGHT, maxRate(state)), { stroke: "var(--ntg-muted)" }),
    ...drawTask(state, x, layout),
    ...state.changes.map((change) => drawChange(change, x, layout, width)),
  ];
  if (state.best) parts.push(star(x(state.best[0]), y(state.best[1])));
  view.tip.hidden = pointer === null || !state.train.length;
  if (pointer !== null && state.train.length) {
    const step = ((pointer - LEFT) / (width - LEFT - RIGHT)) * axes.lastStep;
    const place = Math.min(Math.max(step, 0), axes.lastStep);
    parts.push(showValues(view, { state, smoothed, step: place, x, base: layout.base }));
  }
  view.svg.replaceChildren(...parts);
}

/**
 * @param {TrainingState} state
 * @param {Point[]} smoothed
 * @param {number} width
 * @returns {Axes}
 */
function chartAxes(state, smoothed, width) {
  const lastStep = Math.max(1, state.now.step ?? 1, state.valid.at(-1)?.[0] ?? 1);
  const losses = [...smoothed, ...state.valid, ...state.train].map(([, loss]) => loss);
  const logarithmic = isWide(losses);
  const [low, high] = valueRange(losses, logarithmic);
  const position = logarithmic ? Math.log : Number;
  const span = position(high) - position(low);
  return {
    x: (step) => LEFT + (step / lastStep) * (width - LEFT - RIGHT),
    y: (loss) => TOP + ((position(high) - position(Math.min(Math.max(loss, low), high))) / span) * LOSS_HEIGHT,
    low,
    high,
    logarithmic,
    lastStep,
    width,
  };
}

/** @param {TrainingState} state */
function maxRate(state) {
  return Math.max(1e-12, ...state.rate.map(([, rate]) => rate));
}

/**
 * The scale of a strip that begins at zero.
 *
 * @param {number} top
 * @param {number} height
 * @param {number} highest
 * @returns {Scale}
 */
function stripScale(top, height, highest) {
  return (value) => top + height - (Math.min(Math.max(value, 0), highest) / highest) * height;
}

/**
 * @param {Axes} axes
 * @param {Layout} layout
 * @param {TrainingState} state
 */
function drawAxes({ x, y, low, high, logarithmic, lastStep, width }, { task, rate, base }, state) {
  /** @param {number} top @param {number} foot */
  const frame = (top, foot) => `M${LEFT} ${top}V${foot}H${width - RIGHT}`;
  const frames = [frame(TOP, TOP + LOSS_HEIGHT), ...(task ? [frame(task, task + TASK_HEIGHT)] : []), frame(rate, base)];
  const unit = logarithmic ? "loss (nats per token, logarithmic)" : "loss (nats per token)";
  /** @type {SVGElement[]} */
  const parts = [
    svg("path", { d: frames.join(""), fill: "none", stroke: "var(--ntg-line)" }),
    svg("text", { x: 4, y: 11 }, unit),
    svg("text", { x: 4, y: rate - 6 }, "learning rate"),
    svg("text", { x: LEFT - 6, y: base + 14, "text-anchor": "end" }, "update"),
  ];
  if (!state.train.length && !state.valid.length) {
    const middle = { x: (LEFT + width - RIGHT) / 2, y: TOP + LOSS_HEIGHT / 2, "text-anchor": "middle" };
    return [...parts, svg("text", middle, "The curves begin with the first update.")];
  }
  parts.push(...axisTexts(rate, base, formatTick(Number(maxRate(state).toPrecision(2)))));
  if (task) {
    parts.push(svg("text", { x: 4, y: task - 6 }, visible(`${state.now.task_name} (%)`)));
    parts.push(...axisTexts(task, task + TASK_HEIGHT, "100"));
  }
  for (const loss of logarithmic ? logTicks(low, high) : ticks(low, high, 5)) {
    const line = `M${LEFT} ${y(loss)}H${width - RIGHT}`;
    parts.push(svg("path", { d: line, stroke: "var(--ntg-line)", "stroke-opacity": 0.5 }));
    const place = { x: LEFT - 6, y: y(loss) + 4, "text-anchor": "end" };
    parts.push(svg("text", place, formatTick(Number(loss.toPrecision(6)))));
  }
  for (const step of ticks(0, lastStep, Math.max(2, Math.floor(width / 110))).filter(Number.isInteger)) {
    const anchor = step === 0 ? "start" : x(step) > width - 30 ? "end" : "middle";
    parts.push(svg("text", { x: x(step), y: base + 14, "text-anchor": anchor }, formatCount(step)));
  }
  return parts;
}

/**
 * The numbers at the ends of a strip's axis.
 *
 * @param {number} top
 * @param {number} foot
 * @param {string} highest
 */
function axisTexts(top, foot, highest) {
  return [
    svg("text", { x: LEFT - 6, y: top + 8, "text-anchor": "end" }, highest),
    svg("text", { x: LEFT - 6, y: foot, "text-anchor": "end" }, "0"),
  ];
}

/**
 * @param {TrainingState} state
 * @param {Scale} x
 * @param {Layout} layout
 */
function drawTask(state, x, { task }) {
  if (!task) return [];
  return [curve(state.task, x, stripScale(task, TASK_HEIGHT, 100), { stroke: "var(--ntg-task)", "stroke-width": 2 })];
}

/**
 * A line where a setting was changed by hand.
 *
 * @param {Change} change
 * @param {Scale} x
 * @param {Layout} layout
 * @param {number} width
 */
function drawChange([step, text], x, { base }, width) {
  const place = x(step);
  const left = place > 0.7 * width;
  const group = svg("g");
  group.append(
    svg("path", { d: `M${place} ${TOP}V${base}`, stroke: "var(--ntg-hand)", "stroke-dasharray": "4 3" }),
    svg("text", { x: place + (left ? -5 : 5), y: TOP + 10, "text-anchor": left ? "end" : "start" }, visible(text)),
  );
  return group;
}

/**
 * @param {Point[]} points
 * @param {Scale} x
 * @param {Scale} y
 * @param {Record<string, string | number>} stroke
 */
function curve(points, x, y, stroke) {
  const places = points
    .filter(([, value]) => Number.isFinite(value))
    .map(([step, value]) => `${x(step).toFixed(1)},${y(value).toFixed(1)}`);
  return svg("polyline", {
    points: places.join(" "),
    fill: "none",
    "stroke-linejoin": "round",
    ...stroke,
  });
}

/**
 * @param {number} x
 * @param {number} y
 */
function dot(x, y) {
  return svg("circle", { cx: x, cy: y, r: 2.5, fill: "var(--ntg-valid)" });
}

/**
 * @param {number} x
 * @param {number} y
 */
function star(x, y) {
  const tips = Array.from({ length: 10 }, (_, index) => {
    const [radius, angle] = [index % 2 ? 3.2 : 7.5, Math.PI * (index / 5 - 0.5)];
    return `${(x + radius * Math.cos(angle)).toFixed(1)},${(y + radius * Math.sin(angle)).toFixed(1)}`;
  });
  return svg("polygon", {
    points: tips.join(" "),
    fill: "var(--ntg-best)",
    stroke: "var(--ntg-field)",
  });
}

/**
 * Writes the values nearest to a step into the tip.
 *
 * @param {View} view
 * @param {{ state: TrainingState, smoothed: Point[], step: number, x: Scale, base: number }} place
 * @returns {SVGElement} the line that marks the step
 */
function showValues(view, { state, smoothed, step, x, base }) {
  /** @param {Point[]} points */
  const nearest = (points) =>
    points.reduce((best, point) => (Math.abs(point[0] - step) < Math.abs(best[0] - step) ? point : best));
  const [trainStep, loss] = nearest(smoothed);
  const lines = [`update ${formatCount(trainStep)}`, `training ${formatFixed(loss, 3)}`];
  if (state.valid.length) {
    const [validStep, validLoss] = nearest(state.valid);
    lines.push(`validation ${formatFixed(validLoss, 4)} (update ${formatCount(validStep)})`);
  }
  if (state.task.length)
    lines.push(`${visible(state.now.task_name ?? "")} ${formatTask(nearest(state.task)[1], state.now)}`);
  if (state.rate.length) lines.push(`learning rate ${formatShort(nearest(state.rate)[1])}`);
  setText(view.tip, lines.join("\n"));
  const place = x(trainStep);
  const width = view.size.width;
  const right = place > width / 2;
  view.tip.style.left = right ? "auto" : `${place + 10}px`;
  view.tip.style.right = right ? `${width - place + 10}px` : "auto";
  return svg("path", {
    d: `M${place} ${TOP}V${base}`,
    stroke: "var(--ntg-muted)",
    "stroke-dasharray": "2 2",
  });
}

/**
 * Lets the pointer and the arrow keys choose where values are read.
 *
 * @param {View} view
 * @param {(move: (place: number | null) => number | null) => void} onMove gets the new place from the old one, in
 *   pixels from the left; null is nowhere
 */
function readValues(view, onMove) {
  const leave = () => onMove(() => null);
  view.svg.addEventListener("pointermove", (event) => {
    const box = view.svg.getBoundingClientRect();
    onMove(() => ((event.clientX - box.left) / box.width) * view.size.width);
  });
  view.svg.addEventListener("pointerleave", leave);
  view.svg.addEventListener("blur", leave);
  view.svg.addEventListener("keydown", (event) => {
    if (event.key === "Escape") leave();
    const step = event.key === "ArrowLeft" ? -KEY_STEP : event.key === "ArrowRight" ? KEY_STEP : 0;
    if (!step) return;
    event.preventDefault();
    onMove((place) => Math.min(Math.max((place ?? LEFT) + step, LEFT), view.size.width - RIGHT));
  });
}

/**
 * The chart as a picture that needs no page: with its legend and colours of its own, dark on white.
 *
 * @param {View} view
 * @param {TrainingState} state
 */
function chartPicture(view, state) {
  const picture = /** @type {SVGSVGElement} */ (view.svg.cloneNode(true));
  const first = chartLayout(state).base + 36;
  let [place, row] = [LEFT, first];
  for (const { name, color, dash, sign } of legendEntries(state)) {
    const width = 44 + 6.5 * name.length;
    if (place > LEFT && place + width > view.size.width) [place, row] = [LEFT, row + 18];
    const stroke = {
      stroke: `var(--ntg-${color})`,
      "stroke-width": 2,
      "stroke-dasharray": dash ?? "none",
    };
    const sample = sign
      ? svg("text", { x: place + 6, y: row, fill: `var(--ntg-${color})` }, sign)
      : svg("path", { d: `M${place} ${row - 4}h20`, ...stroke });
    picture.append(sample, svg("text", { x: place + 26, y: row }, name));
    place += width;
  }
  picture.setAttribute("viewBox", `0 0 ${view.size.width} ${row + 10}`);
  picture.setAttribute("style", "font:11px system-ui,sans-serif");
  picture.setAttribute("fill", COLORS.muted);
  for (const node of picture.querySelectorAll("*")) {
    for (const { name, value } of [...node.attributes]) {
      const fixed = value.replace(/var\(--ntg-(\w+)\)/, (_, color) => COLORS[/** @type {Color} */ (color)]);
      node.setAttribute(name, fixed);
    }
  }
  return picture;
}
