/** The same request for a terminal or a program, to copy. The key is read from the environment. */

import type { JsonObject } from "./types";

export interface Snippet {
  name: string;
  text: string;
}

export function snippets(base: string, body: JsonObject): Snippet[] {
  const json = JSON.stringify(body, null, 2);
  return [
    {
      name: "curl",
      text: `curl -sS ${shellQuote(`${base}/v1alpha2`)} \\
  -H "x-api-key: $SD_ON_ECS_KEY" -H 'content-type: application/json' \\
  -d ${shellQuote(json)}`,
    },
    {
      name: "Python",
      text: `import json
import os

from sd_on_ecs import Client

body = json.loads(${pythonString(json)})
with Client(${JSON.stringify(base)}, os.environ["SD_ON_ECS_KEY"]) as client:
    task = client.run(body)
    print(client.download(task, "."))`,
    },
    {
      name: "Command line",
      text: `cat > task.json <<'END'
${json}
END
SD_ON_ECS_ENDPOINT=${shellQuote(base)} sd-on-ecs submit task.json`,
    },
  ];
}

function shellQuote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** A raw string cannot hold every text, so quotes and backslashes are escaped and line breaks are kept. */
function pythonString(text: string): string {
  return `"""${text.replaceAll("\\", "\\\\").replaceAll('"""', '\\"\\"\\"')}"""`;
}
