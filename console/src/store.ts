/** What this tab keeps of the page. A browser may refuse to, or have no room: then it lasts until the page is left. */

const unstored = new Map<string, string>();

export function recall(name: string): string | null {
  try {
    return unstored.get(name) ?? sessionStorage.getItem(name);
  } catch {
    return null;
  }
}

export function remember(name: string, text: string): void {
  unstored.delete(name);
  try {
    sessionStorage.setItem(name, text);
  } catch {
    forget(name); // or an older text would come back
    unstored.set(name, text);
  }
}

export function forget(name: string): void {
  unstored.delete(name);
  try {
    sessionStorage.removeItem(name);
  } catch {
    // There is nothing to remove.
  }
}

export function forgetAll(): void {
  unstored.clear();
  try {
    sessionStorage.clear();
  } catch {
    // There is nothing to remove.
  }
}
