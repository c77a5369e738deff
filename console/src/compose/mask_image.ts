/** Masks as images: white is to change, black stays. On the canvas, what is to change is covered with a color. */

const COVER = [255, 64, 64] as const;
export const COVER_COLOR = `rgb(${COVER.join(" ")})`;
/** How much the shape of a mask may differ from that of its image: by a rounded pixel, for example. */
const SHAPE_TOLERANCE = 0.02;

/** Return what is painted, as it is at the call, as a PNG: white where it is painted, black elsewhere. */
export function blackAndWhite(painted: HTMLCanvasElement): Promise<Blob> {
  const { canvas, context } = scratch(painted.width, painted.height);
  context.drawImage(painted, 0, 0);
  context.globalCompositeOperation = "source-in";
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.globalCompositeOperation = "destination-over";
  context.fillStyle = "#000";
  context.fillRect(0, 0, canvas.width, canvas.height);
  return new Promise((resolve, reject) =>
    canvas.toBlob(
      (blob) => (blob ? resolve(blob) : reject(new Error("The browser could not write the mask as PNG."))),
      "image/png",
    ),
  );
}

/** Read a mask from a file into what covers a canvas of this size; throw an Error if it is none of its image. */
export async function coverFromFile(file: File, width: number, height: number): Promise<ImageData> {
  const mask = await createImageBitmap(file).catch(() => {
    throw new Error(`The browser cannot read ${file.name} as an image.`);
  });
  const isOtherShape = Math.abs((mask.width * height) / (mask.height * width) - 1) > SHAPE_TOLERANCE;
  if (isOtherShape) {
    const sizes = `${mask.width} × ${mask.height}, but the image ${width} × ${height}`;
    throw new Error(`The mask is ${sizes}: both must have the same shape.`);
  }
  const { context } = scratch(width, height);
  context.drawImage(mask, 0, 0, width, height);
  mask.close();
  const cover = context.getImageData(0, 0, width, height);
  const { data } = cover;
  let isEmpty = true;
  for (let at = 0; at < data.length; at += 4) {
    const [red, green, blue, alpha] = data.subarray(at, at + 4) as unknown as [
      number,
      number,
      number,
      number,
    ];
    const white = Math.round(((0.299 * red + 0.587 * green + 0.114 * blue) * alpha) / 255);
    data.set([...COVER, white], at);
    if (white > 0) isEmpty = false;
  }
  if (isEmpty) throw new Error("Nothing in the mask is white, so nothing would change.");
  return cover;
}

function scratch(width: number, height: number) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  if (!context) throw new Error("The browser has no memory for a mask of this size.");
  return { canvas, context };
}
