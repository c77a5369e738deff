/** Reading and changing a ComfyUI workflow in API format. */

import { parseExactly } from "./json";
import { numberOrText } from "./requests";
import type { Json, JsonObject } from "./types";

export interface WorkflowInput {
  node: string;
  /** The node's title, or its class. */
  title: string;
  name: string;
  value: string | number | boolean;
  /** The kinds of files that the input takes, as an input element names them; null if it takes none. */
  accept: string | null;
}

/** Inputs of core nodes that name a file of the caller. A sound may be that of a video. */
const FILE_INPUTS: Readonly<Record<string, string>> = {
  image: "image/*",
  audio: "audio/*,video/*,.mkv,.opus",
  video: "video/*,.mkv",
  file: "video/*,.mkv",
};
const FILE_CLASSES = /^Load(Image|ImageMask|Audio|Video)$|^VHS_Load/;

/** Return a dropped file's workflow in API format; throw an Error with what to do instead. */
export function readWorkflow(text: string): JsonObject {
  let value: Json;
  try {
    value = parseExactly(text);
  } catch {
    throw new Error("The file is not JSON. Drop the file that ComfyUI saves with “Export (API)”.");
  }
  if (isObject(value) && isObject(value.input ?? null)) value = value.input as JsonObject;
  if (isObject(value) && Array.isArray(value.nodes) && Array.isArray(value.links)) {
    throw new Error(
      "This is the file of ComfyUI's editor. Use “Export (API)” in ComfyUI and drop that file.",
    );
  }
  for (const key of ["prompt", "workflow"]) {
    if (isObject(value) && isObject(value[key] ?? null) && !isNode(value[key] ?? null))
      value = value[key] as Json;
  }
  if (!isObject(value) || Object.keys(value).length === 0 || !Object.values(value).every(isNode)) {
    throw new Error("The file is not a workflow: each of its entries needs a class_type and inputs.");
  }
  return value;
}

/** Return the inputs that a person may want to change: plain values, in the order of the workflow. */
export function workflowInputs(workflow: JsonObject): WorkflowInput[] {
  const found: WorkflowInput[] = [];
  for (const [node, entry] of Object.entries(workflow)) {
    if (!isNode(entry)) continue;
    const title = titleOf(entry);
    for (const [name, value] of Object.entries(entry.inputs)) {
      if (typeof value === "object") continue; // a link to another node
      const accept = FILE_CLASSES.test(entry.class_type) ? (FILE_INPUTS[name] ?? null) : null;
      found.push({ node, title, name, value, accept });
    }
  }
  return found;
}

/** Return a copy of a workflow with other values, by `node` and `name`, each of the same kind as before. */
export function withInputs(workflow: JsonObject, texts: ReadonlyMap<string, string>): JsonObject {
  const changed = structuredClone(workflow);
  for (const { node, name, value } of workflowInputs(workflow)) {
    const text = texts.get(inputKey(node, name));
    if (text !== undefined) (changed[node] as Node).inputs[name] = like(value, text);
  }
  return changed;
}

/** The key of an input among others of the same workflow. */
export function inputKey(node: string, name: string): string {
  return JSON.stringify([node, name]);
}

interface Node extends JsonObject {
  class_type: string;
  inputs: JsonObject;
}

function like(before: Json, text: string): Json {
  if (typeof before === "boolean") return text === "true";
  return typeof before === "number" ? numberOrText(text) : text;
}

function titleOf(node: Node): string {
  const meta = node._meta;
  const title = isObject(meta ?? null) ? (meta as JsonObject).title : undefined;
  return typeof title === "string" && title !== "" ? title : node.class_type;
}

function isNode(value: Json): value is Node {
  return isObject(value) && typeof value.class_type === "string" && isObject(value.inputs ?? null);
}

function isObject(value: Json): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
