import type { ComponentChildren, RefObject } from "preact";
import { useState } from "preact/hooks";

/** A place to drop, paste or choose one file. */
export function Drop(props: {
  id: string;
  label: string;
  accept: string;
  input?: RefObject<HTMLInputElement | null>;
  onFile: (file: File) => void;
  children: ComponentChildren;
}) {
  const [isOver, setOver] = useState(false);
  const take = (file: File | null | undefined) => {
    if (file) props.onFile(file);
  };
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset would announce a group of several fields
    <div
      role="group"
      aria-label={`Drop zone: ${props.label}`}
      class={`drop ${isOver ? "over" : ""}`}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        take(event.dataTransfer?.files[0]);
      }}
      onPaste={(event) => take(event.clipboardData?.files[0])}
    >
      <label for={props.id}>{props.label}</label>
      <input
        {...(props.input ? { ref: props.input } : {})}
        id={props.id}
        type="file"
        accept={props.accept}
        onClick={(event) => {
          // The same file may be chosen again after it has changed.
          event.currentTarget.value = "";
        }}
        onChange={(event) => take(event.currentTarget.files?.[0])}
      />
      {props.children}
    </div>
  );
}
