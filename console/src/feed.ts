/** The newest tasks of the deployment, kept up to date while the page is visible. */

import { type Api, ApiError, isExpired } from "./api";
import { isFinal, type Link, type Task, type TaskSummary } from "./types";

/** Every list costs the API a query for each runtime and status; reading one task costs a single read. */
const LIST_MILLISECONDS = 10_000;
const ROUND_MILLISECONDS = 1_500;
/** A read of a queued task also counts the tasks before it. */
const QUEUED_MILLISECONDS = 6_000;
const MAX_PAUSE_MILLISECONDS = 30_000;
const LIMIT = 24;
/** An expired row, or one of a newer version: other tasks can be read all the same. */
const ABOUT_ONE_TASK = new Set([404, 409]);
/** Tasks read in one round: those that were read longest ago. */
const READS = 6;

export interface Feed {
  tasks: (TaskSummary | Task)[];
  /** Whether older tasks can be loaded. */
  hasMore: boolean;
  /** Why the last reading failed, or null. */
  problem: ApiError | null;
}

/** Return the links to what a task has stored. */
export function linksOf(task: Task): Link[] {
  return [...task.images, ...task.other_images, ...(task.output ? [task.output] : [])];
}

export function hasDetails(task: TaskSummary | Task): task is Task {
  return "images" in task;
}

/** Reads tasks until it is stopped and calls `changed` with each new state. */
export class TaskFeed {
  private readonly tasks = new Map<string, TaskSummary | Task>();
  /** When each task was read last. */
  private readonly readAt = new Map<string, number>();
  /** Where the tasks begin that are older than all those listed. */
  private cursor: string | null = null;
  private hasOlderPages = false;
  private listedAt = 0;
  private pause = ROUND_MILLISECONDS;
  private timer: number | undefined;
  private isRunning = false;
  private isStopped = false;
  private isLoadingMore = false;
  private moreProblem: ApiError | null = null;

  constructor(
    private readonly api: Api,
    private readonly changed: (feed: Feed) => void,
  ) {}

  start(): void {
    this.isStopped = false;
    document.addEventListener("visibilitychange", this.onVisible);
    void this.round();
  }

  stop(): void {
    this.isStopped = true;
    document.removeEventListener("visibilitychange", this.onVisible);
    clearTimeout(this.timer);
  }

  /** Read the list at once, for example after a submit. */
  refresh(): void {
    this.listedAt = 0;
    this.pause = ROUND_MILLISECONDS;
    if (!this.isRunning) void this.round();
  }

  /** Show the next older tasks too. */
  async loadMore(): Promise<void> {
    const { cursor } = this;
    if (!cursor || this.isLoadingMore) return;
    this.isLoadingMore = true;
    this.moreProblem = null;
    const hadOlderPages = this.hasOlderPages;
    // From here on, the list of the newest tasks removes none that this page follows on.
    this.hasOlderPages = true;
    try {
      const page = await this.api.tasks(cursor, LIMIT);
      // The list may have begun anew meanwhile.
      if (!this.hasOlderPages) return;
      this.cursor = page.cursor;
      for (const summary of page.tasks) this.addListed(summary);
      this.publish(null);
    } catch (error) {
      this.hasOlderPages &&= hadOlderPages;
      this.moreProblem = asApiError(error);
      this.publish(null);
    } finally {
      this.isLoadingMore = false;
    }
  }

  /** Show a task as an answer of the API describes it, before the next reading. */
  update(task: Task): void {
    this.tasks.set(task.id, task);
    this.publish(null);
  }

  private readonly onVisible = (): void => {
    if (!document.hidden) this.refresh();
  };

  private async round(): Promise<void> {
    clearTimeout(this.timer);
    this.isRunning = true;
    let problem: ApiError | null = null;
    try {
      if (Date.now() - this.listedAt >= LIST_MILLISECONDS) await this.list();
      problem = await this.readDetails();
    } catch (error) {
      problem = asApiError(error);
    }
    this.isRunning = false;
    this.publish(problem);
    if (this.isStopped) return;
    this.pause = problem ? Math.min(2 * this.pause, MAX_PAUSE_MILLISECONDS) : ROUND_MILLISECONDS;
    if (document.hidden) return;
    // A refresh during this round asks for another one at once.
    const pause = this.listedAt === 0 && !problem ? 0 : this.pause;
    this.timer = setTimeout(() => void this.round(), pause);
  }

  private async list(): Promise<void> {
    this.listedAt = Date.now();
    const page = await this.api.tasks(null, LIMIT);
    const oldest = page.tasks.at(-1)?.submitted_at ?? "";
    const listed = new Set(page.tasks.map(({ id }) => id));
    // Between this page and the older ones, there may be more new tasks than a page has.
    if (page.cursor && ![...this.tasks.keys()].some((id) => listed.has(id))) this.hasOlderPages = false;
    for (const task of [...this.tasks.values()]) {
      const isOlder = this.hasOlderPages && task.submitted_at <= oldest;
      if (!listed.has(task.id) && !isOlder) this.tasks.delete(task.id);
    }
    for (const summary of page.tasks) this.addListed(summary);
    if (!this.hasOlderPages) this.cursor = page.cursor;
  }

  /** Keep the details of a task that has not changed since they were read. */
  private addListed(summary: TaskSummary): void {
    const known = this.tasks.get(summary.id);
    const isSame = known?.submitted_at === summary.submitted_at && known.status === summary.status;
    if (isSame) return;
    this.tasks.set(summary.id, summary);
    this.readAt.delete(summary.id);
  }

  /** Read what may have changed, and return an error that is not about one task only. */
  private async readDetails(): Promise<ApiError | null> {
    const due = [...this.tasks.values()].filter((task) => this.isDue(task));
    due.sort((one, other) => this.lastRead(one) - this.lastRead(other));
    const chosen = due.slice(0, READS);
    const read = await Promise.allSettled(chosen.map(({ id }) => this.api.task(id)));
    let problem: ApiError | null = null;
    for (const [index, result] of read.entries()) {
      const before = chosen[index] as TaskSummary;
      this.readAt.set(before.id, Date.now());
      // Meanwhile, the answer to a cancellation or deletion may have arrived, which is newer.
      if (this.tasks.get(before.id) !== before) continue;
      if (result.status === "fulfilled") {
        this.tasks.set(before.id, result.value);
        continue;
      }
      const failure = asApiError(result.reason);
      if (ABOUT_ONE_TASK.has(failure.status))
        this.tasks.set(before.id, { ...before, problem: failure.message });
      else problem = failure;
    }
    return problem;
  }

  private isDue(task: TaskSummary | Task): boolean {
    if (task.problem) return Date.now() - this.lastRead(task) >= MAX_PAUSE_MILLISECONDS;
    if (!hasDetails(task)) return true;
    if (task.status === "queued") return Date.now() - this.lastRead(task) >= QUEUED_MILLISECONDS;
    if (!isFinal(task.status)) return true;
    // By a clock that is wrong, new links have expired too: without a pause they would be read for ever.
    return linksOf(task).some(isExpired) && Date.now() - this.lastRead(task) >= LIST_MILLISECONDS;
  }

  private lastRead(task: TaskSummary): number {
    return this.readAt.get(task.id) ?? 0;
  }

  private publish(problem: ApiError | null): void {
    if (this.isStopped) return;
    const tasks = [...this.tasks.values()].sort((one, other) =>
      other.submitted_at.localeCompare(one.submitted_at),
    );
    this.changed({ tasks, hasMore: this.cursor !== null, problem: problem ?? this.moreProblem });
  }
}

function asApiError(error: unknown): ApiError {
  return error instanceof ApiError ? error : new ApiError(0, "unreadable", String(error));
}
