/** What the page reads of the API's responses; the API's OpenAPI document describes them in full. */

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

export type Status = "queued" | "running" | "completed" | "failed" | "cancelled";

/** A mistake in a request: a JSON pointer to it, and what is wrong. */
export interface Fault {
  path: string;
  message: string;
}

export interface Runtime {
  name: string;
  type: string;
  model: string | null;
  dynamic_model: boolean;
  queued: number;
  in_flight: number;
}

export interface Link {
  s3: string;
  url: string;
  expires_at: string;
}

export interface TaskSummary {
  id: string;
  status: Status;
  runtime: string;
  tasktype: string;
  submitted_at: string;
  started_at: string | null;
  finished_at: string | null;
  /** Why the page could not read more of it. */
  problem?: string;
}

export interface Task extends TaskSummary {
  progress: number;
  position: number | null;
  position_capped?: boolean;
  estimated_finish?: string | null;
  attempts: number;
  cancel_requested: string | null;
  images: Link[];
  images_left_out?: number;
  other_images: (Link & { kind: string })[];
  other_images_left_out?: number;
  output: Link | null;
  error: { code: string; message: string } | null;
  outputs_deleted_at: string | null;
}

export interface Submitted {
  id: string;
  warnings: Fault[];
}

/** What a worker records of one image in the task's output document. */
export interface Receipt {
  key: string;
  width?: number;
  height?: number;
  seed?: number | string | null;
  model?: string | null;
  infotext?: string | null;
}

export interface OutputDocument {
  images?: Receipt[];
  /** Of a workflow: the seed of each `NODE.INPUT`. */
  seeds?: JsonObject;
  texts?: { node: string; key: string; value: string[] }[];
  warnings?: Fault[];
}

/** What tasks of a runtime may name: models of the bucket, and what the last ready worker reported. */
export interface Catalogue {
  models?: { kind: string; name: string }[] | null;
  engine?: { samplers?: string[]; upscalers?: string[] } | null;
}

export function isFinal(status: Status): boolean {
  return status === "completed" || status === "failed" || status === "cancelled";
}
