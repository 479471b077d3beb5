// Saves a chart as a file: its SVG, dark on white, or drawn on a canvas as a PNG.
// In a handler that stands in an attribute, names of the document come first: there `URL` is the address of the page.

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
  const address = window.URL.createObjectURL(drawing);
  const image = new Image();
  image.onload = () => {
    const canvas = document.createElement("canvas");
    canvas.width = 2 * width;
    canvas.height = 2 * height;
    const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    pen.fillStyle = "#fff";
    pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.drawImage(image, 0, 0, canvas.width, canvas.height);
    window.URL.revokeObjectURL(address);
    canvas.toBlob((png) => png && saveFile(png, file), "image/png");
  };
  image.src = address;
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
