import { useEffect, useRef, useState } from "preact/hooks";
import { type Api, ApiError } from "../api";
import { type ImageInput, newTaskId } from "../requests";
import type { Fault, JsonObject, Runtime } from "../types";
import { type ImageDraft, NO_IMAGE, NO_WORKFLOW } from "./drafts";
import { ImageForms } from "./image_forms";
import { RawForm } from "./raw_form";
import { SnippetPanel } from "./snippet_panel";
import { WorkflowForm } from "./workflow_form";

const MODES = [
  { name: "text-to-image", label: "Text to image", type: "sdwebui" },
  { name: "image-to-image", label: "Image to image", type: "sdwebui" },
  { name: "extra-single-image", label: "Upscale", type: "sdwebui" },
  { name: "pipeline", label: "Workflow", type: "comfyui" },
  { name: "raw", label: "JSON", type: null },
] as const;

export type Mode = (typeof MODES)[number]["name"];

/** How a submit ended: what the API refused, or what it warned of. */
export interface Outcome {
  message: string;
  faults: readonly Fault[];
  isRefusal: boolean;
}

/** What a form gives to submit: `body` makes the request's text for a new id; it may upload files first. */
export type Submit = (body: (id: string) => Promise<string>) => Promise<void>;

/** What every form gets. */
export interface FormProps {
  api: Api;
  runtimes: readonly Runtime[];
  outcome: Outcome | null;
  isBusy: boolean;
  /** The runtime that was chosen, empty for the first one. */
  chosenRuntime: string;
  onRuntime: (name: string) => void;
  submit: Submit;
  /** Forget what the API said of what is replaced now. */
  onReplaced: () => void;
  onPreview: (body: JsonObject) => void;
}

export function Compose(props: {
  api: Api;
  runtimes: readonly Runtime[];
  reused: ImageInput | null;
  onSubmitted: () => void;
}) {
  const [mode, setMode] = useState<Mode>("text-to-image");
  const [outcomes, setOutcomes] = useState<Partial<Record<Mode, Outcome | null>>>({});
  const [isBusy, setBusy] = useState(false);
  // A second key press or click may come before the button is shown as disabled.
  const isSending = useRef(false);
  const unanswered = useRef<{ id: string; text: string } | null>(null);
  const [preview, setPreview] = useState<JsonObject | null>(null);
  const [images, setImages] = useState<Partial<Record<Mode, ImageDraft>>>({});
  const [workflow, setWorkflow] = useState(NO_WORKFLOW);
  const [chosenRuntimes, setChosenRuntimes] = useState<Record<string, string>>({});
  const type = MODES.find((one) => one.name === mode)?.type;
  const runtimes = props.runtimes.filter((runtime) => runtime.type === type);

  const choose = (next: Mode) => {
    setMode(next);
    setPreview(null);
  };

  useEffect(() => {
    if (!props.reused) return;
    const image = props.reused;
    const before = images["image-to-image"]?.image;
    if (before?.file) URL.revokeObjectURL(before.preview);
    setImages((all) => ({ ...all, "image-to-image": { image, mask: null } }));
    choose("image-to-image");
    document.getElementById("tab-image-to-image")?.focus();
  }, [props.reused]);

  const submit: Submit = async (body) => {
    if (isSending.current) return;
    isSending.current = true;
    setBusy(true);
    // The answer belongs to this form, also if another one is shown by then.
    const setOutcome = (outcome: Outcome | null) => setOutcomes((all) => ({ ...all, [mode]: outcome }));
    setOutcome(null);
    try {
      const id = newTaskId(mode === "raw" ? "task" : mode);
      const made = { id, text: await body(id) };
      const before = unanswered.current;
      // Without an answer, the task may run: the same request again must be the same task.
      const isSame = before !== null && made.text.replaceAll(id, before.id) === before.text;
      const sent = isSame ? before : made;
      unanswered.current = sent;
      const accepted = await props.api.submit(sent.text);
      unanswered.current = null;
      setOutcome({ message: `Accepted as ${accepted.id}.`, faults: accepted.warnings, isRefusal: false });
      props.onSubmitted();
    } catch (error) {
      if (error instanceof ApiError && !error.isTemporary) unanswered.current = null;
      const faults = error instanceof ApiError ? error.details : [];
      setOutcome({ message: (error as Error).message, faults, isRefusal: true });
    } finally {
      isSending.current = false;
      setBusy(false);
    }
  };

  const outcome = outcomes[mode] ?? null;
  const common = {
    api: props.api,
    outcome,
    isBusy,
    chosenRuntime: chosenRuntimes[type ?? ""] ?? "",
    onRuntime: (name: string) => setChosenRuntimes({ ...chosenRuntimes, [type ?? ""]: name }),
    submit,
    onReplaced: () => setOutcomes((all) => ({ ...all, [mode]: null })),
    onPreview: setPreview,
  };
  return (
    <section class="compose" aria-label="Compose">
      <div
        class="tabs"
        role="tablist"
        aria-label="Kind of task"
        onKeyDown={(event) => moveTab(event, mode, choose)}
      >
        {MODES.map(({ name, label }) => (
          <button
            key={name}
            id={`tab-${name}`}
            type="button"
            role="tab"
            aria-selected={name === mode}
            aria-controls="panel"
            tabIndex={name === mode ? 0 : -1}
            onClick={() => choose(name)}
          >
            {label}
          </button>
        ))}
      </div>
      <div id="panel" role="tabpanel" aria-labelledby={`tab-${mode}`}>
        {type && props.runtimes.length > 0 && runtimes.length === 0 ? (
          <p class="note">This deployment has no runtime of type {type}.</p>
        ) : mode === "raw" ? (
          <RawForm {...common} runtimes={props.runtimes} />
        ) : mode === "pipeline" ? (
          <WorkflowForm {...common} runtimes={runtimes} draft={workflow} onDraft={setWorkflow} />
        ) : (
          <ImageForms
            {...common}
            key={mode}
            tasktype={mode}
            runtimes={runtimes}
            draft={images[mode] ?? NO_IMAGE}
            onDraft={(change) => setImages((all) => ({ ...all, [mode]: change(all[mode] ?? NO_IMAGE) }))}
          />
        )}
        {outcome && <OutcomeNote outcome={outcome} />}
        {preview && <SnippetPanel base={props.api.base} body={preview} />}
      </div>
    </section>
  );
}

function OutcomeNote({ outcome }: { outcome: Outcome }) {
  return (
    <div class={outcome.isRefusal ? "problem" : "accepted"} role={outcome.isRefusal ? "alert" : "status"}>
      <p>{outcome.message}</p>
      {outcome.faults.length > 0 && (
        <ul>
          {outcome.faults.map((fault) => (
            <li key={fault.path + fault.message}>
              {fault.path && <code>{fault.path}</code>} {fault.message}
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

function moveTab(event: KeyboardEvent, mode: Mode, choose: (mode: Mode) => void): void {
  const steps: Record<string, number> = { ArrowRight: 1, ArrowLeft: -1 };
  const step = steps[event.key];
  if (step === undefined) return;
  event.preventDefault();
  const index = MODES.findIndex((one) => one.name === mode);
  const next = MODES[(index + step + MODES.length) % MODES.length];
  if (!next) return;
  choose(next.name);
  document.getElementById(`tab-${next.name}`)?.focus();
}
