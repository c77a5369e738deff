import { useRef, useState } from "preact/hooks";
import { contentType } from "../file_types";
import type { ImageInput } from "../requests";
import { Drop } from "./drop";

/** An image to start from, with its preview. */
export function ImagePicker(props: {
  id: string;
  label: string;
  image: ImageInput | null;
  onChange: (image: ImageInput | null) => void;
}) {
  const input = useRef<HTMLInputElement>(null);
  const [problem, setProblem] = useState("");
  const take = (file: File) => {
    const type = contentType(file);
    // A file can also be dropped or pasted, whatever the field accepts.
    const isOther = type !== "" && !type.startsWith("image/");
    setProblem(isOther ? `${file.name} is not an image, but ${type}.` : "");
    if (!isOther) props.onChange({ file, preview: URL.createObjectURL(file), name: file.name });
  };
  return (
    <Drop id={props.id} label={props.label} accept="image/*" input={input} onFile={take}>
      {props.image ? (
        <p>
          <img src={props.image.preview} alt="" /> {props.image.name}{" "}
          <button
            type="button"
            class="quiet"
            onClick={() => {
              if (input.current) input.current.value = "";
              input.current?.focus();
              props.onChange(null);
            }}
          >
            Remove
          </button>
        </p>
      ) : (
        <p>or drop it here</p>
      )}
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
    </Drop>
  );
}
