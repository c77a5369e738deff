import { applyEdits, modify } from "jsonc-parser";
import { useRef, useState } from "preact/hooks";
import { type PlacedFault, placeFaults, syntaxFault } from "../faults";
import { parseExactly } from "../json";
import { submitBody } from "../requests";
import { recall, remember } from "../store";
import type { JsonObject, Runtime } from "../types";
import type { FormProps } from "./compose";
import { submitByKey } from "./submit_row";

const STORED_TEXT = "sd-on-ecs-raw";

/** A request as JSON, with the API's faults at their places. */
export function RawForm(props: FormProps) {
  const [entered, setEntered] = useState(() => recall(STORED_TEXT));
  // The runtimes, which the example names, may arrive later than the form.
  const text = entered ?? example(props.runtimes);
  const area = useRef<HTMLTextAreaElement>(null);
  const syntax = syntaxFault(text);
  const refused = props.outcome?.isRefusal ? props.outcome.faults : [];
  const faults = syntax ? [syntax] : placeFaults(text, refused);

  const change = (next: string) => {
    remember(STORED_TEXT, next);
    setEntered(next);
  };
  const show = (fault: PlacedFault) => {
    const target = area.current;
    if (!target) return;
    target.focus();
    target.setSelectionRange(fault.start, fault.end);
    const lineHeight = Number.parseFloat(getComputedStyle(target).lineHeight);
    target.scrollTop = Math.max(0, (fault.line - 3) * lineHeight);
  };

  return (
    <form
      onKeyDown={submitByKey}
      onSubmit={(event) => {
        event.preventDefault();
        if (!syntax) void props.submit(async (id) => withId(text, id));
      }}
    >
      <label for="raw">Body of POST /v1alpha2</label>
      <p id="raw-help">
        Without an <code>id</code>, the page makes one for each submit.
      </p>
      <div class="code">
        <ol class="lines" aria-hidden="true">
          {text.split("\n").map((_line, index) => (
            <li key={index} class={faults.some((fault) => fault.line === index + 1) ? "faulty" : ""} />
          ))}
        </ol>
        <textarea
          ref={area}
          id="raw"
          rows={Math.max(12, text.split("\n").length)}
          wrap="off"
          spellcheck={false}
          value={text}
          aria-invalid={faults.length > 0}
          aria-describedby="raw-help raw-faults"
          onInput={(event) => change(event.currentTarget.value)}
        />
      </div>
      {faults.length > 0 && (
        <ul class="faults" id="raw-faults">
          {faults.map((fault) => (
            <li key={fault.path + fault.message}>
              <button type="button" class="quiet" onClick={() => show(fault)}>
                Line {fault.line}
              </button>{" "}
              {fault.path && <code>{fault.path}</code>} {fault.message}
            </li>
          ))}
        </ul>
      )}
      <div class="submit">
        <button type="submit" class="primary" disabled={props.isBusy || syntax !== null} title="Ctrl+Enter">
          {props.isBusy ? "Sending…" : "Submit"}
        </button>
        <button
          type="button"
          class="quiet"
          disabled={syntax !== null}
          onClick={() => props.onPreview(parseExactly(withId(text, "my-task")) as JsonObject)}
        >
          Show as code
        </button>
      </div>
    </form>
  );
}

/** Return the request's text with an id, if it has a place for one and none is there. */
function withId(text: string, id: string): string {
  const metadata = JSON.parse(text)?.task?.metadata;
  if (typeof metadata !== "object" || metadata === null || metadata.id !== undefined) return text;
  // Only the id is added, so that no number is written in another way.
  return applyEdits(text, modify(text, ["task", "metadata", "id"], id, { getInsertionIndex: () => 0 }));
}

function example(runtimes: readonly Runtime[]): string {
  const runtime = runtimes.find(({ type }) => type === "sdwebui")?.name ?? runtimes[0]?.name ?? "";
  const { task } = submitBody(runtime, "text-to-image", "", { prompt: "a cat", steps: 20 }) as {
    task: { metadata: JsonObject };
  };
  delete task.metadata.id;
  return JSON.stringify({ task }, null, 2);
}
