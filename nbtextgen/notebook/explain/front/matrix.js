// The matrix of all output tokens against all input units.

/** @typedef {{ cell?: number }} Zoom `cell`: size of a cell in pixels; none until the reader zooms */

const FOR = "217,95,2";
const AGAINST = "31,120,180";
const MAX_LABEL = 14; // characters
const [WIDTH, HEIGHT] = [760, 500]; // pixels that a matrix fills at first
const [MIN_CELL, MAX_CELL] = [5, 64];
const NUMBERED_CELL = 34; // pixels from which a cell shows its number
const MATRIX_STRENGTH = 0.85; // opacity of the largest value
const INVISIBLE_SHARE = 0.02; // cells below this share of the largest value are left out, so that long texts stay light

const DIVIDER = 10; // pixels between the input units and the earlier output

/**
 * The matrix of an answer: its columns are the input units, then the earlier output tokens if they are part of the game.
 *
 * @param {Answer} answer
 */
function matrixOf({ inputs, outputs, values, earlier = [], earlierValues, measure }) {
  const joined = earlierValues ? values.map((row, index) => [...row, ...earlierValues[index]]) : values;
  const columns = earlierValues ? [...inputs, ...earlier] : inputs;
  return { columns, rows: outputs, values: joined, inputs: inputs.length, measure };
}

/** @typedef {ReturnType<typeof matrixOf>} Matrix */

/**
 * Left edge of a column, counted from the left edge of the first.
 *
 * @param {Matrix} matrix
 * @param {number} column
 * @param {number} cell
 */
function columnLeft(matrix, column, cell) {
  return cell * column + (column >= matrix.inputs && column > 0 && matrix.columns.length > matrix.inputs ? DIVIDER : 0);
}

/** @param {string} text */
function matrixLabel(text) {
  const characters = codePoints(tokenName(text));
  return characters.length > MAX_LABEL ? `${characters.slice(0, MAX_LABEL - 1).join("")}…` : characters.join("");
}

/**
 * Sizes of the cells and margins, in pixels. Column labels stand upright where they fit, and lean where they do not.
 *
 * @param {Matrix} matrix
 * @param {number} cell
 */
function matrixLayout(matrix, cell) {
  /** @param {TextPart[]} parts */
  const longest = (parts) => Math.max(1, ...parts.map((part) => textWidth(matrixLabel(part.text))));
  const font = Math.max(8, Math.min(13, cell * 0.62));
  const upright = longest(matrix.columns) * font * 0.62 <= cell - 2;
  const slope = longest(matrix.columns) * font * 0.62 * Math.SQRT1_2;
  const left = Math.max(longest(matrix.rows) * font * 0.66 + 14, 62);
  const top = (upright ? font : slope + font) + 26;
  const size = {
    width: columnLeft(matrix, matrix.columns.length, cell),
    height: cell * matrix.rows.length,
  };
  const width = left + size.width + (upright ? 6 : slope + 8);
  return { cell, font, upright, left, top, size, width, height: top + size.height + 6 };
}

/**
 * Draws the matrix.
 *
 * @param {Matrix} matrix
 * @param {number} cell
 */
function matrixSvg(matrix, cell) {
  const layout = matrixLayout(matrix, cell);
  const { font, left, top, size, width, height } = layout;
  const root = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, class: "nte-svg" });
  root.append(...matrixTitles(matrix, layout));
  const every = Math.ceil((font + 1) / cell); // small cells have room for some of the labels
  for (const [column, part] of matrix.columns.entries()) {
    if (column % every === 0)
      root.append(columnLabel(part, left + columnLeft(matrix, column, cell) + cell / 2, layout));
  }
  root.append(svg("rect", { x: left, y: top, ...size, fill: "none", stroke: "currentColor", "stroke-opacity": 0.25 }));
  const scale = largest(matrix.values.flat());
  const text = { "font-size": font, fill: "currentColor", "dominant-baseline": "central", "text-anchor": "end" };
  for (const [row, part] of matrix.rows.entries()) {
    const y = top + cell * (row + 0.5);
    if (row % every === 0) root.append(svg("text", { x: left - 6, y, ...text }, matrixLabel(part.text)));
    for (const [column, value] of matrix.values[row].entries()) {
      const x = left + columnLeft(matrix, column, cell);
      root.append(...matrixCell(value, Math.abs(value) / scale, x, top + cell * row, cell));
    }
  }
  return root;
}

/**
 * @param {TextPart} part
 * @param {number} x middle of the column
 * @param {ReturnType<typeof matrixLayout>} layout
 */
function columnLabel(part, x, { font, top, upright }) {
  const y = top - 7;
  const text = svg("text", { x, y, "font-size": font, fill: "currentColor" }, matrixLabel(part.text));
  if (upright) text.setAttribute("text-anchor", "middle");
  else text.setAttribute("transform", `rotate(-45 ${x} ${y})`);
  return text;
}

/**
 * What rows and columns are.
 *
 * @param {Matrix} matrix
 * @param {ReturnType<typeof matrixLayout>} layout
 */
function matrixTitles(matrix, { cell, left, top }) {
  const look = { "font-size": 11, fill: "currentColor", "fill-opacity": 0.75 };
  const titles = [
    svg("text", { x: left, y: 11, ...look }, "input →"),
    svg("text", { x: left - 6, y: top - 6, "text-anchor": "end", ...look }, "output ↓"),
  ];
  if (matrix.columns.length === matrix.inputs) return titles;
  const x = left + columnLeft(matrix, matrix.inputs, cell);
  return [...titles, svg("text", { x: Math.max(x, left + 52), y: 11, ...look }, "earlier output →")];
}

/**
 * Width of a text in characters of average width; East Asian ones are twice as wide.
 *
 * @param {string} text
 */
function textWidth(text) {
  return codePoints(text).reduce(
    (sum, character) => sum + (/[\u1100-\u115f\u2e80-\uffdc]/.test(character) ? 1.7 : 1),
    0,
  );
}

/**
 * @param {number} value
 * @param {number} share of the largest value, which sets the opacity
 * @param {number} x
 * @param {number} y
 * @param {number} cell
 */
function matrixCell(value, share, x, y, cell) {
  if (share < INVISIBLE_SHARE) return [];
  const fill = valueColour(Math.sign(value) * share, MATRIX_STRENGTH);
  const size = { width: cell - 1, height: cell - 1, rx: Math.min(3, cell / 8) };
  const rectangle = svg("rect", { x: x + 0.5, y: y + 0.5, ...size, fill });
  if (cell < NUMBERED_CELL) return [rectangle];
  const font = { "font-size": Math.min(11, cell * 0.28), "text-anchor": "middle", "dominant-baseline": "central" };
  const place = { x: x + cell / 2, y: y + cell / 2 };
  return [rectangle, svg("text", { ...place, ...font, fill: "currentColor" }, formatSigned(value))];
}

/**
 * The cell under a point of the picture, or null outside.
 *
 * @param {Matrix} matrix
 * @param {number} cell
 * @param {number} x
 * @param {number} y
 */
function cellAt(matrix, cell, x, y) {
  const { left, top } = matrixLayout(matrix, cell);
  const beyond = x - left >= columnLeft(matrix, matrix.inputs, cell) && matrix.columns.length > matrix.inputs;
  const [row, column] = [Math.floor((y - top) / cell), Math.floor((x - left - (beyond ? DIVIDER : 0)) / cell)];
  const inside = row >= 0 && column >= 0 && row < matrix.rows.length && column < matrix.columns.length;
  return inside ? { row, column } : null;
}

/**
 * The matrix with a zoom slider and a cursor.
 *
 * @param {Answer} answer
 * @param {Zoom} zoom kept between two drawings
 * @param {(cell: { row: number, column: number } | null) => void} onCell the cell that is read, or null
 */
function matrixView(answer, zoom, onCell) {
  const matrix = matrixOf(answer);
  const [rows, columns] = [matrix.rows.length, matrix.columns.length];
  const slider = el("input", { type: "range", min: MIN_CELL, max: MAX_CELL, "aria-label": "Zoom", class: "nte-zoom" });
  const fitting = Math.max(9, Math.min(44, WIDTH / (columns + 3), HEIGHT / (rows + 2)));
  slider.value = String(Math.round(zoom.cell ?? fitting));
  const earlier = columns > matrix.inputs ? "earlier output tokens and " : "";
  const label = `Matrix of ${rows} output tokens by ${columns} ${earlier}input units; arrow keys read its cells`;
  const frame = el("div", { class: "nte-scroll", tabindex: "0", role: "img", "aria-label": label });
  const cursor = svg("rect", { fill: "none", stroke: "currentColor", "stroke-width": 2, "data-cursor": "" });
  let current = { row: 0, column: 0 };

  const cellSize = () => Number(slider.value);
  const draw = () => {
    zoom.cell = cellSize();
    cursor.setAttribute("width", slider.value);
    cursor.setAttribute("height", slider.value);
    cursor.setAttribute("visibility", "hidden");
    const picture = matrixSvg(matrix, zoom.cell);
    picture.append(cursor);
    frame.replaceChildren(picture);
  };
  /** @param {{ row: number, column: number } | null} cell */
  const read = (cell) => {
    cursor.setAttribute("visibility", cell ? "visible" : "hidden");
    if (cell) {
      current = cell;
      const { left, top } = matrixLayout(matrix, cellSize());
      cursor.setAttribute("x", String(left + columnLeft(matrix, cell.column, cellSize())));
      cursor.setAttribute("y", String(top + cellSize() * cell.row));
    }
    onCell(cell);
  };
  /** @param {string} key */
  const onKey = (key) => {
    /** @type {Record<string, [down: number, right: number]>} */
    const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    const zoomed = { "+": 4, "-": -4 }[key];
    if (zoomed) {
      slider.value = String(cellSize() + zoomed);
      draw();
      read(current);
    } else if (steps[key]) {
      const [down, right] = steps[key];
      const row = Math.min(rows - 1, Math.max(0, current.row + down));
      read({ row, column: Math.min(columns - 1, Math.max(0, current.column + right)) });
    } else return false;
    return true;
  };
  frame.addEventListener("mousemove", (event) => {
    const box = /** @type {Element} */ (frame.firstElementChild).getBoundingClientRect();
    read(cellAt(matrix, cellSize(), event.clientX - box.left, event.clientY - box.top));
  });
  frame.addEventListener("mouseleave", () => read(null));
  frame.addEventListener("focus", () => read(current));
  frame.addEventListener("keydown", (event) => {
    if (!onKey(event.key)) return;
    scrollClear(frame, cursor);
    event.preventDefault();
    event.stopPropagation();
  });
  slider.addEventListener("input", draw);
  draw();
  const bar = colourBar(largest(matrix.values.flat()), matrix.measure, MATRIX_STRENGTH);
  const tools = el("div", { class: "nte-tools" }, el("label", { class: "nte-label" }, "Zoom ", slider), bar);
  return el("div", { class: "nte-matrix" }, tools, frame);
}

/**
 * Scrolls so that an element stands clear of the edges.
 *
 * @param {HTMLElement} frame
 * @param {Element} node
 */
function scrollClear(frame, node) {
  const margin = 40;
  const [box, target] = [frame.getBoundingClientRect(), node.getBoundingClientRect()];
  frame.scrollLeft += Math.min(0, target.left - box.left - margin) + Math.max(0, target.right - box.right + margin);
  frame.scrollTop += Math.min(0, target.top - box.top - margin) + Math.max(0, target.bottom - box.bottom + margin);
}
