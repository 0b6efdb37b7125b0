// Runs every case of test/translate/cases; UPDATE_GOLDEN=1 rewrites what they expect.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { decode, encode } from '#model/bundle.ts';
import { compile } from '#route/route-table.ts';
import { defaultTranslateSettings } from '#translate/defaults.ts';
import { translate } from '#translate/translate.ts';
import { outcomeOf, parseGoldenCase } from './golden-case.ts';

const folder = new URL('cases/', import.meta.url);
const isUpdate = process.env['UPDATE_GOLDEN'] === '1';

for (const name of readdirSync(folder).filter((each) => each.endsWith('.yaml')))
  test(name.replace('.yaml', ''), () => {
    const file = new URL(name, folder);
    const golden = parseGoldenCase(readFileSync(file, 'utf8'));
    const translation = translate(golden.view, defaultTranslateSettings);
    const outcome = outcomeOf(translation);
    if (isUpdate) writeFileSync(file, golden.rewritten(outcome));
    else assert.deepEqual(outcome, golden.expected);
    // Whatever translation lets through, the data plane can read and serve.
    assert.deepEqual(decode(encode(translation.model)), { kind: 'Decoded', model: translation.model });
    compile(translation.model.hosts);
  });
