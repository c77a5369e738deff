import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { Api, ApiError, apiBase } from "./api";
import { Compose } from "./compose/compose";
import { type Feed, TaskFeed } from "./feed";
import { Gallery } from "./gallery/gallery";
import { KeyForm } from "./key_form";
import type { ImageInput } from "./requests";
import { forget, forgetAll, recall, remember } from "./store";
import type { Runtime } from "./types";

/** The key stays in this tab: other tabs and later visits do not get it. */
const STORED_KEY = "sd-on-ecs-key";
const RUNTIMES_MILLISECONDS = 15_000;

export function App() {
  const [key, setKey] = useState(initialKey);
  const [refusal, setRefusal] = useState("");
  useEffect(() => {
    // A link with a key that is opened in this tab changes only the fragment.
    const takeKey = () => {
      const given = keyOfLink();
      if (given) setKey(given);
    };
    addEventListener("hashchange", takeKey);
    return () => removeEventListener("hashchange", takeKey);
  }, []);
  useEffect(() => {
    addEventListener("dragover", ignoreFile);
    addEventListener("drop", ignoreFile);
    return () => {
      removeEventListener("dragover", ignoreFile);
      removeEventListener("drop", ignoreFile);
    };
  }, []);
  const signOut = (reason = "") => {
    if (reason === "") forgetAll();
    else forget(STORED_KEY);
    setRefusal(reason);
    setKey("");
  };
  if (!key) {
    const open = (entered: string) => {
      remember(STORED_KEY, entered);
      setRefusal("");
      setKey(entered);
    };
    return <KeyForm refusal={refusal} onKey={open} />;
  }
  return <Workplace key={key} apiKey={key} signOut={signOut} />;
}

function Workplace({ apiKey, signOut }: { apiKey: string; signOut: (reason?: string) => void }) {
  const api = useMemo(() => new Api(apiBase(location), apiKey), [apiKey]);
  const [runtimes, setRuntimes] = useState<Runtime[]>([]);
  const [feed, setFeed] = useState<Feed>({ tasks: [], hasMore: false, problem: null });
  const [problem, setProblem] = useState<ApiError | null>(null);
  const [reused, setReused] = useState<ImageInput | null>(null);
  const reader = useRef<TaskFeed | null>(null);

  useEffect(() => {
    const started = new TaskFeed(api, setFeed);
    reader.current = started;
    started.start();
    return () => started.stop();
  }, [api]);

  useEffect(() => {
    // An answer to an earlier key must not sign out the one that is used now.
    let isCurrent = true;
    const read = () =>
      api.runtimes().then(
        (found) => {
          if (!isCurrent) return;
          setProblem(null);
          setRuntimes(found);
        },
        (error) => {
          if (!isCurrent) return;
          if (error instanceof ApiError && error.status === 403) signOut("The API does not know this key.");
          else setProblem(error);
        },
      );
    void read();
    const timer = setInterval(() => !document.hidden && void read(), RUNTIMES_MILLISECONDS);
    return () => {
      isCurrent = false;
      clearInterval(timer);
    };
  }, [api]);

  const shown = problem ?? feed.problem;
  return (
    <>
      <header class="bar">
        <h1>sd-on-ecs</h1>
        <ul class="queues" aria-label="Queues">
          {runtimes.map((runtime) => (
            <li key={runtime.name}>
              <b>{runtime.name}</b> {runtime.queued} queued, {runtime.in_flight} running
            </li>
          ))}
        </ul>
        <button type="button" class="quiet" onClick={() => signOut()}>
          Forget the key
        </button>
      </header>
      {shown && (
        <p class="problem" role="alert">
          {shown.message}
        </p>
      )}
      <main>
        <Compose
          api={api}
          runtimes={runtimes}
          reused={reused}
          onSubmitted={() => reader.current?.refresh()}
        />
        <Gallery
          api={api}
          feed={feed}
          onUpdate={(task) => reader.current?.update(task)}
          onMore={() => void reader.current?.loadMore()}
          onReuse={setReused}
        />
      </main>
    </>
  );
}

function initialKey(): string {
  return keyOfLink() || (recall(STORED_KEY) ?? "");
}

/** Take the key from the link that `make local` prints, and remove it from the address bar. */
function keyOfLink(): string {
  const given = new URLSearchParams(location.hash.slice(1)).get("key") ?? "";
  if (given) {
    remember(STORED_KEY, given);
    history.replaceState(null, "", location.pathname + location.search);
  }
  return given;
}

/** A file that is dropped beside a field would replace the page, with all that is filled in. */
function ignoreFile(event: DragEvent): void {
  const isTaken = event.defaultPrevented || event.target instanceof HTMLInputElement;
  if (isTaken || !event.dataTransfer?.types.includes("Files")) return;
  event.preventDefault();
  event.dataTransfer.dropEffect = "none";
}
