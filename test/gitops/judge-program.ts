// The program of hack/gitops, which judges objects as Argo CD, kstatus and kubectl do: one object in, one judgement out.
import { spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { builtBy } from '../cluster/built.ts';

const root = new URL('../../', import.meta.url).pathname;

/** Where the program is, or why there is none: said loudly, never skipped in silence. */
export function judgeBinary(): { readonly file: string } | { readonly missing: string } {
  const found = builtBy('gitops-binary');
  return 'missing' in found ? found : { file: found.path };
}

export const customization = join(root, 'config/argocd/resource_customizations/flint.dev/IngressRoute');

/** Of `health` and `status`. */
export interface Judgement {
  readonly status: string;
  readonly message: string;
}

/** Of `diff`: what a sync would still change. */
export interface Difference {
  readonly patch: unknown;
}

/** A running program: answers come in the order of the questions. */
export class JudgeProgram<Answer> {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #waiting: PromiseWithResolvers<Answer>[] = [];

  private constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child;
    createInterface(child.stdout).on('line', (line) => {
      const answer = JSON.parse(line) as Answer & { readonly error?: string };
      const { resolve, reject } = this.#waiting.shift()!;
      if (answer.error === undefined) resolve(answer);
      else reject(new Error(answer.error));
    });
    let errors = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
    child.on('close', () => {
      for (const { reject } of this.#waiting.splice(0)) reject(new Error(`it has ended: ${errors}`));
    });
  }

  /** As Argo CD's script for IngressRoutes judges. */
  static health(file: string, script = join(customization, 'health.lua')): JudgeProgram<Judgement> {
    return new JudgeProgram(spawn(file, ['health', script]));
  }

  /** As kstatus judges. */
  static status(file: string): JudgeProgram<Judgement> {
    return new JudgeProgram(spawn(file, ['status']));
  }

  /** The three-way difference of a client-side apply; questions are `{last, desired, live}`. */
  static difference(file: string): JudgeProgram<Difference> {
    return new JudgeProgram(spawn(file, ['diff']));
  }

  ask(question: unknown): Promise<Answer> {
    const answer = Promise.withResolvers<Answer>();
    this.#waiting.push(answer);
    this.#child.stdin.write(`${JSON.stringify(question)}\n`);
    return answer.promise;
  }

  stop(): void {
    this.#child.kill('SIGKILL');
  }
}
