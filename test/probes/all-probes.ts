// All probes, in the order of the table.
import { breaksMidBody } from './breaks-mid-body.ts';
import { descriptorsSpent } from './descriptors-spent.ts';
import { endpointsFlapping } from './endpoints-flapping.ts';
import { endpointsGone } from './endpoints-gone.ts';
import { garbage } from './garbage.ts';
import { idleConnections } from './idle-connections.ts';
import { keepAliveRace } from './keep-alive-race.ts';
import { neverAccepts } from './never-accepts.ts';
import { neverAnswers } from './never-answers.ts';
import type { Probe } from './probe.ts';
import { slowHead } from './slow-head.ts';
import { slowReader } from './slow-reader.ts';
import { standstill } from './standstill.ts';
import { stopUnderLoad } from './stop-under-load.ts';
import { tricklingBody } from './trickling-body.ts';
import { workerDies } from './worker-dies.ts';

export const probes: readonly Probe[] = [
  endpointsFlapping,
  endpointsGone,
  neverAccepts,
  neverAnswers,
  keepAliveRace,
  breaksMidBody,
  garbage,
  slowReader,
  slowHead,
  tricklingBody,
  idleConnections,
  descriptorsSpent,
  workerDies,
  standstill,
  stopUnderLoad,
];
