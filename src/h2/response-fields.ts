// The head of a response: pseudo-fields and fields -> what the proxy works with (RFC 9113 8.3.2).
import { Field } from '#http/field.ts';
import type { ResponseHead } from '#http/message-head.ts';
import { Pseudo } from './header-block.ts';
import type { HeaderBlock } from './header-block.ts';
import { readFraming } from './message-fields.ts';

const threeDigits = /^[1-9][0-9]{2}$/;

/** `head.fields` were filled by the decoder of `block`. False: the response is malformed. */
export function readResponse(block: HeaderBlock, head: ResponseHead, isEnd: boolean): boolean {
  const isStatusAlone =
    block.hasPseudo(Pseudo.Status) &&
    !block.hasPseudo(Pseudo.Method) &&
    !block.hasPseudo(Pseudo.Path) &&
    !block.hasPseudo(Pseudo.Scheme) &&
    !block.hasPseudo(Pseudo.Authority) &&
    !block.hasPseudo(Pseudo.Protocol);
  if (block.isMalformed || block.isTooLarge || !isStatusAlone || !threeDigits.test(block.status))
    return false;
  head.status = Number(block.status);
  // An interim response ends nothing, and nobody switches protocols here (RFC 9113 8.6).
  if (head.status === 101 || (head.status < 200 && isEnd)) return false;
  if (head.fields.indexOf(Field.Te) >= 0) return false;
  return readFraming(head, isEnd);
}
