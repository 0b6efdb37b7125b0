// Waiting for a condition: tests poll in short steps, and give up with words instead of hanging.

const stepMs = 2;
const patienceMs = 60_000;

/** Resolves when `isSo`; rejects, saying what was waited for, when that takes far too long. */
export async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const startedMs = Date.now();
  while (!(await isSo())) {
    if (Date.now() - startedMs > patienceMs) throw new Error(`never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, stepMs));
  }
}
