// What is in an image that somebody else has written: from the lock file, the runtimes' packages and Debian's.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import type { DebianPackage } from './debian-libraries.ts';
import { version } from './images.ts';
import type { ImagePlan, Runtime } from './images.ts';

const root = new URL('../../', import.meta.url);

export interface LockedPackage {
  readonly name: string;
  readonly version: string;
  /** An SPDX expression. */
  readonly licence: string;
  /** `sha512-` and base64, as npm checks it. */
  readonly integrity: string;
  /** Below the checkout. */
  readonly folder: string;
}

interface LockEntry {
  readonly version: string;
  readonly license?: string;
  readonly integrity?: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

interface Lock {
  readonly packages: Readonly<Record<string, LockEntry>>;
}

const lock = JSON.parse(readFileSync(new URL('package-lock.json', root), 'utf8')) as Lock;

const runtimePackages: Readonly<Record<Runtime, RegExp>> = {
  node: /^node_modules\/node-(?:linux|darwin|bin-darwin)-/,
  bun: /^node_modules\/@oven\/bun-linux-/,
};

/** Every library that a bundle can hold: the dependencies of package.json and theirs. By name. */
export function lockedLibraries(): readonly LockedPackage[] {
  return Object.entries(lock.packages)
    .filter(([folder, entry]) => folder !== '' && entry.dev !== true && entry.optional !== true)
    .map(([folder, entry]) => lockedPackage(folder, entry))
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

/** The package that the binary of `runtime` is from, for this machine's architecture. */
export function runtimePackage(runtime: Runtime): LockedPackage {
  const architecture = process.arch === 'arm64' ? /-(?:arm64|aarch64)$/ : /-x64$/;
  const found = Object.entries(lock.packages).find(
    ([folder]) =>
      folder.includes('linux') && runtimePackages[runtime].test(folder) && architecture.test(folder),
  );
  if (found === undefined)
    throw new Error(`package-lock.json has no ${runtime} for Linux on ${process.arch}`);
  return lockedPackage(...found);
}

function lockedPackage(folder: string, entry: LockEntry): LockedPackage {
  const name = folder.slice(folder.lastIndexOf('node_modules/') + 'node_modules/'.length);
  if (entry.license === undefined || entry.integrity === undefined)
    throw new Error(`package-lock.json says nothing of the licence or the integrity of ${name}`);
  return { name, version: entry.version, licence: entry.license, integrity: entry.integrity, folder };
}

/** For people: each library with its licence, and the words of each. */
export function thirdPartyNotices(plan: ImagePlan): string {
  const packages = [runtimePackage(plan.runtime), ...lockedLibraries()];
  const list = packages.map((each) => `${each.name} ${each.version}: ${each.licence}`).join('\n');
  const texts = packages.map((each) => {
    const title = `${each.name} ${each.version} (${each.licence})`;
    return `${title}\n${'-'.repeat(title.length)}\n\n${licenceText(each)}`;
  });
  return `What ${plan.name} ${version} is made with. The libraries of Debian say theirs in /usr/share/doc.\n\n${list}\n\n${texts.join('\n\n')}\n`;
}

const bunNotice =
  'Bun is under the MIT licence, and holds JavaScriptCore and parts of WebKit (LGPL-2.0) and other libraries: its LICENSE.md, in the repository of Bun, names them all. Its package has no text of them.';

function licenceText({ name, folder, licence }: LockedPackage): string {
  const url = new URL(`${folder}/`, root);
  const files = existsSync(url)
    ? readdirSync(url).filter((name) => /^(?:licen[cs]e|copying|notice|unlicense)/i.test(name))
    : [];
  if (name.startsWith('@oven/bun-')) return bunNotice;
  if (files.length === 0) return `Its package has no text of its licence; it is ${licence}.`;
  return files.map((file) => readFileSync(new URL(file, url), 'utf8').trim()).join('\n\n');
}

/** For machines: SPDX 2.3. `seconds` is when it was made, as everything in the image says. */
export function spdx(plan: ImagePlan, debian: readonly DebianPackage[], seconds: number): string {
  const runtime = runtimePackage(plan.runtime);
  const flint = {
    SPDXID: 'SPDXRef-flint',
    name: plan.name,
    versionInfo: version,
    downloadLocation: 'NOASSERTION',
    licenseDeclared: 'Apache-2.0',
    licenseConcluded: 'Apache-2.0',
    copyrightText: 'NOASSERTION',
    filesAnalyzed: false,
  };
  const npm = [runtime, ...lockedLibraries()].map((each, index) => ({
    ...flint,
    SPDXID: `SPDXRef-npm-${index}`,
    name: each.name,
    versionInfo: each.version,
    licenseDeclared: each.licence,
    licenseConcluded: 'NOASSERTION',
    checksums: [{ algorithm: 'SHA512', checksumValue: hexOf(each.integrity) }],
    externalRefs: [purl(`pkg:npm/${each.name.replace('@', '%40')}@${each.version}`)],
  }));
  const system = debian.map((each, index) => ({
    ...flint,
    SPDXID: `SPDXRef-deb-${index}`,
    name: each.name,
    versionInfo: each.version,
    licenseDeclared: 'NOASSERTION',
    licenseConcluded: 'NOASSERTION',
    externalRefs: [
      purl(
        `pkg:deb/debian/${encodeURIComponent(each.name)}@${encodeURIComponent(each.version)}?distro=debian-12`,
      ),
    ],
  }));
  const packages = [flint, ...npm, ...system];
  const document = {
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    SPDXID: 'SPDXRef-DOCUMENT',
    name: `${plan.name}-${version}`,
    documentNamespace: `https://flint.dev/spdx/${plan.name}-${version}-${digestOf(packages)}`,
    creationInfo: {
      created: new Date(seconds * 1000).toISOString().replace('.000', ''),
      creators: ['Tool: flint-image'],
    },
    packages,
    relationships: [
      relationship('SPDXRef-DOCUMENT', 'DESCRIBES', flint.SPDXID),
      ...packages.slice(1).map(({ SPDXID }) => relationship(flint.SPDXID, 'CONTAINS', SPDXID)),
    ],
  };
  return `${JSON.stringify(document, undefined, 1)}\n`;
}

/** Two documents that say different things have different names. */
function digestOf(packages: readonly object[]): string {
  return createHash('sha256').update(JSON.stringify(packages)).digest('hex').slice(0, 16);
}

function relationship(from: string, relationshipType: string, to: string): object {
  return { spdxElementId: from, relationshipType, relatedSpdxElement: to };
}

function purl(locator: string): object {
  return { referenceCategory: 'PACKAGE-MANAGER', referenceType: 'purl', referenceLocator: locator };
}

function hexOf(integrity: string): string {
  return Buffer.from(integrity.replace(/^sha512-/, ''), 'base64').toString('hex');
}
