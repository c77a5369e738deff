import type { Runtime } from "../types";

/** The runtime to send a task to, and the buttons to send it or to copy its request. */
export function SubmitRow(props: {
  runtimes: readonly Runtime[];
  runtime: string;
  onRuntime: (name: string) => void;
  isBusy: boolean;
  isReady?: boolean;
  onCopy: () => void;
}) {
  return (
    <div class="submit">
      <label for="runtime">Runtime</label>
      <select
        id="runtime"
        value={props.runtime}
        onChange={(event) => props.onRuntime(event.currentTarget.value)}
      >
        {props.runtimes.map((runtime) => (
          <option key={runtime.name} value={runtime.name}>
            {runtime.name}
          </option>
        ))}
      </select>
      <button
        type="submit"
        class="primary"
        disabled={props.isBusy || !props.runtime || props.isReady === false}
        title="Ctrl+Enter"
      >
        {props.isBusy ? "Sending…" : "Generate"}
      </button>
      <button
        type="button"
        class="quiet"
        disabled={!props.runtime || props.isReady === false}
        onClick={props.onCopy}
      >
        Show as code
      </button>
    </div>
  );
}

/** Send a form by Ctrl+Enter or Cmd+Enter from any of its fields, once for each press, if its button could send it. */
export function submitByKey(event: KeyboardEvent & { currentTarget: HTMLFormElement }): void {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    const button = event.currentTarget.querySelector<HTMLButtonElement>("button[type=submit]");
    if (button && !button.disabled && !event.repeat) event.currentTarget.requestSubmit(button);
  }
}
