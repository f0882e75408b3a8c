// Judges a photograph: the ids of panels in which nothing is drawn below the title.
const TITLE = 40;
const DIFFERENT = 24; // in any colour, of 255
const LEAST = 0.0005; // of the panel's pixels

export async function blank(png) {
  const image = await createImageBitmap(await (await fetch(`data:image/png;base64,${png}`)).blob());
  const canvas = new OffscreenCanvas(image.width, image.height);
  const context = canvas.getContext('2d', { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  return [...document.querySelectorAll('[data-panel]')]
    .filter((cell) => {
      const { left, top, width, height } = cell.getBoundingClientRect();
      const inner = [left + 4, top + TITLE, width - 8, height - TITLE - 4].map((length) =>
        Math.round(length * devicePixelRatio),
      );
      return ink(context.getImageData(...inner).data) < LEAST;
    })
    .map((cell) => Number(cell.dataset.panel));
}

/** The share of pixels that do not look like the first. */
function ink(pixels) {
  let drawn = 0;
  for (let at = 0; at < pixels.length; at += 4) {
    const differs = (channel) => Math.abs(pixels[at + channel] - pixels[channel]) > DIFFERENT;
    if (differs(0) || differs(1) || differs(2)) drawn += 1;
  }
  return drawn / (pixels.length / 4);
}
