import { useState } from "preact/hooks";
import { submitBody } from "../requests";
import type { Json, JsonObject } from "../types";
import { inputKey, readWorkflow, type WorkflowInput, withInputs, workflowInputs } from "../workflow";
import type { FormProps, Outcome } from "./compose";
import { Drop } from "./drop";
import { Field, TextField } from "./fields";
import { SubmitRow, submitByKey } from "./submit_row";

/** A ComfyUI workflow from a file, with its inputs to change before it is sent. */
export function WorkflowForm(props: FormProps) {
  const [workflow, setWorkflow] = useState<JsonObject | null>(null);
  const [name, setName] = useState("");
  const [problem, setProblem] = useState("");
  const [texts, setTexts] = useState<ReadonlyMap<string, string>>(new Map());
  const [files, setFiles] = useState<ReadonlyMap<string, File>>(new Map());
  const [selected, setRuntime] = useState("");
  const runtime = props.runtimes.find((one) => one.name === selected)?.name ?? props.runtimes[0]?.name ?? "";

  const take = async (file: File) => {
    try {
      setWorkflow(readWorkflow(await file.text()));
      setName(file.name);
      setTexts(new Map());
      setFiles(new Map());
      setProblem("");
    } catch (error) {
      setProblem((error as Error).message);
    }
  };

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
              onText={(text) => setTexts(new Map(texts).set(inputKey(input.node, input.name), text))}
              onFile={(file) => setFiles(new Map(files).set(inputKey(input.node, input.name), file))}
            />
          ))}
        </div>
      )}
      <SubmitRow
        runtimes={props.runtimes}
        runtime={runtime}
        onRuntime={setRuntime}
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
  onText: (text: string) => void;
  onFile: (file: File) => void;
}) {
  const { node, title, name, value, isFile } = props.input;
  const id = `input-${node}-${name}`;
  const place = `/${node}/inputs/${name}`;
  const refused = props.outcome?.isRefusal ? props.outcome.faults : [];
  const faults = refused.filter(({ path }) => path.endsWith(place));
  const label = `${title} (${node}): ${name}`;
  if (isFile) {
    return (
      <Field id={id} label={label} faults={faults}>
        <input
          id={id}
          type="file"
          aria-describedby={`${id}-faults`}
          onChange={(event) => event.currentTarget.files?.[0] && props.onFile(event.currentTarget.files[0])}
        />
        <small>{String(value)}</small>
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
