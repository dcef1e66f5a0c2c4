// A picture that the node has made, on a canvas: the page's policy lets no other address than the node's be shown.

import { make } from "./make.ts";

/** Returns a canvas with a PNG, given in base64. */
export async function picture(png: string, label: string): Promise<HTMLCanvasElement> {
  const bytes = Uint8Array.from(atob(png), (c) => c.charCodeAt(0));
  const image = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
  const canvas = make("canvas", { width: image.width, height: image.height, role: "img" });
  canvas.ariaLabel = label;
  canvas.getContext("2d")!.drawImage(image, 0, 0);
  image.close();
  return canvas;
}
