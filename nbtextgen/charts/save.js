// Saves a chart of the page as a file: its SVG, dark on white, or the same as a PNG.

/**
 * Saves a chart.
 *
 * @param {SVGSVGElement} chart with a `viewBox`
 * @param {string} file name of the file; ends in `.svg` or `.png`
 */
function saveChart(chart, file) {
  const copy = /** @type {SVGSVGElement} */ (chart.cloneNode(true));
  const [, , width, height] = (copy.getAttribute("viewBox") ?? "").split(" ").map(Number);
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.setAttribute("width", String(width));
  copy.setAttribute("height", String(height));
  copy.style.cssText += ";width:auto;height:auto;min-width:0;max-width:none;color:#222;background:#fff";
  const drawing = new Blob([new XMLSerializer().serializeToString(copy)], {
    type: "image/svg+xml",
  });
  if (file.endsWith(".svg")) {
    saveFile(drawing, file);
    return;
  }
  const image = new Image();
  image.onload = () => {
    saveImage(image, file);
    window.URL.revokeObjectURL(image.src);
  };
  image.src = window.URL.createObjectURL(drawing);
}

/**
 * Has the browser download a file.
 *
 * @param {Blob} content
 * @param {string} file its name
 */
function saveFile(content, file) {
  const link = document.createElement("a");
  link.href = window.URL.createObjectURL(content);
  link.download = file;
  link.click();
  setTimeout(() => window.URL.revokeObjectURL(link.href), 1000);
}
