import { durationText } from './job';

const SILENT_SECONDS = 15; // more than two beats of the operator

/** What the operator of an installation tells every user. `lease`: namespace/name. */
export interface Installation {
  lease: string;
  version: string;
  gallery?: string;
  problems?: string[];
  workers?: { queues?: string[]; number?: number; models?: Record<string, unknown> | null }[];
  complete?: boolean;
  beat?: string;
}

/** The installations in the data of the ConfigMap; entries that cannot be read are left out. */
export function installations(data: Record<string, string> = {}): Installation[] {
  return Object.values(data).flatMap(text => {
    try {
      return [JSON.parse(text) as Installation];
    } catch {
      return [];
    }
  });
}

/** A table's row: workers, queues, models and problems as texts, at a time in milliseconds. */
export function row(
  { lease, version, workers = [], problems = [], beat }: Installation,
  now: number
) {
  const each = (of: (group: (typeof workers)[number]) => string[]) =>
    [...new Set(workers.flatMap(of))].sort().join(', ');
  const silent = (now - Date.parse(beat ?? '')) / 1000;
  return {
    lease,
    version,
    workers: workers.reduce((sum, { number = 0 }) => sum + number, 0),
    queues: each(({ queues = [] }) => queues),
    models: each(({ models }) => Object.keys(models ?? {})),
    problems:
      silent > SILENT_SECONDS
        ? `The operator last reported ${durationText(silent)} ago`
        : problems.join(', ') || 'None',
  };
}
