import { useRef, useState } from "preact/hooks";
import { type Api, ApiError } from "../api";
import { hasDetails } from "../feed";
import { isFinal, type Task, type TaskSummary } from "../types";
import { secondsOf } from "./duration";
import { type Item, itemKey, itemsOf } from "./items";
import { Media } from "./media";

export function TaskCard(props: {
  api: Api;
  task: TaskSummary | Task;
  onUpdate: (task: Task) => void;
  onOpen: (item: Item) => void;
}) {
  const { task } = props;
  const [failure, setFailure] = useState({ message: "", status: task.status });
  const card = useRef<HTMLLIElement>(null);
  // What failed while the task was queued or running says nothing of one that has ended since.
  const problem = failure.status === task.status ? failure.message : "";
  const details = hasDetails(task) ? task : null;
  const seconds = secondsOf(task);
  const run = (call: Promise<Task>) =>
    call.then(
      (changed) => {
        setFailure({ message: "", status: task.status });
        // The button that was pressed disappears, and the focus would be lost with it.
        card.current?.focus();
        props.onUpdate(changed);
      },
      (error) =>
        setFailure({
          message: error instanceof ApiError ? error.message : String(error),
          status: task.status,
        }),
    );
  const items = details ? itemsOf(details) : [];
  const leftOut = (details?.images_left_out ?? 0) + (details?.other_images_left_out ?? 0);
  return (
    <li ref={card} tabIndex={-1} class={`card ${task.status}`} aria-label={`Task ${task.id}`}>
      <p class="head">
        <b title={task.id}>{task.id}</b>
        <span class="status">{task.status}</span>
      </p>
      {items.length > 0 && (
        <div class="thumbs">
          {items.map((item) => (
            <button
              key={itemKey(item)}
              type="button"
              class="thumb"
              aria-label={`Open ${item.label} of ${task.id}`}
              onClick={() => props.onOpen(item)}
            >
              {item.link ? (
                <Media link={item.link} alt="" controls={false} />
              ) : (
                <span class="text">Text</span>
              )}
            </button>
          ))}
        </div>
      )}
      {leftOut > 0 && <p class="note">{leftOut} more are listed in its output document.</p>}
      {details && <Waiting task={details} />}
      {details?.error && (
        <p class="problem">
          <code>{details.error.code}</code> {details.error.message}
        </p>
      )}
      {details?.outputs_deleted_at && <p class="note">Its images were deleted.</p>}
      {task.problem && <p class="problem">{task.problem}</p>}
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      <p class="foot">
        <span>
          {task.runtime} · {task.tasktype}
          {seconds === null ? "" : ` · ${seconds} s`}
        </span>
        {!isFinal(task.status) && (
          <button
            type="button"
            class="quiet"
            aria-label={`Cancel ${task.id}`}
            disabled={details?.cancel_requested != null}
            onClick={() => void run(props.api.cancel(task.id))}
          >
            {details?.cancel_requested ? "Cancelling…" : "Cancel"}
          </button>
        )}
        {isFinal(task.status) && items.length > 0 && (
          <button
            type="button"
            class="quiet"
            aria-label={`Delete the images of ${task.id}`}
            onClick={() => {
              if (confirm(`Delete the images of ${task.id}?`)) void run(props.api.deleteOutputs(task.id));
            }}
          >
            Delete
          </button>
        )}
      </p>
    </li>
  );
}

function Waiting({ task }: { task: Task }) {
  if (task.status === "queued") {
    const before = task.position ?? 0;
    const count = task.position_capped ? `More than ${before}` : `${before}`;
    return (
      <p class="note">
        {before === 0 ? "Next in the queue" : `${count} before it`}
        {task.estimated_finish ? `, about ${remaining(task.estimated_finish)}` : ""}
      </p>
    );
  }
  if (task.status !== "running") return null;
  const percent = Math.round(task.progress * 100);
  return (
    <progress max={100} value={percent} aria-label={`Progress of ${task.id}`}>
      {percent} %
    </progress>
  );
}

function remaining(until: string): string {
  const left = Math.max(0, Math.round((Date.parse(until) - Date.now()) / 1000));
  return left < 90 ? `${left} s` : `${Math.round(left / 60)} min`;
}
