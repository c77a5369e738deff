import type { TaskSummary } from "../types";

/** Return how many seconds a task ran, or null if it has not both started and ended. */
export function secondsOf(task: TaskSummary): string | null {
  if (!task.started_at || !task.finished_at) return null;
  return ((Date.parse(task.finished_at) - Date.parse(task.started_at)) / 1000).toFixed(1);
}
