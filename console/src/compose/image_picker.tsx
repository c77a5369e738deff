import { useRef } from "preact/hooks";
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
  return (
    <Drop
      id={props.id}
      label={props.label}
      accept="image/*"
      input={input}
      onFile={(file) => props.onChange({ file, preview: URL.createObjectURL(file), name: file.name })}
    >
      {props.image ? (
        <p>
          <img src={props.image.preview} alt="" /> {props.image.name}{" "}
          <button
            type="button"
            class="quiet"
            onClick={() => {
              if (input.current) input.current.value = "";
              props.onChange(null);
            }}
          >
            Remove
          </button>
        </p>
      ) : (
        <p>or drop it here</p>
      )}
    </Drop>
  );
}
