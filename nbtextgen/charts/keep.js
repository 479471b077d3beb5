// Saves a chart as a file: its SVG as it stands, dark on white, or drawn on a canvas as a PNG.
// In a handler that stands in an attribute, names of the document come first: there `URL` is the address of the page.
function keepChart(svg, file) {
  const copy = svg.cloneNode(true);
  const [, , width, height] = copy.getAttribute("viewBox").split(" ").map(Number);
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.setAttribute("width", width);
  copy.setAttribute("height", height);
  copy.style.cssText += ";width:auto;height:auto;min-width:0;max-width:none;color:#222;background:#fff";
  const drawing = new Blob([new XMLSerializer().serializeToString(copy)], { type: "image/svg+xml" });
  if (file.endsWith(".svg")) return keepFile(drawing, file);
  const address = window.URL.createObjectURL(drawing);
  const image = new Image();
  image.onload = () => {
    const canvas = document.createElement("canvas");
    canvas.width = 2 * width;
    canvas.height = 2 * height;
    const pen = canvas.getContext("2d");
    pen.fillStyle = "#fff";
    pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.drawImage(image, 0, 0, canvas.width, canvas.height);
    window.URL.revokeObjectURL(address);
    canvas.toBlob((picture) => keepFile(picture, file), "image/png");
  };
  image.src = address;
}
function keepFile(content, file) {
  const link = document.createElement("a");
  link.href = window.URL.createObjectURL(content);
  link.download = file;
  link.click();
  setTimeout(() => window.URL.revokeObjectURL(link.href), 1000);
}
