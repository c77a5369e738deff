import { useEffect, useRef, useState } from "preact/hooks";

export function KeyForm({ refusal, onKey }: { refusal: string; onKey: (key: string) => void }) {
  const [entered, setEntered] = useState("");
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => input.current?.focus(), []);
  return (
    <main class="sign-in">
      <h1>sd-on-ecs</h1>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (entered.trim()) onKey(entered.trim());
        }}
      >
        <label for="key">API key</label>
        <input
          ref={input}
          id="key"
          type="password"
          autocomplete="off"
          required
          value={entered}
          aria-describedby="key-help"
          aria-invalid={refusal !== ""}
          onInput={(event) => setEntered(event.currentTarget.value)}
        />
        {refusal && (
          <p class="problem" role="alert">
            {refusal}
          </p>
        )}
        <p id="key-help">
          The stack’s output <code>GetAPIKeyCommand</code> prints it. It stays in this tab.
        </p>
        <button type="submit" class="primary">
          Open
        </button>
      </form>
    </main>
  );
}
