// The bar that says what the colours mean.

const BAR_STEPS = 20;
const [BAR_WIDTH, BAR_HEIGHT] = [160, 10]; // pixels

/**
 * The fill of a value.
 *
 * @param {number} share of the largest value, from -1 to 1
 * @param {number} strength opacity of the largest value
 */
function valueColour(share, strength) {
  return `rgba(${share > 0 ? FOR : AGAINST},${(strength * Math.abs(share)).toFixed(3)})`;
}

/**
 * A scale from the smallest to the largest value, with its unit.
 *
 * @param {number} scale the largest absolute value
 * @param {string} measure unit of the values; weights have no negative side
 * @param {number} strength opacity of the largest value
 */
function colourBar(scale, measure, strength) {
  const lowest = measure === "weight" ? 0 : -1;
  const name = measure === "weight" ? "attention weight" : "log-probability (nats)";
  const [width, height] = [BAR_WIDTH + 170, BAR_HEIGHT + 14];
  const label = `Colours from ${formatSigned(lowest * scale)} to ${formatSigned(scale)}: ${name}`;
  const picture = svg("svg", { width, height, role: "img", "aria-label": label, class: "nte-bar-legend" });
  const step = BAR_WIDTH / BAR_STEPS;
  for (let index = 0; index < BAR_STEPS; index += 1) {
    const share = lowest + ((1 - lowest) * (index + 0.5)) / BAR_STEPS;
    const place = { x: 14 + index * step, y: 0, width: step, height: BAR_HEIGHT };
    picture.append(svg("rect", { ...place, fill: valueColour(share, strength) }));
  }
  const frame = { x: 14, y: 0.5, width: BAR_WIDTH, height: BAR_HEIGHT - 1, fill: "none" };
  picture.append(svg("rect", { ...frame, stroke: "currentColor", "stroke-opacity": 0.35 }));
  const text = { y: BAR_HEIGHT + 10, "font-size": 10, fill: "currentColor", "text-anchor": "middle" };
  const ticks = lowest < 0 ? [-1, 0, 1] : [0, 1];
  for (const tick of ticks) {
    const x = 14 + (BAR_WIDTH * (tick - lowest)) / (1 - lowest);
    picture.append(svg("text", { ...text, x }, tick === 0 ? "0" : formatSigned(tick * scale)));
  }
  picture.append(svg("text", { ...text, x: BAR_WIDTH + 22, y: BAR_HEIGHT - 1, "text-anchor": "start" }, name));
  return picture;
}
