// Every transcript, whole, cut in two at every point, and byte by byte: the events are always the same.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { cutsEverywhere, cutsInTwo } from './pieces.ts';
import { parseTranscripts, replayTranscript } from './transcript.ts';

/** Longer inputs, those of the limits, are cut at about this many points only. */
const mostCuts = 800;
const longBytes = 4000;
const mostCutsOfLong = 200;

const folder = new URL('transcripts/', import.meta.url);

for (const file of readdirSync(folder).toSorted()) {
  describe(file, () => {
    const transcripts = parseTranscripts(readFileSync(new URL(file, folder), 'utf8'));
    for (const transcript of transcripts) {
      test(transcript.title, () => {
        const { bytes, events } = transcript;
        assert.deepEqual(replayTranscript(transcript, []), events);
        const most = bytes.length > longBytes ? mostCutsOfLong : mostCuts;
        for (const cut of cutsInTwo(bytes.length, most))
          assert.deepEqual(replayTranscript(transcript, [cut]), events, `cut after ${cut} bytes`);
        assert.deepEqual(replayTranscript(transcript, cutsEverywhere(bytes.length)), events, 'byte by byte');
      });
    }
    test('has titles that differ', () => {
      const titles = transcripts.map(({ title }) => title);
      assert.deepEqual([...new Set(titles)], titles);
    });
  });
}
