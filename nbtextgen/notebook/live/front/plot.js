// The live chart: curves, axes, the values under the pointer, and the chart as a picture that stands alone.

const [LEFT, RIGHT, TOP, HEIGHT, STRIP, GAP] = [48, 10, 18, 190, 36, 14];
const BASE = TOP + HEIGHT + GAP + STRIP;
const SMOOTHING = 0.8;
const DOTTED = 60; // most validations that are marked by dots
const LEGEND = [
  { name: "training loss", color: "train" },
  { name: "validation loss", color: "valid", dash: "6 3" },
  { name: "learning rate (lower strip)", color: "muted" },
  { name: "best so far", color: "best", star: true },
];
const INK = { train: "#2b7bba", valid: "#d9730d", best: "#1a936f", muted: "#5a5a5a", line: "#bdbdbd", field: "#ffffff" };

function plot(view, data, hovered) {
  const { width } = view;
  view.svg.setAttribute("viewBox", `0 0 ${width} ${BASE + 18}`);
  view.svg.style.height = `${BASE + 18}px`;
  const smooth = smoothed(data.train);
  const last = Math.max(1, data.now.step ?? 1, data.valid.at(-1)?.[0] ?? 1);
  const [low, high] = span([...smooth, ...data.valid, ...data.train].map((point) => point[1]));
  const x = (value) => LEFT + (value / last) * (width - LEFT - RIGHT);
  const y = (value) => TOP + ((high - Math.min(Math.max(value, low), high)) / (high - low)) * HEIGHT;
  const top = Math.max(1e-12, ...data.rate.map((point) => point[1]));
  const parts = [
    ...axes({ x, y, low, high, last, width }),
    curve(data.train, x, y, { stroke: "var(--ntg-train)", "stroke-opacity": 0.3 }),
    curve(smooth, x, y, { stroke: "var(--ntg-train)", "stroke-width": 2 }),
    curve(data.valid, x, y, { stroke: "var(--ntg-valid)", "stroke-width": 2, "stroke-dasharray": "6 3" }),
    ...(data.valid.length > DOTTED ? [] : data.valid.map(([at, loss]) => svg("circle", { cx: x(at), cy: y(loss), r: 2.5, fill: "var(--ntg-valid)" }))),
    curve(data.rate, x, (value) => BASE - (value / top) * STRIP, { stroke: "var(--ntg-muted)" }),
  ];
  if (data.best) parts.push(star(x(data.best[0]), y(data.best[1])));
  view.tip.hidden = hovered === null || !data.train.length;
  if (!view.tip.hidden) {
    const at = ((hovered - LEFT) / (width - LEFT - RIGHT)) * last;
    parts.push(pointed(view, data, smooth, Math.min(Math.max(at, 0), last), x));
  }
  view.svg.replaceChildren(...parts);
}

/** Has the pointer and the arrow keys choose where values are read; `moved(place)`, null when nowhere. */
function readValues(view, moved) {
  view.svg.addEventListener("pointermove", (event) => {
    const box = view.svg.getBoundingClientRect();
    moved(((event.clientX - box.left) / box.width) * view.width);
  });
  view.svg.addEventListener("pointerleave", () => moved(null));
  view.svg.addEventListener("blur", () => moved(null));
  view.svg.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -12, ArrowRight: 12 }[event.key];
    if (event.key === "Escape") moved(null);
    if (!step) return;
    event.preventDefault();
    moved((place) => Math.min(Math.max((place ?? LEFT) + step, LEFT), view.width - RIGHT));
  });
}

/** The chart without the page: its own colours, its legend, dark on white. */
function alone(view) {
  const copy = view.svg.cloneNode(true);
  let [place, row] = [LEFT, BASE + 36];
  for (const { name, color, dash, star: starred } of LEGEND) {
    const wide = 44 + 6.5 * name.length;
    if (place > LEFT && place + wide > view.width) [place, row] = [LEFT, row + 18];
    const sign = starred
      ? svg("text", { x: place + 6, y: row, fill: `var(--ntg-${color})` }, "\u2605")
      : svg("path", { d: `M${place} ${row - 4}h20`, stroke: `var(--ntg-${color})`, "stroke-width": 2, "stroke-dasharray": dash ?? "none" });
    copy.append(sign, svg("text", { x: place + 26, y: row }, name));
    place += wide;
  }
  copy.setAttribute("viewBox", `0 0 ${view.width} ${row + 10}`);
  copy.setAttribute("style", "font:11px system-ui,sans-serif");
  copy.setAttribute("fill", INK.muted);
  for (const one of copy.querySelectorAll("*")) {
    for (const { name, value } of [...one.attributes]) one.setAttribute(name, value.replace(/var\(--ntg-(\w+)\)/, (_, ink) => INK[ink]));
  }
  return copy;
}

function axes({ x, y, low, high, last, width }) {
  const text = (content, attributes) => svg("text", attributes, content);
  const frame = `M${LEFT} ${TOP}V${TOP + HEIGHT}H${width - RIGHT}M${LEFT} ${BASE}H${width - RIGHT}`;
  const found = [
    svg("path", { d: frame, fill: "none", stroke: "var(--ntg-line)" }),
    text("loss (nats per token)", { x: LEFT, y: 11 }),
    text("update", { x: LEFT - 6, y: BASE + 14, "text-anchor": "end" }),
  ];
  for (const value of ticks(low, high, 5)) {
    found.push(svg("path", { d: `M${LEFT} ${y(value)}H${width - RIGHT}`, stroke: "var(--ntg-line)", "stroke-opacity": 0.5 }));
    found.push(text(String(Number(value.toPrecision(6))), { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }));
  }
  for (const value of ticks(0, last, Math.max(2, Math.floor(width / 110))).filter(Number.isInteger)) {
    const anchor = value === 0 ? "start" : x(value) > width - 30 ? "end" : "middle";
    found.push(text(count(value), { x: x(value), y: BASE + 14, "text-anchor": anchor }));
  }
  return found;
}

function curve(points, x, y, look) {
  const path = points.filter((point) => Number.isFinite(point[1])).map(([at, value]) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`);
  return svg("polyline", { points: path.join(" "), fill: "none", "stroke-linejoin": "round", ...look });
}

function star(x, y) {
  const tips = Array.from({ length: 10 }, (_, at) => {
    const [radius, angle] = [at % 2 ? 3.2 : 7.5, Math.PI * (at / 5 - 0.5)];
    return `${(x + radius * Math.cos(angle)).toFixed(1)},${(y + radius * Math.sin(angle)).toFixed(1)}`;
  });
  return svg("polygon", { points: tips.join(" "), fill: "var(--ntg-best)", stroke: "var(--ntg-field)" });
}

/** A line where values are read; the values go to the tip beside it. */
function pointed(view, data, smooth, at, x) {
  const nearest = (points) => points.reduce((best, point) => (Math.abs(point[0] - at) < Math.abs(best[0] - at) ? point : best));
  const train = nearest(smooth);
  const place = x(train[0]);
  const lines = [`update ${count(train[0])}`, `training ${fixed(train[1], 3)}`];
  if (data.valid.length) {
    const [step, loss] = nearest(data.valid);
    lines.push(`validation ${fixed(loss, 4)} (update ${count(step)})`);
  }
  if (data.rate.length) lines.push(`learning rate ${short(nearest(data.rate)[1])}`);
  say(view.tip, lines.join("\n"));
  const right = place > view.width / 2;
  view.tip.style.left = right ? "auto" : `${place + 10}px`;
  view.tip.style.right = right ? `${view.width - place + 10}px` : "auto";
  return svg("path", { d: `M${place} ${TOP}V${BASE}`, stroke: "var(--ntg-muted)", "stroke-dasharray": "2 2" });
}

/** Exponential moving average, corrected for its start. */
function smoothed(points) {
  let mean = 0;
  return points.map(([at, value], number) => {
    mean = SMOOTHING * mean + (1 - SMOOTHING) * value;
    return [at, mean / (1 - SMOOTHING ** (number + 1))];
  });
}

/** The range to show: from zero when that is near; the top two of a hundred may be cut off. */
function span(values) {
  const ordered = values.filter(Number.isFinite).sort((one, other) => one - other);
  if (!ordered.length) return [0, 1];
  let low = ordered[0];
  const high = ordered[Math.min(ordered.length - 1, Math.ceil(ordered.length * 0.98))];
  if (low >= 0 && low < 0.4 * high) low = 0;
  return high > low ? [low, high + 0.05 * (high - low)] : [low - 0.5, low + 0.5];
}

/** Round values that cover the range, about as many as wanted. */
function ticks(low, high, wanted) {
  const raw = (high - low) / wanted;
  const size = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * size).find((one) => one >= raw * 0.999);
  const found = [];
  for (let at = Math.ceil(low / step - 1e-9); at * step <= high + 1e-9 * step; at += 1) found.push(at * step);
  return found;
}
