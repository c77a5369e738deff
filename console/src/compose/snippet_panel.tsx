import { useState } from "preact/hooks";
import { snippets } from "../snippets";
import type { JsonObject } from "../types";

/** The request for other tools, to copy. */
export function SnippetPanel({ base, body }: { base: string; body: JsonObject }) {
  const [copied, setCopied] = useState("");
  const [refused, setRefused] = useState("");
  return (
    <section class="snippets" aria-label="The same request as code">
      {snippets(base, body).map(({ name, text }) => (
        <details key={name} open={name === "curl"}>
          <summary>{name}</summary>
          <textarea readOnly rows={14} aria-label={`The request for ${name}`} value={text} />
          <button
            type="button"
            class="quiet"
            aria-label={`Copy ${name}`}
            onClick={() =>
              void navigator.clipboard.writeText(text).then(
                () => setCopied(name),
                () => setRefused(name),
              )
            }
          >
            {copied === name ? "Copied" : "Copy"}
          </button>
          {refused === name && <small role="alert">The browser refuses; select the text and copy it.</small>}
        </details>
      ))}
    </section>
  );
}
