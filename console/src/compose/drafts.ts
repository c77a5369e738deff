/** What is filled in besides texts; it outlasts the forms, which are removed when another kind of task is chosen. */

import type { ImageInput } from "../requests";
import type { JsonObject } from "../types";

export interface ImageDraft {
  image: ImageInput | null;
  /** The painted canvas, from which the mask is made when it is sent. */
  mask: HTMLCanvasElement | null;
}

export interface WorkflowDraft {
  name: string;
  workflow: JsonObject | null;
  texts: ReadonlyMap<string, string>;
  files: ReadonlyMap<string, File>;
}

/** Changes a draft as it is when the change arrives. */
export type Change<T> = (change: (draft: T) => T) => void;

export const NO_IMAGE: ImageDraft = { image: null, mask: null };
export const NO_WORKFLOW: WorkflowDraft = { name: "", workflow: null, texts: new Map(), files: new Map() };
