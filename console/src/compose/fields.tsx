import type { ComponentChildren } from "preact";
import type { Fault } from "../types";

/** A labelled control with the faults that the API found in it. */
export function Field(props: {
  id: string;
  label: string;
  faults: readonly Fault[];
  children: ComponentChildren;
  class?: string;
}) {
  return (
    <div class={`field ${props.class ?? ""}`}>
      <label for={props.id}>{props.label}</label>
      {props.children}
      <FaultList id={`${props.id}-faults`} faults={props.faults} />
    </div>
  );
}

export function FaultList({ id, faults }: { id: string; faults: readonly Fault[] }) {
  if (faults.length === 0) return null;
  return (
    <ul class="faults" id={id}>
      {faults.map((fault) => (
        <li key={fault.message}>{fault.message}</li>
      ))}
    </ul>
  );
}

export function TextField(props: {
  id: string;
  label: string;
  value: string;
  onChange: (value: string) => void;
  faults: readonly Fault[];
  /** Names to choose from; others can be typed. */
  choices?: readonly string[];
  inputMode?: "numeric" | "decimal" | "text";
  placeholder?: string;
  rows?: number;
}) {
  const common = {
    id: props.id,
    value: props.value,
    placeholder: props.placeholder ?? "",
    "aria-invalid": props.faults.length > 0,
    "aria-describedby": `${props.id}-faults`,
  };
  const list = props.choices?.length ? `${props.id}-choices` : undefined;
  return (
    <Field id={props.id} label={props.label} faults={props.faults} class={props.rows ? "wide" : ""}>
      {props.rows ? (
        <textarea
          {...common}
          rows={props.rows}
          onInput={(event) => props.onChange(event.currentTarget.value)}
        />
      ) : (
        <input
          {...common}
          {...(list ? { list } : {})}
          type="text"
          inputMode={props.inputMode ?? "text"}
          autocomplete="off"
          spellcheck={false}
          onInput={(event) => props.onChange(event.currentTarget.value)}
        />
      )}
      {list && (
        <datalist id={list}>
          {props.choices?.map((choice) => (
            <option key={choice} value={choice} />
          ))}
        </datalist>
      )}
    </Field>
  );
}
