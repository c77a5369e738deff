import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { Api, ApiError, apiBase } from "./api";
import { Compose } from "./compose/compose";
import { type Feed, TaskFeed } from "./feed";
import { Gallery } from "./gallery/gallery";
import { KeyForm } from "./key_form";
import type { ImageInput } from "./requests";
import type { Runtime } from "./types";

/** The key stays in this tab: other tabs and later visits do not get it. */
const STORED_KEY = "sd-on-ecs-key";
const RUNTIMES_MILLISECONDS = 15_000;

export function App() {
  const [key, setKey] = useState(initialKey);
  const [refusal, setRefusal] = useState("");
  const signOut = (reason = "") => {
    if (reason === "") sessionStorage.clear();
    else sessionStorage.removeItem(STORED_KEY);
    setRefusal(reason);
    setKey("");
  };
  if (!key) {
    const open = (entered: string) => {
      sessionStorage.setItem(STORED_KEY, entered);
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
    const read = () =>
      api.runtimes().then(
        (found) => {
          setProblem(null);
          setRuntimes(found);
        },
        (error) => {
          if (error instanceof ApiError && error.status === 403) signOut("The API does not know this key.");
          else setProblem(error);
        },
      );
    void read();
    const timer = setInterval(() => !document.hidden && void read(), RUNTIMES_MILLISECONDS);
    return () => clearInterval(timer);
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

/** Take the key from the link that `make local` prints, and remove it from the address bar. */
function initialKey(): string {
  const given = new URLSearchParams(location.hash.slice(1)).get("key");
  if (given) {
    sessionStorage.setItem(STORED_KEY, given);
    history.replaceState(null, "", location.pathname + location.search);
  }
  return given ?? sessionStorage.getItem(STORED_KEY) ?? "";
}
