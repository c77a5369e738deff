import { useEffect, useRef, useState } from "preact/hooks";
import { download, outputDocument } from "../api";
import type { ImageInput } from "../requests";
import type { Link, OutputDocument, Receipt, Task } from "../types";
import { secondsOf } from "./duration";
import { isImage, Media } from "./media";

const SAVE_MILLISECONDS = 60_000;

/** One image with what is known of it; the arrow keys go to the others. */
export function Viewer(props: {
  task: Task;
  /** Without one, the task made texts only. */
  link: Link | null;
  onClose: () => void;
  onStep: (step: number) => void;
  onReuse: (image: ImageInput) => void;
}) {
  const { task, link } = props;
  const dialog = useRef<HTMLDialogElement>(null);
  const [output, setOutput] = useState<OutputDocument | null>(null);
  const [problem, setProblem] = useState("");
  const [isSaving, setSaving] = useState(false);
  const name = link ? link.s3.slice(link.s3.lastIndexOf("/") + 1) : task.id;
  const receipt = receiptOf(output, link);
  const shown = useRef(name);
  shown.current = name;

  useEffect(() => dialog.current?.showModal(), []);
  useEffect(() => {
    setOutput(null);
    setProblem("");
    if (!task.output) return;
    let isCurrent = true;
    outputDocument(task.output.url).then(
      (read) => isCurrent && setOutput(read),
      () => isCurrent && setProblem("The details could not be read: the output document may be deleted."),
    );
    return () => {
      isCurrent = false;
    };
  }, [task.output?.s3]);

  const save = async (file: Link) => {
    if (isSaving) return;
    setSaving(true);
    try {
      const anchor = document.createElement("a");
      anchor.href = URL.createObjectURL(await download(file.url));
      anchor.download = name;
      anchor.click();
      // Some browsers begin to read it only after the click.
      setTimeout(() => URL.revokeObjectURL(anchor.href), SAVE_MILLISECONDS);
      if (shown.current === name) setProblem("");
    } catch (error) {
      if (shown.current === name) setProblem((error as Error).message);
    } finally {
      setSaving(false);
    }
  };

  return (
    <dialog
      ref={dialog}
      aria-label={link ? `Image ${name}` : `Output of ${name}`}
      onClose={props.onClose}
      onClick={(event) => event.target === dialog.current && dialog.current?.close()}
      onKeyDown={(event) => {
        // In a text and in the controls of a video, arrow keys have another meaning; Alt and an arrow goes back.
        if (event.target instanceof HTMLTextAreaElement || event.target instanceof HTMLMediaElement) return;
        if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
        if (event.key === "ArrowRight") props.onStep(1);
        if (event.key === "ArrowLeft") props.onStep(-1);
      }}
    >
      <div class="full">
        {link && (
          <Media link={link} alt={receipt?.infotext?.split("\n")[0] || `Output of ${task.id}`} controls />
        )}
        {output?.texts?.map(({ node, key, value }) => (
          <textarea
            key={`${node} ${key}`}
            readOnly
            rows={6}
            aria-label={`Text of node ${node} (${key})`}
            value={value.join("\n")}
          />
        ))}
      </div>
      <div class="details">
        <h2>{name}</h2>
        <dl>
          {facts(task, receipt, output).map(([label, value]) => (
            <div key={label}>
              <dt>{label}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
        {receipt?.infotext && <textarea readOnly rows={6} aria-label="Infotext" value={receipt.infotext} />}
        {output?.warnings && output.warnings.length > 0 && (
          <ul class="note" aria-label="Warnings">
            {output.warnings.map((warning) => (
              <li key={warning.path + warning.message}>
                {warning.path && <code>{warning.path}</code>} {warning.message}
              </li>
            ))}
          </ul>
        )}
        {problem && (
          <p class="problem" role="alert">
            {problem}
          </p>
        )}
        <div class="submit">
          {link && (
            <button type="button" class="primary" onClick={() => void save(link)}>
              {isSaving ? "Downloading…" : "Download"}
            </button>
          )}
          {link && (
            <button
              type="button"
              disabled={!isImage(link)}
              onClick={() => {
                dialog.current?.close();
                props.onReuse({ s3: link.s3, preview: link.url, name });
              }}
            >
              Use in image to image
            </button>
          )}
          <button type="button" onClick={() => dialog.current?.close()}>
            Close
          </button>
        </div>
      </div>
    </dialog>
  );
}

function receiptOf(output: OutputDocument | null, link: Link | null): Receipt | undefined {
  return link ? output?.images?.find(({ key }) => link.s3.endsWith(`/${key}`)) : undefined;
}

function facts(task: Task, receipt: Receipt | undefined, output: OutputDocument | null): [string, string][] {
  const found: [string, string | number | null | undefined][] = [
    ["Seed", receipt?.seed ?? seedsOf(output)],
    ["Model", receipt?.model],
    ["Size", receipt?.width && receipt.height ? `${receipt.width} × ${receipt.height}` : null],
    ["Runtime", task.runtime],
    ["Seconds", secondsOf(task)],
    ["Finished", task.finished_at ? new Date(task.finished_at).toLocaleString() : null],
  ];
  return found
    .filter(([, value]) => value !== null && value !== undefined && value !== "")
    .map(([label, value]) => [label, String(value)]);
}

/** A workflow has a seed for each node that draws one. */
function seedsOf(output: OutputDocument | null): string {
  return Object.entries(output?.seeds ?? {})
    .map(([input, seed]) => `${seed} (${input})`)
    .join(", ");
}
