// Interactions of input units, as arcs between their chips.

/** @typedef {[first: number, second: number, value: number]} Pair two units, and their interaction in nats */

const NAMED_ARCS = 3; // arcs that show their value
const [LOWEST_ARC, HIGHEST_ARC] = [12, 34]; // pixels

/** @type {WeakMap<Element, Pair[]>} */
const drawnPairs = new WeakMap(); // by the picture that shows them, for copies of it

/**
 * A picture of arcs over a row of chips. It follows the chips when they wrap anew.
 *
 * @param {ChipRow} row
 */
function arcsOver(row) {
  const picture = svg("svg", { class: "nte-arcs", "aria-hidden": "true" });
  row.node.classList.add("nte-arched");
  row.node.prepend(picture);
  const draw = () => drawArcs(picture, row.node, drawnPairs.get(picture) ?? []);
  if (typeof ResizeObserver === "function") new ResizeObserver(draw).observe(row.node);
  return {
    /** @param {Pair[]} pairs strongest first */
    show(pairs) {
      drawnPairs.set(picture, pairs);
      draw();
    },
  };
}

/**
 * Draws arcs where the chips stand now.
 *
 * @param {SVGElement} picture
 * @param {HTMLElement} row
 * @param {Pair[]} pairs
 */
function drawArcs(picture, row, pairs) {
  const origin = row.getBoundingClientRect();
  const chips = /** @type {NodeListOf<HTMLElement>} */ (row.querySelectorAll(".nte-chip"));
  const scale = largest(pairs.map(([, , value]) => value));
  picture.setAttribute("width", String(row.scrollWidth));
  picture.setAttribute("height", String(row.scrollHeight));
  /** @param {number} index */
  const top = (index) => {
    const box = chips[index].getBoundingClientRect();
    return { x: box.left + box.width / 2 - origin.left + row.scrollLeft, y: box.top - origin.top + row.scrollTop };
  };
  const shown = pairs.filter(([first, second]) => chips[first] && chips[second]);
  const parts = shown.flatMap(([first, second, value], rank) =>
    arc(top(first), top(second), value, Math.abs(value) / scale, rank < NAMED_ARCS),
  );
  picture.replaceChildren(...parts);
}

/**
 * @param {{ x: number, y: number }} from
 * @param {{ x: number, y: number }} to
 * @param {number} value
 * @param {number} share of the strongest interaction
 * @param {boolean} named
 */
function arc(from, to, value, share, named) {
  const height = Math.min(HIGHEST_ARC, LOWEST_ARC + 0.1 * Math.abs(to.x - from.x));
  const bend = Math.min(from.y, to.y) - height * (4 / 3); // the curve rises to three quarters of its control points
  const colour = `rgb(${value > 0 ? FOR : AGAINST})`;
  const path = svg("path", {
    d: `M ${from.x} ${from.y} C ${from.x} ${bend} ${to.x} ${bend} ${to.x} ${to.y}`,
    fill: "none",
    stroke: colour,
    "stroke-width": (1 + 2.5 * share).toFixed(2),
    "stroke-opacity": (0.35 + 0.65 * share).toFixed(2),
    "stroke-dasharray": value > 0 ? "none" : "5 3",
  });
  if (!named) return [path];
  const place = { x: (from.x + to.x) / 2, y: Math.max(8, Math.min(from.y, to.y) - height - 3) };
  const look = { "font-size": 10, "text-anchor": "middle", fill: "currentColor", class: "nte-halo" };
  return [path, svg("text", { ...place, ...look }, formatSigned(value))];
}

/**
 * What pairs are made of: the input units, then the earlier output tokens that took part, which no arc is drawn to.
 *
 * @param {Answer} answer
 * @returns {TextPart[]}
 */
function players({ inputs, earlier = [] }) {
  return [...inputs, ...earlier.map((part) => ({ ...part, text: `… ${tokenName(part.text)}` }))];
}

/**
 * Interactions in words.
 *
 * @param {Pair[]} pairs
 * @param {TextPart[]} inputs
 */
function pairList(pairs, inputs) {
  const items = pairs.map(
    ([first, second, value]) =>
      `“${tokenName(inputs[first].text)}” with “${tokenName(inputs[second].text)}” ${formatSigned(value)}`,
  );
  return items.join(" · ") || "none above 0.05 nats";
}
