// Every transcript, whole, cut in two at every point, and byte by byte: events and frames are always the same.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { cutsEverywhere, cutsInTwo } from '../h1/pieces.ts';
import { bytesOf, parseSessionTranscripts, replaySession } from './session-transcript.ts';

/** Longer inputs, those of the limits and floods, are cut at fewer points. */
const mostCuts = 400;
const longBytes = 4000;
const mostCutsOfLong = 5;
/** And not byte by byte. */
const bytesOfLong = 61;

const folder = new URL('transcripts/', import.meta.url);

for (const file of readdirSync(folder).toSorted()) {
  describe(file, () => {
    const transcripts = parseSessionTranscripts(readFileSync(new URL(file, folder), 'utf8'));
    for (const transcript of transcripts) {
      test(transcript.title, () => {
        const { events } = transcript;
        const length = bytesOf(transcript);
        assert.deepEqual(replaySession(transcript, []), events);
        const most = length > longBytes ? mostCutsOfLong : mostCuts;
        for (const cut of cutsInTwo(length, most))
          assert.deepEqual(replaySession(transcript, [cut]), events, `cut after ${cut} bytes`);
        const pieceBytes = length > longBytes ? bytesOfLong : 1;
        const cuts = cutsEverywhere(length).filter((cut) => cut % pieceBytes === 0);
        assert.deepEqual(replaySession(transcript, cuts), events, `by ${pieceBytes}`);
      });
    }
    test('has titles that differ', () => {
      const titles = transcripts.map(({ title }) => title);
      assert.deepEqual([...new Set(titles)], titles);
    });
  });
}
