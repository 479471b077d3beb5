// Saves an image that holds a picture in SVG: as it is, or drawn on a canvas as a PNG, on white.
// In a handler that stands in an attribute, names of the document come first: there `URL` is the address of the page.

/**
 * @param {HTMLImageElement} image its source is a `data:` address
 * @param {string} file name of the file; ends in `.svg` or `.png`
 */
function saveImage(image, file) {
  const link = document.createElement("a");
  link.download = file;
  link.href = image.src;
  if (file.endsWith(".png")) {
    const canvas = document.createElement("canvas");
    canvas.width = 2 * image.naturalWidth;
    canvas.height = 2 * image.naturalHeight;
    const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    pen.fillStyle = "#fff";
    pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.drawImage(image, 0, 0, canvas.width, canvas.height);
    link.href = canvas.toDataURL("image/png");
  }
  link.click();
}
