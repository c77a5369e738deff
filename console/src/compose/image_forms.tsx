import { useEffect, useState } from "preact/hooks";
import {
  CONTENT_FIELDS,
  EMPTY_FORM,
  type ImageForm,
  type ImageInput,
  imageContent,
  submitBody,
  type TaskType,
} from "../requests";
import { recall, remember } from "../store";
import type { Catalogue, Fault } from "../types";
import type { FormProps, Outcome } from "./compose";
import type { Change, ImageDraft } from "./drafts";
import { FaultList, TextField } from "./fields";
import { ImagePicker } from "./image_picker";
import { MaskBrush } from "./mask";
import { blackAndWhite } from "./mask_image";
import { SubmitRow, submitByKey } from "./submit_row";

const STORED_FORM = "sd-on-ecs-form";
const CHECKPOINT = "checkpoint";

/** The forms of SD Web UI's tasks: text to image, image to image, and upscaling. */
export function ImageForms(
  props: FormProps & { tasktype: TaskType; draft: ImageDraft; onDraft: Change<ImageDraft> },
) {
  const { image, mask } = props.draft;
  const [form, setForm] = useState<ImageForm>(storedForm);
  const [catalogue, setCatalogue] = useState<Catalogue>({});
  const runtime = props.runtimes.find(({ name }) => name === props.chosenRuntime) ?? props.runtimes[0];

  const chooseImage = (chosen: ImageInput | null) => {
    if (image?.file) URL.revokeObjectURL(image.preview);
    // A mask of one image is not one of another image.
    props.onDraft(() => ({ image: chosen, mask: null }));
    props.onReplaced();
  };

  useEffect(() => {
    // Without a catalogue, names are typed without suggestions.
    setCatalogue({});
    if (!runtime) return;
    let isCurrent = true;
    const show = (found: Catalogue) => isCurrent && setCatalogue(found);
    props.api.catalogue(runtime.name).then(show, () => show({}));
    return () => {
      isCurrent = false;
    };
  }, [runtime?.name]);

  const set = (name: keyof ImageForm) => (value: string) => {
    const next = { ...form, [name]: value };
    remember(STORED_FORM, JSON.stringify(next));
    setForm(next);
  };
  const faults = (name: keyof ImageForm) => faultsOf(props.outcome, CONTENT_FIELDS[name]);
  const field = (
    name: keyof ImageForm,
    label: string,
    more: Partial<Parameters<typeof TextField>[0]> = {},
  ) => (
    <TextField
      id={name}
      label={label}
      value={form[name]}
      onChange={set(name)}
      faults={faults(name)}
      {...more}
    />
  );
  const takesImage = props.tasktype !== "text-to-image";
  const generates = props.tasktype !== "extra-single-image";

  const request = async (id: string, upload: (file: Blob, name: string) => Promise<string>) => {
    const images: { image?: string; mask?: string } = {};
    // The mask as it is now: it can be painted on while the image is uploaded.
    const painted = props.tasktype === "image-to-image" && image && mask ? blackAndWhite(mask) : null;
    if (takesImage && image) images.image = image.s3 ?? (await upload(image.file as Blob, image.name));
    if (painted) images.mask = await upload(await painted, "mask.png");
    return submitBody(runtime?.name ?? "", props.tasktype, id, imageContent(props.tasktype, form, images));
  };

  return (
    <form
      onKeyDown={submitByKey}
      onSubmit={(event) => {
        event.preventDefault();
        void props.submit(async (id) => JSON.stringify(await request(id, (file) => props.api.upload(file))));
      }}
    >
      {generates && field("prompt", "Prompt", { rows: 3 })}
      {generates && field("negativePrompt", "Negative prompt", { rows: 2 })}
      {takesImage && <ImagePicker id="image" label="Image" image={image} onChange={chooseImage} />}
      {takesImage && (
        <FaultList
          id="image-faults"
          faults={["init_images", "image", "mask"].flatMap((name) => faultsOf(props.outcome, name))}
        />
      )}
      {props.tasktype === "image-to-image" && image && (
        <MaskBrush
          key={image.preview}
          source={image.preview}
          mask={mask}
          onMask={(painted) =>
            props.onDraft((draft) => (draft.image === image ? { ...draft, mask: painted } : draft))
          }
        />
      )}
      <div class="grid">
        {generates && field("width", "Width", { inputMode: "numeric" })}
        {generates && field("height", "Height", { inputMode: "numeric" })}
        {generates && field("steps", "Steps", { inputMode: "numeric" })}
        {generates && field("cfgScale", "CFG scale", { inputMode: "decimal" })}
        {generates && field("seed", "Seed (-1: random)", { inputMode: "numeric" })}
        {generates && field("batchSize", "Images", { inputMode: "numeric" })}
        {generates &&
          field("sampler", "Sampler", { choices: catalogue.engine?.samplers ?? [], placeholder: "default" })}
        {props.tasktype === "image-to-image" &&
          field("strength", "Denoising strength", { inputMode: "decimal" })}
        {generates &&
          runtime?.dynamic_model &&
          field("checkpoint", "Checkpoint", {
            choices: checkpoints(catalogue),
            placeholder: "model.safetensors",
          })}
        {!generates && field("resize", "Scale by", { inputMode: "decimal" })}
        {!generates && field("upscaler", "Upscaler", { choices: catalogue.engine?.upscalers ?? [] })}
      </div>
      <SubmitRow
        runtimes={props.runtimes}
        runtime={runtime?.name ?? ""}
        onRuntime={props.onRuntime}
        isBusy={props.isBusy}
        isReady={!takesImage || image !== null}
        onCopy={() =>
          void request("my-task", async (_file, name) => `s3://UPLOAD_BUCKET/${name}`).then(props.onPreview)
        }
      />
    </form>
  );
}

/** Return the faults of an outcome that are about a field of the content, or inside it. */
function faultsOf(outcome: Outcome | null, field: string): Fault[] {
  const place = `/task/content/${field}`;
  const refused = outcome?.isRefusal ? outcome.faults : [];
  return refused.filter(({ path }) => path === place || path.startsWith(`${place}/`));
}

function checkpoints(catalogue: Catalogue): string[] {
  return (catalogue.models ?? []).filter(({ kind }) => kind === CHECKPOINT).map(({ name }) => name);
}

function storedForm(): ImageForm {
  try {
    return { ...EMPTY_FORM, ...JSON.parse(recall(STORED_FORM) ?? "{}") };
  } catch {
    return EMPTY_FORM;
  }
}
