// A program of classic BPF for a listening socket, which sees a segment from its TCP header on: one that has SYN and no ACK is
// dropped, so that its sender asks again; all others pass.
//
// Linux, socket.7 (SO_ATTACH_FILTER) and <linux/filter.h>.

/** struct sock_filter: what to do in 16 bits, 8 bits of how far to jump if so, 8 if not, and an operand of 32 bits. */
export type Instruction = readonly [code: number, ifSo: number, ifNot: number, operand: number];

const LD_B_ABS = 0x30;
const ALU_AND_K = 0x54;
const JMP_JEQ_K = 0x15;
const RET_K = 0x06;

const flagsOffset = 13;
const SYN = 0x02;
const ACK = 0x10;

export const synFilter: readonly Instruction[] = [
  [LD_B_ABS, 0, 0, flagsOffset],
  [ALU_AND_K, 0, 0, SYN | ACK],
  [JMP_JEQ_K, 0, 1, SYN],
  // Nothing of it is kept,
  [RET_K, 0, 0, 0],
  // or all.
  [RET_K, 0, 0, 0xffff_ffff],
];
