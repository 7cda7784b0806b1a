import { condition, GROUP, isFinished, Job, JobSpec, manager } from './job';

/** Changes of a job that the pages offer. The rules are those of `kubectl recon`, and the API server enforces them. */
export type Action = 'request' | 'withdraw' | 'confirm' | 'suspend' | 'resume' | 'retry';

const RETRY_OF = `${GROUP}/retry-of`;
const UNKNOWN_PHOTOS = 'file:///photos/unknown'; // of a job that `kubectl recon restore` created
const NOT_REPEATED = ['cancelRequested', 'cancelConfirmed', 'cancelReason', 'suspend'];

/** Why the action is impossible for the job; empty if it is possible. */
export function obstacle(job: Job, action: Action): string {
  const { spec, status } = job;
  if (action === 'retry') {
    if (!isFinished(job)) return 'not finished';
    return spec.input?.uri === UNKNOWN_PHOTOS ? 'names no photos: submit them again' : '';
  }
  if (manager(job)) return `managed by ${manager(job)}`;
  if (isFinished(job)) return `already ${status?.phase}`;
  if (spec.cancelConfirmed) return 'the cancel is confirmed, which is final';
  switch (action) {
    case 'request':
      return spec.cancelRequested ? 'a cancel is already requested' : '';
    case 'withdraw':
      return spec.cancelRequested ? '' : 'no cancel is requested';
    case 'confirm':
      if (!spec.cancelRequested) return 'no cancel is requested: a cancel takes two steps';
      return condition(job, 'CancelRequested')?.status === 'True'
        ? ''
        : 'the operator has not seen the request yet';
    case 'suspend':
      return spec.suspend ? 'already suspended' : '';
    case 'resume':
      return spec.suspend ? '' : 'not suspended';
  }
}

/** What an action writes, as a merge patch. `reason`: of a cancel. */
export function change(job: Job, action: Exclude<Action, 'retry'>, reason = '') {
  const spec: JobSpec = {
    request: { cancelRequested: true, ...(reason.trim() && { cancelReason: reason.trim() }) },
    withdraw: { cancelRequested: false, cancelReason: null },
    confirm: { cancelConfirmed: true },
    suspend: { suspend: true },
    resume: { suspend: false },
  }[action];
  return { metadata: { uid: job.metadata.uid }, spec };
}

/** The name of the next retry: banana-2 after banana, banana-3 after banana-2. */
export function nextName(name: string): string {
  const [, stem, number] = /^(.+?)-(\d{1,3})$/.exec(name) ?? ['', name, '1'];
  const ending = `-${Number(number) + 1}`;
  return stem.slice(0, 63 - ending.length).replace(/[-.]+$/, '') + ending;
}

/** Whether a retry needs another `spec.output`: the old one holds this job's result, which no other job may replace. */
export function needsOutput(job: Job): boolean {
  const address = job.spec.output?.uri;
  return Boolean(address && job.status?.outputs?.uri?.startsWith(address));
}

/** A new job with the spec of a finished one. `output`: its other address, if it needs one. */
export function repeated(job: Job, name: string, output = '') {
  const spec = Object.fromEntries(
    Object.entries(job.spec).filter(([field]) => !NOT_REPEATED.includes(field))
  );
  if (spec.reuse === 'Required') delete spec.reuse; // there is no result under the new name
  if (output) spec.output = { uri: output };
  const { namespace, labels, annotations } = job.metadata;
  return {
    apiVersion: `${GROUP}/v1alpha1`,
    kind: 'ReconstructionJob',
    metadata: {
      name,
      namespace,
      ...(labels && { labels }),
      annotations: { [RETRY_OF]: annotations?.[RETRY_OF] ?? job.metadata.name },
    },
    spec,
  };
}
