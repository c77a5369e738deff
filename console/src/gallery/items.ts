import type { Link, Task } from "../types";

/** What can be opened of a task: a file, or, without a link, the texts of one that made no file. */
export interface Item {
  task: Task;
  link: Link | null;
  label: string;
}

export function itemsOf(task: Task): Item[] {
  const images = task.images.map((link, index) => ({ task, link, label: `image ${index + 1}` }));
  const others = task.other_images.map((link, index) => ({
    task,
    link,
    label: `other image ${index + 1} (${link.kind})`,
  }));
  const hasTexts = task.status === "completed" && task.images.length === 0 && task.output !== null;
  return [...images, ...others, ...(hasTexts ? [{ task, link: null, label: "the output" }] : [])];
}

export function itemKey({ task, link }: Item): string {
  return `${task.id} ${link?.s3 ?? ""}`;
}
