import { useState } from "preact/hooks";
import type { Api } from "../api";
import { type Feed, hasDetails } from "../feed";
import type { ImageInput } from "../requests";
import { isFinal, type Task } from "../types";
import { type Item, itemKey, itemsOf } from "./items";
import { TaskCard } from "./task_card";
import { Viewer } from "./viewer";

/** The deployment's newest tasks and their images. */
export function Gallery(props: {
  api: Api;
  feed: Feed;
  onUpdate: (task: Task) => void;
  onMore: () => void;
  onReuse: (image: ImageInput) => void;
}) {
  const [shown, setShown] = useState<Item | null>(null);
  const { tasks } = props.feed;
  const waiting = tasks.filter((task) => !isFinal(task.status)).length;
  const items = tasks.filter(hasDetails).flatMap(itemsOf);
  const index = shown ? items.findIndex((item) => itemKey(item) === itemKey(shown)) : -1;
  // The feed renews links before they expire.
  const current = items[index] ?? shown;
  return (
    <section class="gallery" aria-label="Tasks">
      <h2>Tasks</h2>
      <p class="note" role="status">
        {waiting === 0 ? "Nothing is waiting." : `${waiting} waiting or running.`}
      </p>
      {tasks.length === 0 && <p class="note">No tasks yet. Images appear here.</p>}
      <ul class="cards">
        {tasks.map((task) => (
          <TaskCard key={task.id} api={props.api} task={task} onUpdate={props.onUpdate} onOpen={setShown} />
        ))}
      </ul>
      {props.feed.hasMore && (
        <button type="button" class="quiet" onClick={props.onMore}>
          Older tasks
        </button>
      )}
      {current && (
        <Viewer
          task={current.task}
          link={current.link}
          onClose={() => setShown(null)}
          onStep={(step) => {
            const next = items[index + step];
            if (next) setShown(next);
          }}
          onReuse={props.onReuse}
        />
      )}
    </section>
  );
}
