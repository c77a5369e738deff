import { useState } from "preact/hooks";
import type { Api } from "../api";
import { type Feed, hasDetails } from "../feed";
import type { ImageInput } from "../requests";
import { isFinal, type Link, type Task } from "../types";
import { TaskCard } from "./task_card";
import { Viewer } from "./viewer";

interface Shown {
  task: Task;
  link: Link;
}

/** The deployment's newest tasks and their images. */
export function Gallery(props: {
  api: Api;
  feed: Feed;
  onUpdate: (task: Task) => void;
  onMore: () => void;
  onReuse: (image: ImageInput) => void;
}) {
  const [shown, setShown] = useState<Shown | null>(null);
  const { tasks } = props.feed;
  const waiting = tasks.filter((task) => !isFinal(task.status)).length;
  const images: Shown[] = tasks
    .filter(hasDetails)
    .flatMap((task) => task.images.map((link) => ({ task, link })));
  const index = images.findIndex(({ link }) => link.s3 === shown?.link.s3);
  return (
    <section class="gallery" aria-label="Tasks">
      <h2>Tasks</h2>
      <p class="note" role="status">
        {waiting === 0 ? "Nothing is waiting." : `${waiting} waiting or running.`}
      </p>
      {tasks.length === 0 && <p class="note">No tasks yet. Images appear here.</p>}
      <ul class="cards">
        {tasks.map((task) => (
          <TaskCard
            key={task.id}
            api={props.api}
            task={task}
            onUpdate={props.onUpdate}
            onOpen={(opened, link) => setShown({ task: opened, link })}
          />
        ))}
      </ul>
      {props.feed.hasMore && (
        <button type="button" class="quiet" onClick={props.onMore}>
          Older tasks
        </button>
      )}
      {shown && (
        <Viewer
          task={shown.task}
          link={shown.link}
          onClose={() => setShown(null)}
          onStep={(step) => {
            const next = images[index + step];
            if (next) setShown(next);
          }}
          onReuse={(image) => {
            setShown(null);
            props.onReuse(image);
          }}
        />
      )}
    </section>
  );
}
