// What must hold for any bytes of a client over HTTP/2: the same events and frames however they are cut, and sound books.
import { connectionPreface } from '#h2/frame.ts';
import { settings } from '../h2/frame-bytes.ts';
import { SessionRecorder, usualLimits } from '../h2/session-recorder.ts';

const smallLimits = { headBytes: 500, fields: 8, targetBytes: 100, concurrentStreams: 2 };
const introduction = Buffer.concat([connectionPreface, settings([])]);

/** Events and frames after a good introduction. */
export function recordFrames(input: Buffer, cuts: readonly number[], isLimited: boolean): readonly string[] {
  const recorder = new SessionRecorder(isLimited ? smallLimits : usualLimits);
  recorder.run([{ kind: 'Bytes', bytes: introduction }], []);
  recorder.run([{ kind: 'Bytes', bytes: input }], cuts);
  recorder.checkWindows();
  return recorder.log.finish();
}
