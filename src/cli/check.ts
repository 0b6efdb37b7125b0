// `flint check`: what the API server would say of manifests, with the line to mend.
import { refOf, refText } from '#api/kubernetes-object.ts';
import { loadCrdValidators } from '#local/crd-file.ts';
import { manifestFilesOf, readManifestFile } from '#local/manifest-files.ts';
import { parseManifests, positionText } from '#local/manifests.ts';
import { exitCode } from './terminal.ts';
import type { Terminal } from './terminal.ts';

export function check(options: { readonly file: readonly string[] }, terminal: Terminal): number {
  const validators = loadCrdValidators();
  let checked = 0;
  let skipped = 0;
  let problems = 0;
  const report = (position: string, message: string): void => {
    problems++;
    terminal.stdout(`${position}: ${message}\n`);
  };
  for (const file of options.file.flatMap((path) => (path === '-' ? ['-'] : manifestFilesOf(path)))) {
    const { manifests, faults } = parseManifests(readManifestFile(file), file);
    for (const { position, message } of faults) report(positionText(position), message);
    for (const { object, locate } of manifests) {
      const validate = validators.get(`${object.apiVersion} ${object.kind}`);
      if (validate === undefined) {
        skipped++;
        continue;
      }
      checked++;
      for (const { at, message } of validate(object))
        report(positionText(locate(at)), `${refText(refOf(object))}: ${at} ${message}`);
    }
  }
  const rest = skipped === 0 ? '' : `, ${skipped} of other kinds not looked at`;
  terminal.stdout(
    `${checked} checked${rest}: ${problems === 0 ? 'no problem' : `${problems} ${problems === 1 ? 'problem' : 'problems'}`}\n`,
  );
  return problems === 0 ? exitCode.ok : exitCode.negative;
}
