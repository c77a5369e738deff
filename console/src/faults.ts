/** Where in a text of JSON a fault lies. */

import { findNodeAtLocation, type Node, type ParseError, parseTree, printParseErrorCode } from "jsonc-parser";
import type { Fault } from "./types";

export interface PlacedFault extends Fault {
  /** The line, counted from 1, and the characters that the fault is about; of the whole text if unknown. */
  line: number;
  start: number;
  end: number;
}

/** Return the first error in a text that is not JSON, or null. */
export function syntaxFault(text: string): PlacedFault | null {
  try {
    JSON.parse(text);
    return null;
  } catch (error) {
    const errors: ParseError[] = [];
    parseTree(text, errors, { disallowComments: true, allowTrailingComma: false });
    const first = errors[0];
    const start = Math.min(first?.offset ?? 0, text.length);
    const message = first
      ? `not JSON: ${printParseErrorCode(first.error)}`
      : `not JSON: ${(error as Error).message}`;
    return { path: "", message, line: lineAt(text, start), start, end: start + (first?.length ?? 0) };
  }
}

/** Return the faults with their places in the text; one whose place is missing lies at what would contain it. */
export function placeFaults(text: string, faults: readonly Fault[]): PlacedFault[] {
  const tree = parseTree(text);
  return faults.map((fault) => {
    const node = tree && nearestNode(tree, segments(fault.path));
    const start = node?.offset ?? 0;
    return { ...fault, line: lineAt(text, start), start, end: node ? node.offset + node.length : 0 };
  });
}

/** Return the segments of a JSON pointer. */
export function segments(pointer: string): string[] {
  return pointer
    .split("/")
    .slice(1)
    .map((segment) => segment.replaceAll("~1", "/").replaceAll("~0", "~"));
}

/** Return a key as a segment of a JSON pointer. */
export function pointerSegment(key: string): string {
  return key.replaceAll("~", "~0").replaceAll("/", "~1");
}

function nearestNode(tree: Node, path: readonly string[]): Node {
  for (let length = path.length; length > 0; length--) {
    const node = nodeAt(tree, path.slice(0, length));
    if (node) return node;
  }
  return tree;
}

function nodeAt(tree: Node, path: readonly string[]): Node | undefined {
  let node: Node | undefined = tree;
  for (const segment of path) {
    if (!node) return undefined;
    const isIndex = node.type === "array" && /^\d+$/.test(segment);
    node = findNodeAtLocation(node, [isIndex ? Number(segment) : segment]);
  }
  return node;
}

function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split("\n").length;
}
