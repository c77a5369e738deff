/** JSON whose integers keep all their digits: seeds of ComfyUI have up to 64 bits. */

import { getNodeValue, type Node, parseTree } from "jsonc-parser";
import type { Json } from "./types";

/** Parse a text; integers beyond what a number holds exactly become strings, which the API reads as integers. */
export function parseExactly(text: string): Json {
  JSON.parse(text); // throws, unlike the parser below
  const tree = parseTree(text);
  return tree ? exactValue(tree, text) : null;
}

function exactValue(node: Node, text: string): Json {
  if (node.type === "array") return (node.children ?? []).map((child) => exactValue(child, text));
  if (node.type === "object") {
    const entries = (node.children ?? []).map((property) => {
      const [key, value] = property.children as [Node, Node];
      return [String(key.value), exactValue(value, text)] as const;
    });
    return Object.fromEntries(entries);
  }
  const digits = text.slice(node.offset, node.offset + node.length);
  if (node.type === "number" && /^-?\d+$/.test(digits) && !Number.isSafeInteger(node.value)) return digits;
  return getNodeValue(node);
}
