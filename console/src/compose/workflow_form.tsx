import { useState } from "preact/hooks";
import type { Api } from "../api";
import { submitBody } from "../requests";
import type { Json, JsonObject, Runtime } from "../types";
import { readWorkflow, type WorkflowInput, withInput, workflowInputs } from "../workflow";
import type { Outcome, Submit } from "./compose";
import { Drop } from "./drop";
import { TextField } from "./fields";
import { SubmitRow, submitByKey } from "./submit_row";

/** A ComfyUI workflow from a file, with its inputs to change before it is sent. */
export function WorkflowForm(props: {
  api: Api;
  runtimes: readonly Runtime[];
  outcome: Outcome | null;
  isBusy: boolean;
  submit: Submit;
  onPreview: (body: JsonObject) => void;
}) {
  const [workflow, setWorkflow] = useState<JsonObject | null>(null);
  const [name, setName] = useState("");
  const [problem, setProblem] = useState("");
  const [files, setFiles] = useState<Record<string, File>>({});
  const [selected, setRuntime] = useState("");
  const runtime = props.runtimes.find((one) => one.name === selected)?.name ?? props.runtimes[0]?.name ?? "";

  const take = async (file: File) => {
    try {
      setWorkflow(readWorkflow(await file.text()));
      setName(file.name);
      setFiles({});
      setProblem("");
    } catch (error) {
      setProblem((error as Error).message);
    }
  };

  const request = async (id: string, upload: (file: File) => Promise<string>) => {
    const links: JsonObject = {};
    for (const file of Object.values(files)) links[file.name] = await upload(file);
    const content: Json =
      Object.keys(links).length > 0 ? { prompt: workflow, files: links } : (workflow ?? {});
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
              onText={(text) => setWorkflow(withInput(workflow, input.node, input.name, text))}
              onFile={(file) => {
                setFiles({ ...files, [`${input.node}.${input.name}`]: file });
                setWorkflow(withInput(workflow, input.node, input.name, file.name));
              }}
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
  onText: (text: string) => void;
  onFile: (file: File) => void;
}) {
  const { node, title, name, value, isFile } = props.input;
  const id = `input-${node}-${name}`;
  const place = `/${node}/inputs/${name}`;
  const faults = (props.outcome?.faults ?? []).filter(({ path }) => path.endsWith(place));
  const label = `${title} (${node}): ${name}`;
  if (isFile) {
    return (
      <div class="field">
        <label for={id}>{label}</label>
        <input
          id={id}
          type="file"
          onChange={(event) => event.currentTarget.files?.[0] && props.onFile(event.currentTarget.files[0])}
        />
        <small>{String(value)}</small>
      </div>
    );
  }
  const isLong = typeof value === "string" && (name === "text" || value.length > 40);
  return (
    <TextField
      id={id}
      label={label}
      value={String(value)}
      onChange={props.onText}
      faults={faults}
      {...(isLong ? { rows: 2 } : {})}
    />
  );
}
