/** The newest tasks of the deployment, kept up to date while the page is visible. */

import { type Api, ApiError, isExpired } from "./api";
import { isFinal, type Task, type TaskSummary } from "./types";

/** Every list costs the API a query for each runtime and status; reading one task costs a single read. */
const LIST_MILLISECONDS = 10_000;
const ACTIVE_MILLISECONDS = 1_500;
const LIMIT = 24;
/** Tasks read at once; the others follow in the next rounds. */
const READS = 8;

export interface Feed {
  tasks: (TaskSummary | Task)[];
  /** Whether older tasks can be loaded. */
  hasMore: boolean;
  /** Why the last reading failed, or null. */
  problem: ApiError | null;
}

export function hasDetails(task: TaskSummary | Task): task is Task {
  return "images" in task;
}

/** Reads tasks until it is stopped and calls `changed` with each new state. */
export class TaskFeed {
  private readonly tasks = new Map<string, TaskSummary | Task>();
  private cursor: string | null = null;
  private listedAt = 0;
  private timer: number | undefined;
  private isStopped = false;
  private pages = 1;

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
    clearTimeout(this.timer);
    void this.round();
  }

  loadMore(): void {
    this.pages += 1;
    this.refresh();
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
    let problem: ApiError | null = null;
    try {
      if (Date.now() - this.listedAt >= LIST_MILLISECONDS) await this.list();
      await this.readDetails();
    } catch (error) {
      problem = error instanceof ApiError ? error : new ApiError(0, "unreadable", String(error));
    }
    if (this.isStopped) return;
    this.publish(problem);
    clearTimeout(this.timer);
    if (!document.hidden) this.timer = setTimeout(() => void this.round(), ACTIVE_MILLISECONDS);
  }

  private async list(): Promise<void> {
    const listed: TaskSummary[] = [];
    this.cursor = null;
    for (let page = 0; page < this.pages; page++) {
      const answer = await this.api.tasks(this.cursor, LIMIT);
      listed.push(...answer.tasks);
      this.cursor = answer.cursor;
      if (!this.cursor) break;
    }
    this.listedAt = Date.now();
    const before = new Map(this.tasks);
    this.tasks.clear();
    for (const summary of listed) {
      const known = before.get(summary.id);
      const isSame = known?.submitted_at === summary.submitted_at && known.status === summary.status;
      this.tasks.set(summary.id, isSame ? known : summary);
    }
  }

  private async readDetails(): Promise<void> {
    const due = [...this.tasks.values()].filter(
      (task) => !hasDetails(task) || !isFinal(task.status) || task.images.some(isExpired),
    );
    const read = await Promise.all(due.slice(0, READS).map((task) => this.readOne(task)));
    for (const task of read) if (task) this.tasks.set(task.id, task);
  }

  /** Return a task; null if its row has expired since it was listed. */
  private async readOne(task: TaskSummary): Promise<Task | null> {
    try {
      return await this.api.task(task.id);
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return null;
      throw error;
    }
  }

  private publish(problem: ApiError | null): void {
    const tasks = [...this.tasks.values()].sort((one, other) =>
      other.submitted_at.localeCompare(one.submitted_at),
    );
    this.changed({ tasks, hasMore: this.cursor !== null, problem });
  }
}
