// Runs every case of test/translate/cases; UPDATE_GOLDEN=1 rewrites what they expect.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { encode } from '#model/bundle.ts';
import { decode } from '#model/bundle-reader.ts';
import { compile } from '#route/route-table.ts';
import { translate } from '#translate/translate.ts';
import { revealed } from '../model/revealed.ts';
import { outcomeOf, parseGoldenCase } from './golden-case.ts';

const folder = new URL('cases/', import.meta.url);
const isUpdate = process.env['UPDATE_GOLDEN'] === '1';

for (const name of readdirSync(folder).filter((each) => each.endsWith('.yaml')))
  test(name.replace('.yaml', ''), () => {
    const file = new URL(name, folder);
    const golden = parseGoldenCase(readFileSync(file, 'utf8'));
    const translation = translate(golden.view, golden.settings);
    const outcome = outcomeOf(translation);
    if (isUpdate) writeFileSync(file, golden.rewritten(outcome));
    else assert.deepEqual(outcome, golden.expected);
    // Whatever translation lets through, the data plane can read and serve.
    const decoded = decode(encode(translation.model));
    assert.equal(decoded.kind, 'Decoded');
    assert.deepEqual(revealed(decoded.model), revealed(translation.model));
    compile(translation.model.hosts);
    // However it is printed, no key is seen.
    for (const text of [JSON.stringify(translation), inspect(translation, { depth: Infinity })])
      assert.doesNotMatch(text, /PRIVATE KEY/);
  });
