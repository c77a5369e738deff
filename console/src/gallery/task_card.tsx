import { useState } from "preact/hooks";
import { type Api, ApiError } from "../api";
import { hasDetails } from "../feed";
import { isFinal, type Link, type Task, type TaskSummary } from "../types";
import { secondsOf } from "./duration";
import { Media } from "./media";

export function TaskCard(props: {
  api: Api;
  task: TaskSummary | Task;
  onUpdate: (task: Task) => void;
  onOpen: (task: Task, link: Link) => void;
}) {
  const { task } = props;
  const [problem, setProblem] = useState("");
  const details = hasDetails(task) ? task : null;
  const seconds = secondsOf(task);
  const run = (call: Promise<Task>) =>
    call.then(
      (changed) => {
        setProblem("");
        props.onUpdate(changed);
      },
      (error) => setProblem(error instanceof ApiError ? error.message : String(error)),
    );
  return (
    <li class={`card ${task.status}`} aria-label={`Task ${task.id}`}>
      <p class="head">
        <b title={task.id}>{task.id}</b>
        <span class="status">{task.status}</span>
      </p>
      {details && details.images.length > 0 && (
        <div class="thumbs">
          {details.images.map((link, number) => (
            <button
              key={link.s3}
              type="button"
              class="thumb"
              aria-label={`Open image ${number + 1} of ${task.id}`}
              onClick={() => props.onOpen(details, link)}
            >
              <Media link={link} alt="" controls={false} />
            </button>
          ))}
        </div>
      )}
      {details && <Waiting task={details} />}
      {details?.error && (
        <p class="problem">
          <code>{details.error.code}</code> {details.error.message}
        </p>
      )}
      {details?.outputs_deleted_at && <p class="note">Its images were deleted.</p>}
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
        {isFinal(task.status) && (details?.images.length ?? 0) > 0 && (
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
