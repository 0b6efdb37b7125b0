// Tests of a connection as documents: a title, prose, the frames of a client, the events and the frames of ours.
import assert from 'node:assert/strict';
import { connectionPreface } from '#h2/frame.ts';
import { settings } from './frame-bytes.ts';
import { parseSteps } from './frame-notation.ts';
import type { Step } from './frame-notation.ts';
import { SessionRecorder, usualLimits } from './session-recorder.ts';

export interface SessionTranscript {
  readonly title: string;
  readonly concurrentStreams: number;
  /** With the preface of the client and its first SETTINGS. */
  readonly isWhole: boolean;
  readonly steps: readonly Step[];
  readonly events: readonly string[];
}

const section =
  /^## (?<title>.+)\n(?<prose>[^]*?)```frames(?<whole> whole)?(?: streams=(?<streams>\d+))?\n(?<frames>[^]*?)```\n\n```events\n(?<events>[^]*?)```\s*$/;

/**
 * `## title`, prose, a block of `frames` (see frame-notation.ts; `streams=2`: so many may be open), a block of `events`, where
 * `> ` marks a frame of ours. The preface, an empty SETTINGS and our answer to them come first, unless it says `frames whole`.
 */
export function parseSessionTranscripts(document: string): readonly SessionTranscript[] {
  return document
    .split(/^(?=## )/m)
    .slice(1)
    .map((text) => {
      const groups = section.exec(text)?.groups;
      if (groups === undefined) throw new Error(`not a transcript:\n${text}`);
      const { title = '', whole, streams, frames = '', events = '' } = groups;
      return {
        title,
        concurrentStreams: Number(streams ?? usualLimits.concurrentStreams),
        isWhole: whole !== undefined,
        steps: parseSteps(frames),
        events: events.split('\n').filter((line) => line !== ''),
      };
    });
}

const introduction: Step = { kind: 'Bytes', bytes: Buffer.concat([connectionPreface, settings([])]) };

/** What happens when the bytes come in pieces that end at `cuts`. */
export function replaySession(transcript: SessionTranscript, cuts: readonly number[]): readonly string[] {
  const { concurrentStreams, isWhole, steps } = transcript;
  const recorder = new SessionRecorder({ ...usualLimits, concurrentStreams });
  if (isWhole) {
    recorder.run(steps, cuts);
    return recorder.log.finish();
  }
  recorder.run([introduction], []);
  const opening = recorder.log.finish();
  assert.deepEqual(opening, [
    `> SETTINGS MAX_CONCURRENT_STREAMS=${concurrentStreams} MAX_HEADER_LIST_SIZE=65536 ENABLE_CONNECT_PROTOCOL=1 INITIAL_WINDOW_SIZE=262144`,
    '> WINDOW_UPDATE 0 983041',
    '> SETTINGS ACK',
  ]);
  recorder.run(steps, cuts);
  return recorder.log.finish().slice(opening.length);
}

export function bytesOf({ steps }: SessionTranscript): number {
  return steps.reduce((sum, step) => sum + (step.kind === 'Bytes' ? step.bytes.length : 0), 0);
}
