// The live chart: curves, axes, the values at the pointer, and the chart as a picture of its own.

/** @typedef {(value: number) => number} Scale a value to a position in pixels */

/** @typedef {{ x: Scale, y: Scale, low: number, high: number, lastStep: number, width: number }} Axes */

const [LEFT, RIGHT, TOP, LOSS_HEIGHT, RATE_HEIGHT, GAP] = [48, 10, 18, 190, 36, 14];
const BASE = TOP + LOSS_HEIGHT + GAP + RATE_HEIGHT;
const KEY_STEP = 12; // pixels that an arrow key moves the pointer
const MAX_DOTS = 60; // validations that are marked by dots

/** @type {{ name: string, color: Color, dash?: string, starred?: boolean }[]} */
const LEGEND = [
  { name: "training loss", color: "train" },
  { name: "validation loss", color: "valid", dash: "6 3" },
  { name: "learning rate (lower strip)", color: "muted" },
  { name: "best so far", color: "best", starred: true },
];

/** @typedef {keyof typeof COLORS} Color */

/** The colours of a saved picture, which has no theme. */
const COLORS = {
  train: "#2b7bba",
  valid: "#d9730d",
  best: "#1a936f",
  muted: "#5a5a5a",
  line: "#bdbdbd",
  field: "#ffffff",
};

/**
 * Draws the chart anew.
 *
 * @param {View} view
 * @param {TrainingState} state
 * @param {number | null} pointer where values are read, in pixels from the left
 */
function drawChart(view, state, pointer) {
  const width = view.size.width;
  view.svg.setAttribute("viewBox", `0 0 ${width} ${BASE + 18}`);
  view.svg.style.height = `${BASE + 18}px`;
  const smoothed = smooth(state.train);
  const axes = chartAxes(state, smoothed, width);
  const { x, y } = axes;
  const maxRate = Math.max(1e-12, ...state.rate.map(([, rate]) => rate));
  const parts = [
    ...drawAxes(axes),
    curve(state.train, x, y, {
      stroke: "var(--ntg-train)",
      "stroke-opacity": 0.3,
    }),
    curve(smoothed, x, y, { stroke: "var(--ntg-train)", "stroke-width": 2 }),
    curve(state.valid, x, y, {
      stroke: "var(--ntg-valid)",
      "stroke-width": 2,
      "stroke-dasharray": "6 3",
    }),
    ...(state.valid.length > MAX_DOTS ? [] : state.valid.map(([step, loss]) => dot(x(step), y(loss)))),
    curve(state.rate, x, (rate) => BASE - (rate / maxRate) * RATE_HEIGHT, {
      stroke: "var(--ntg-muted)",
    }),
  ];
  if (state.best) parts.push(star(x(state.best[0]), y(state.best[1])));
  view.tip.hidden = pointer === null || !state.train.length;
  if (pointer !== null && state.train.length) {
    const step = ((pointer - LEFT) / (width - LEFT - RIGHT)) * axes.lastStep;
    parts.push(showValues(view, state, smoothed, Math.min(Math.max(step, 0), axes.lastStep), x));
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
  const [low, high] = valueRange([...smoothed, ...state.valid, ...state.train].map(([, loss]) => loss));
  return {
    x: (step) => LEFT + (step / lastStep) * (width - LEFT - RIGHT),
    y: (loss) => TOP + ((high - Math.min(Math.max(loss, low), high)) / (high - low)) * LOSS_HEIGHT,
    low,
    high,
    lastStep,
    width,
  };
}

/** @param {Axes} axes */
function drawAxes({ x, y, low, high, lastStep, width }) {
  const frame = `M${LEFT} ${TOP}V${TOP + LOSS_HEIGHT}H${width - RIGHT}M${LEFT} ${BASE}H${width - RIGHT}`;
  /** @type {SVGElement[]} */
  const parts = [
    svg("path", { d: frame, fill: "none", stroke: "var(--ntg-line)" }),
    svg("text", { x: LEFT, y: 11 }, "loss (nats per token)"),
    svg("text", { x: LEFT - 6, y: BASE + 14, "text-anchor": "end" }, "update"),
  ];
  for (const loss of ticks(low, high, 5)) {
    const line = `M${LEFT} ${y(loss)}H${width - RIGHT}`;
    parts.push(
      svg("path", {
        d: line,
        stroke: "var(--ntg-line)",
        "stroke-opacity": 0.5,
      }),
    );
    const place = { x: LEFT - 6, y: y(loss) + 4, "text-anchor": "end" };
    parts.push(svg("text", place, String(Number(loss.toPrecision(6)))));
  }
  for (const step of ticks(0, lastStep, Math.max(2, Math.floor(width / 110))).filter(Number.isInteger)) {
    const anchor = step === 0 ? "start" : x(step) > width - 30 ? "end" : "middle";
    parts.push(svg("text", { x: x(step), y: BASE + 14, "text-anchor": anchor }, formatCount(step)));
  }
  return parts;
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
 * @param {TrainingState} state
 * @param {Point[]} smoothed
 * @param {number} step
 * @param {Scale} x
 * @returns {SVGElement} the line that marks the step
 */
function showValues(view, state, smoothed, step, x) {
  /** @param {Point[]} points */
  const nearest = (points) =>
    points.reduce((best, point) => (Math.abs(point[0] - step) < Math.abs(best[0] - step) ? point : best));
  const [trainStep, loss] = nearest(smoothed);
  const lines = [`update ${formatCount(trainStep)}`, `training ${formatFixed(loss, 3)}`];
  if (state.valid.length) {
    const [validStep, validLoss] = nearest(state.valid);
    lines.push(`validation ${formatFixed(validLoss, 4)} (update ${formatCount(validStep)})`);
  }
  if (state.rate.length) lines.push(`learning rate ${formatShort(nearest(state.rate)[1])}`);
  setText(view.tip, lines.join("\n"));
  const place = x(trainStep);
  const width = view.size.width;
  const right = place > width / 2;
  view.tip.style.left = right ? "auto" : `${place + 10}px`;
  view.tip.style.right = right ? `${width - place + 10}px` : "auto";
  return svg("path", {
    d: `M${place} ${TOP}V${BASE}`,
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
 */
function chartPicture(view) {
  const picture = /** @type {SVGSVGElement} */ (view.svg.cloneNode(true));
  let [place, row] = [LEFT, BASE + 36];
  for (const { name, color, dash, starred } of LEGEND) {
    const width = 44 + 6.5 * name.length;
    if (place > LEFT && place + width > view.size.width) [place, row] = [LEFT, row + 18];
    const stroke = {
      stroke: `var(--ntg-${color})`,
      "stroke-width": 2,
      "stroke-dasharray": dash ?? "none",
    };
    const sign = starred
      ? svg("text", { x: place + 6, y: row, fill: `var(--ntg-${color})` }, "\u2605")
      : svg("path", { d: `M${place} ${row - 4}h20`, ...stroke });
    picture.append(sign, svg("text", { x: place + 26, y: row }, name));
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
