/** Bodies of `POST /v1alpha2` from what is filled in on the page. */

import type { Json, JsonObject } from "./types";

export type TaskType = "text-to-image" | "image-to-image" | "extra-single-image";

/** An image that a task takes: a local file, or one in a bucket that the workers read. */
export interface ImageInput {
  file?: Blob;
  s3?: string;
  preview: string;
  name: string;
}

export interface ImageForm {
  prompt: string;
  negativePrompt: string;
  steps: string;
  width: string;
  height: string;
  cfgScale: string;
  seed: string;
  batchSize: string;
  sampler: string;
  checkpoint: string;
  strength: string;
  resize: string;
  upscaler: string;
}

export const EMPTY_FORM: ImageForm = {
  prompt: "",
  negativePrompt: "",
  steps: "20",
  width: "512",
  height: "512",
  cfgScale: "7",
  seed: "-1",
  batchSize: "1",
  sampler: "",
  checkpoint: "",
  strength: "0.75",
  resize: "2",
  upscaler: "R-ESRGAN 4x+",
};

/** The field of a task's content that each field of the form becomes. */
export const CONTENT_FIELDS: Record<keyof ImageForm, string> = {
  prompt: "prompt",
  negativePrompt: "negative_prompt",
  steps: "steps",
  width: "width",
  height: "height",
  cfgScale: "cfg_scale",
  seed: "seed",
  batchSize: "batch_size",
  sampler: "sampler_name",
  checkpoint: "alwayson_scripts/sd_model_checkpoint",
  strength: "denoising_strength",
  resize: "upscaling_resize",
  upscaler: "upscaler_1",
};

const GENERATED: (keyof ImageForm)[] = [
  "prompt",
  "negativePrompt",
  "steps",
  "width",
  "height",
  "cfgScale",
  "seed",
  "batchSize",
  "sampler",
];

const FIELDS: Record<TaskType, (keyof ImageForm)[]> = {
  "text-to-image": GENERATED,
  "image-to-image": [...GENERATED, "strength"],
  "extra-single-image": ["resize", "upscaler"],
};

const TEXTS = new Set<keyof ImageForm>(["prompt", "negativePrompt", "sampler", "checkpoint", "upscaler"]);

/** Return the content of a task; images are `s3://` links, and empty fields are left out. */
export function imageContent(
  tasktype: TaskType,
  form: ImageForm,
  images: { image?: string; mask?: string },
): JsonObject {
  const content: JsonObject = {};
  for (const field of FIELDS[tasktype]) {
    const text = form[field].trim();
    if (text !== "") content[CONTENT_FIELDS[field]] = TEXTS.has(field) ? text : numberOrText(text);
  }
  if (tasktype !== "extra-single-image" && form.checkpoint.trim() !== "") {
    content.alwayson_scripts = { sd_model_checkpoint: form.checkpoint.trim() };
  }
  if (images.image !== undefined) {
    if (tasktype === "extra-single-image") content.image = images.image;
    else content.init_images = [images.image];
  }
  if (images.mask !== undefined) content.mask = images.mask;
  return content;
}

/** Return the body of a submit. */
export function submitBody(runtime: string, tasktype: string, id: string, content: Json): JsonObject {
  return { task: { metadata: { id, runtime, tasktype, prefix: "console" }, content } };
}

/** Return an id that no other task has. */
export function newTaskId(tasktype: string): string {
  const random = Array.from(crypto.getRandomValues(new Uint8Array(4)), (byte) =>
    byte.toString(16).padStart(2, "0"),
  ).join("");
  return `${tasktype}-${new Date().toISOString().slice(0, 19).replace(/[-:]/g, "")}-${random}`;
}

/** A number as such; anything else stays text, so that the API's error names the field, and so do integers
 * that would lose digits, which the API reads from text. */
export function numberOrText(text: string): number | string {
  const value = Number(text);
  const losesDigits = Number.isInteger(value) && !Number.isSafeInteger(value);
  return text.trim() !== "" && Number.isFinite(value) && !losesDigits ? value : text;
}
