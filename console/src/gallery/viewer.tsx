import { useEffect, useRef, useState } from "preact/hooks";
import { download, outputDocument } from "../api";
import type { ImageInput } from "../requests";
import type { JsonObject, Link, OutputDocument, Receipt, Task } from "../types";
import { secondsOf } from "./duration";
import { isImage, Media } from "./media";

/** One image with what is known of it; the arrow keys go to the others. */
export function Viewer(props: {
  task: Task;
  link: Link;
  onClose: () => void;
  onStep: (step: number) => void;
  onReuse: (image: ImageInput) => void;
}) {
  const { task, link } = props;
  const dialog = useRef<HTMLDialogElement>(null);
  const [output, setOutput] = useState<OutputDocument | null>(null);
  const [problem, setProblem] = useState("");
  const name = link.s3.slice(link.s3.lastIndexOf("/") + 1);
  const receipt = receiptOf(output, link);

  useEffect(() => dialog.current?.showModal(), []);
  useEffect(() => {
    setOutput(null);
    setProblem("");
    if (!task.output) return;
    let isCurrent = true;
    outputDocument(task.output.url).then(
      (read) => isCurrent && setOutput(read),
      () => isCurrent && setProblem("The details of this image could not be read."),
    );
    return () => {
      isCurrent = false;
    };
  }, [task.output?.s3]);

  const save = async () => {
    try {
      const anchor = document.createElement("a");
      anchor.href = URL.createObjectURL(await download(link.url));
      anchor.download = name;
      anchor.click();
      URL.revokeObjectURL(anchor.href);
    } catch (error) {
      setProblem((error as Error).message);
    }
  };

  return (
    <dialog
      ref={dialog}
      aria-label={`Image ${name}`}
      onClose={props.onClose}
      onClick={(event) => event.target === dialog.current && dialog.current?.close()}
      onKeyDown={(event) => {
        if (event.target instanceof HTMLTextAreaElement) return;
        if (event.key === "ArrowRight") props.onStep(1);
        if (event.key === "ArrowLeft") props.onStep(-1);
      }}
    >
      <div class="full">
        <Media link={link} alt={receipt?.infotext?.split("\n")[0] || `Output of ${task.id}`} controls />
      </div>
      <div class="details">
        <h2>{name}</h2>
        <dl>
          {facts(task, receipt).map(([label, value]) => (
            <div key={label}>
              <dt>{label}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
        {receipt?.infotext && <textarea readOnly rows={6} aria-label="Infotext" value={receipt.infotext} />}
        {problem && (
          <p class="problem" role="alert">
            {problem}
          </p>
        )}
        <div class="submit">
          <button type="button" class="primary" onClick={() => void save()}>
            Download
          </button>
          <button
            type="button"
            disabled={!isImage(link)}
            onClick={() => props.onReuse({ s3: link.s3, preview: link.url, name })}
          >
            Use in image to image
          </button>
          <button type="button" onClick={() => dialog.current?.close()}>
            Close
          </button>
        </div>
      </div>
    </dialog>
  );
}

function receiptOf(output: OutputDocument | null, link: Link): Receipt | undefined {
  return output?.images?.find(({ key }) => link.s3.endsWith(`/${key}`));
}

function facts(task: Task, receipt: Receipt | undefined): [string, string][] {
  const found: [string, string | number | null | undefined][] = [
    ["Seed", receipt?.seed ?? seedsOf(receipt?.seeds)],
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
function seedsOf(seeds: JsonObject | undefined): string {
  return Object.entries(seeds ?? {})
    .map(([node, seed]) => `${typeof seed === "object" ? JSON.stringify(seed) : seed} (node ${node})`)
    .join(", ");
}
