import { useRef, useState } from "preact/hooks";
import { pointerSegment } from "../faults";
import { submitBody } from "../requests";
import type { Json, JsonObject } from "../types";
import { inputKey, readWorkflow, type WorkflowInput, withInputs, workflowInputs } from "../workflow";
import type { FormProps, Outcome } from "./compose";
import type { Change, WorkflowDraft } from "./drafts";
import { Drop } from "./drop";
import { Field, TextField } from "./fields";
import { SubmitRow, submitByKey } from "./submit_row";

/** A ComfyUI workflow from a file, with its inputs to change before it is sent. */
export function WorkflowForm(props: FormProps & { draft: WorkflowDraft; onDraft: Change<WorkflowDraft> }) {
  const { name, workflow, texts, files } = props.draft;
  const [problem, setProblem] = useState("");
  const taken = useRef(0);
  const chosen = props.runtimes.find((one) => one.name === props.chosenRuntime);
  const runtime = chosen?.name ?? props.runtimes[0]?.name ?? "";

  const take = async (file: File) => {
    // A large file may be read more slowly than one that is chosen after it.
    const number = ++taken.current;
    try {
      const read = readWorkflow(await file.text());
      if (number !== taken.current) return;
      props.onDraft(() => ({ name: file.name, workflow: read, texts: new Map(), files: new Map() }));
      // Faults of the workflow before may name nodes of this one.
      props.onReplaced();
      setProblem("");
    } catch (error) {
      if (number === taken.current) setProblem((error as Error).message);
    }
  };
  const setText = (key: string, text: string) =>
    props.onDraft((draft) => ({ ...draft, texts: new Map(draft.texts).set(key, text) }));
  const setFile = (key: string, file: File | null) =>
    props.onDraft((draft) => {
      const changed = new Map(draft.files);
      if (file) changed.set(key, file);
      else changed.delete(key);
      return { ...draft, files: changed };
    });

  const request = async (id: string, upload: (file: File) => Promise<string>) => {
    const links: JsonObject = {};
    const values = new Map(texts);
    for (const [key, file] of files) {
      // Two inputs may get different files of one name.
      const unique = `${Object.keys(links).length + 1}-${file.name}`;
      links[unique] = await upload(file);
      values.set(key, unique);
    }
    const prompt = withInputs(workflow ?? {}, values);
    const content: Json = files.size > 0 ? { prompt, files: links } : prompt;
    return submitBody(runtime, "pipeline", id, content);
  };

  return (
    <form
      onKeyDown={submitByKey}
      onSubmit={(event) => {
        event.preventDefault();
        void props.submit(async (id) => JSON.stringify(await request(id, (file) => props.api.upload(file))));
      }}
    >
      <Drop
        id="workflow"
        label="Workflow in API format"
        accept=".json,application/json"
        onFile={(file) => void take(file)}
      >
        <p>{workflow ? name : "or drop it here. ComfyUI saves it with “Export (API)”."}</p>
      </Drop>
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      {workflow && (
        <div class="grid inputs">
          {workflowInputs(workflow).map((input) => (
            <InputField
              key={`${input.node}.${input.name}`}
              input={input}
              outcome={props.outcome}
              text={texts.get(inputKey(input.node, input.name)) ?? String(input.value)}
              file={files.get(inputKey(input.node, input.name)) ?? null}
              onText={(text) => setText(inputKey(input.node, input.name), text)}
              onFile={(file) => setFile(inputKey(input.node, input.name), file)}
            />
          ))}
        </div>
      )}
      <SubmitRow
        runtimes={props.runtimes}
        runtime={runtime}
        onRuntime={props.onRuntime}
        isBusy={props.isBusy}
        isReady={workflow !== null}
        onCopy={() =>
          void request("my-task", async (file) => `s3://UPLOAD_BUCKET/${file.name}`).then(props.onPreview)
        }
      />
    </form>
  );
}

function InputField(props: {
  input: WorkflowInput;
  outcome: Outcome | null;
  text: string;
  file: File | null;
  onText: (text: string) => void;
  onFile: (file: File | null) => void;
}) {
  const { node, title, name, value, accept } = props.input;
  const id = `input-${node}-${name}`;
  const place = `/${pointerSegment(node)}/inputs/${pointerSegment(name)}`;
  const chooser = useRef<HTMLInputElement>(null);
  const refused = props.outcome?.isRefusal ? props.outcome.faults : [];
  const faults = refused.filter(({ path }) => path.endsWith(place) || path.includes(`${place}/`));
  const label = `${title} (${node}): ${name}`;
  if (accept !== null) {
    return (
      <Field id={id} label={label} faults={faults}>
        <input
          ref={chooser}
          id={id}
          type="file"
          accept={accept}
          aria-describedby={`${id}-faults`}
          onChange={(event) => props.onFile(event.currentTarget.files?.[0] ?? null)}
        />
        <small>{props.file ? props.file.name : String(value)}</small>
        {props.file && (
          <button
            type="button"
            class="quiet"
            aria-label={`Remove the file of ${label}`}
            onClick={() => {
              if (chooser.current) chooser.current.value = "";
              chooser.current?.focus();
              props.onFile(null);
            }}
          >
            Remove
          </button>
        )}
      </Field>
    );
  }
  if (typeof value === "boolean") {
    return (
      <Field id={id} label={label} faults={faults}>
        <select id={id} value={props.text} onChange={(event) => props.onText(event.currentTarget.value)}>
          <option value="true">true</option>
          <option value="false">false</option>
        </select>
      </Field>
    );
  }
  const isLong = typeof value === "string" && (name === "text" || value.length > 40);
  return (
    <TextField
      id={id}
      label={label}
      value={props.text}
      onChange={props.onText}
      faults={faults}
      {...(isLong ? { rows: 2 } : {})}
    />
  );
}
