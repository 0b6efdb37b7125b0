// The parser behind the CRD, and the translation behind the parser: an object that was stored under another version
// of the CRD meets the same refusals.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseIngressRoute } from '#api/ingress-route.ts';
import type { KubernetesObject } from '#api/kubernetes-object.ts';
import { defaultTranslateSettings } from '#translate/defaults.ts';
import { translate } from '#translate/translate.ts';
import { crdCases } from './crd-case.ts';
import { emptyView } from '../translate/empty-view.ts';

const ourClass: KubernetesObject = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'IngressClass',
  metadata: { name: 'flint' },
  spec: { controller: 'flint.dev/ingress-controller' },
};

/** Unknown fields are pruned by the API server before anyone reads them; status is not read at all. */
function isRead(at: string, message: string): boolean {
  return at.startsWith('spec') && message !== 'is an unknown field';
}

/** What becomes of the object where no CRD has looked at it: not to be served is all that matters. */
function verdictOn(object: KubernetesObject): string {
  const view = { ...emptyView, ingressRoutes: [object], ingressClasses: [ourClass] };
  return translate(view, defaultTranslateSettings).verdicts[0]?.kind ?? 'none';
}

for (const { name, object, at, message } of crdCases('refused'))
  if (isRead(at, message))
    test(`not served: ${name}`, () => {
      if (parseIngressRoute(object).kind === 'Parsed') assert.notEqual(verdictOn(object), 'Accepted');
    });

for (const { name, object } of crdCases('accepted'))
  test(`parsed: ${name}`, () => {
    const parsed = parseIngressRoute(object);
    assert.deepEqual(parsed.kind === 'Refused' ? parsed.problems : [], []);
  });
