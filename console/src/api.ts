import { contentType } from "./file_types";
import { parseExactly } from "./json";
import type { Catalogue, Fault, OutputDocument, Runtime, Submitted, Task, TaskSummary } from "./types";

const SUBMIT_ATTEMPTS = 3;
const RETRY_MILLISECONDS = 1000;
/** API Gateway answers within 29 seconds; a connection that is lost would be waited for much longer. */
const ANSWER_MILLISECONDS = 40_000;
const NO_ANSWER = "There was no answer. Is the API running, and are you online?";
const NO_BUCKET =
  "The bucket did not answer. Are you online, and do the bucket's CORS rules allow this page's origin?";
/** How long before its end a presigned link is no longer used. */
const LINK_MARGIN_MILLISECONDS = 5 * 60_000;

/** An answer of the API that is not a success, with every fault that it names. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly details: Fault[] = [],
  ) {
    super(message);
  }

  /** Whether the same request may succeed later: the API was not reached, or is busy. */
  get isTemporary(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/** The URL of the API that served this page. */
export function apiBase(location: Location): string {
  return location.origin + location.pathname.replace(/\/console\/?$/, "");
}

/** Calls the API with one key. */
export class Api {
  constructor(
    readonly base: string,
    readonly key: string,
  ) {}

  async runtimes(): Promise<Runtime[]> {
    return (await this.call<{ runtimes: Runtime[] }>("GET", "/v1alpha2/runtimes")).runtimes;
  }

  /** Return what is known of a runtime's models and names, which may be nothing. */
  catalogue(runtime: string): Promise<Catalogue> {
    return this.call("GET", `/v1alpha2/runtimes/${encodeURIComponent(runtime)}`);
  }

  tasks(cursor: string | null, limit: number): Promise<{ tasks: TaskSummary[]; cursor: string | null }> {
    const query = new URLSearchParams({ limit: String(limit), ...(cursor ? { cursor } : {}) });
    return this.call("GET", `/v1alpha2/tasks?${query}`);
  }

  task(id: string): Promise<Task> {
    return this.call("GET", `/v1alpha2/tasks/${encodeURIComponent(id)}`);
  }

  cancel(id: string): Promise<Task> {
    return this.call("DELETE", `/v1alpha2/tasks/${encodeURIComponent(id)}`);
  }

  deleteOutputs(id: string): Promise<Task> {
    return this.call("DELETE", `/v1alpha2/tasks/${encodeURIComponent(id)}/outputs`);
  }

  /** Submit a body; sent again if no answer came, which is safe because the API recognizes the same task. */
  async submit(body: string): Promise<Submitted> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.call("POST", "/v1alpha2", body);
      } catch (error) {
        if (!(error instanceof ApiError) || !error.isTemporary || attempt >= SUBMIT_ATTEMPTS) throw error;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MILLISECONDS * attempt));
      }
    }
  }

  /** Upload an input and return its `s3://` link. */
  async upload(file: Blob): Promise<string> {
    const type = contentType(file);
    const form = await this.call<{ url: string; fields: Record<string, string>; s3: string }>(
      "POST",
      "/v1alpha2/uploads",
      type ? JSON.stringify({ content_type: type }) : undefined,
    );
    const data = new FormData();
    for (const [name, value] of Object.entries(form.fields)) data.append(name, value);
    data.append("file", file);
    const response = await reach(form.url, { method: "POST", body: data }, NO_BUCKET);
    if (!response.ok) throw new ApiError(response.status, "upload_failed", await uploadFailure(response));
    return form.s3;
  }

  private async call<T>(method: string, path: string, body?: string): Promise<T> {
    const headers: Record<string, string> = { "x-api-key": this.key };
    if (body !== undefined) headers["content-type"] = "application/json";
    const signal = AbortSignal.timeout(ANSWER_MILLISECONDS);
    const request: RequestInit = { method, headers, cache: "no-store", signal };
    if (body !== undefined) request.body = body;
    const response = await reach(this.base + path, request, NO_ANSWER);
    const text = await received(response.text(), NO_ANSWER);
    if (!response.ok) throw errorOf(response.status, text);
    try {
      return JSON.parse(text) as T;
    } catch {
      throw new ApiError(response.status, "unreadable", "The answer is not one of the API.");
    }
  }
}

/** Download an object by its presigned link. */
export async function download(url: string): Promise<Blob> {
  const response = await reach(url, {}, NO_BUCKET);
  if (!response.ok)
    throw new ApiError(
      response.status,
      "download_failed",
      "The file could not be downloaded: it may be deleted.",
    );
  return received(response.blob(), NO_BUCKET);
}

export async function outputDocument(url: string): Promise<OutputDocument> {
  return parseExactly(await (await download(url)).text()) as OutputDocument;
}

export function isExpired(link: { expires_at: string }): boolean {
  return Date.parse(link.expires_at) - LINK_MARGIN_MILLISECONDS < Date.now();
}

function reach(url: string, request: RequestInit, failure: string): Promise<Response> {
  return received(fetch(url, request), failure);
}

/** Return what arrives; the connection may also be lost while it does. */
async function received<T>(arriving: Promise<T>, failure: string): Promise<T> {
  try {
    return await arriving;
  } catch {
    throw new ApiError(0, "unreachable", failure);
  }
}

function errorOf(status: number, text: string): ApiError {
  try {
    const { code, message, details } = JSON.parse(text).error;
    return new ApiError(status, code, message, details ?? []);
  } catch {
    return new ApiError(status, "unreadable", `The API answered ${status} without an explanation.`);
  }
}

async function uploadFailure(response: Response): Promise<string> {
  const text = await response.text();
  const reason = /<Message>([^<]*)<\/Message>/.exec(text)?.[1] ?? `status ${response.status}`;
  return `The upload was refused: ${reason}`;
}
