// A picture that the node has made, on a canvas: the page's policy lets no other address than the node's be shown.

import { make } from "./make.ts";

/** Returns a canvas with a PNG, given in base64, each pixel of which is shown as so many. */
export async function picture(png: string, label: string, scale = 1): Promise<HTMLCanvasElement> {
  const bytes = Uint8Array.from(atob(png), (c) => c.charCodeAt(0));
  const image = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
  const canvas = make("canvas", { width: image.width * scale, height: image.height * scale, role: "img" });
  canvas.ariaLabel = label;
  const context = canvas.getContext("2d")!;
  context.imageSmoothingEnabled = false;
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  image.close();
  return canvas;
}
