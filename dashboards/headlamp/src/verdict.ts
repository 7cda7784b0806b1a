import { condition, Job, manager } from './job';

/** What a user should think of a job, and the sentence behind it. `open`: it is not finished, and nothing is wrong. */
export interface Verdict {
  kind: 'fine' | 'warning' | 'simulated' | 'failed' | 'cancelled' | 'open';
  sentence: string;
}

/** Reasons of Dispatched and Running for which `kubectl recon get` calls a job stuck. */
const STUCK = ['QueueUnserved', 'ModelUnserved', 'NoWorker', 'AwaitingWorker', 'BackingOff'];

/**
 * The one verdict of a job. It follows the columns Phase and Reason of `kubectl get`: an outcome counts before what a job
 * waits for, and a simulation before a warning, since a simulated result says nothing about the photos.
 */
export function verdict(job: Job): Verdict {
  const status = job.status ?? {};
  const message = status.message ?? '';
  if (manager(job)) {
    return { kind: 'open', sentence: `${manager(job)} manages this job; the operator ignores it.` };
  }
  switch (status.phase) {
    case 'Failed':
      return { kind: 'failed', sentence: status.failure?.message || message };
    case 'Cancelled': {
      const why = job.spec.cancelReason ? `: ${job.spec.cancelReason}` : '';
      return { kind: 'cancelled', sentence: `Cancelled${why}` };
    }
    case 'Succeeded':
      if (status.simulated) return { kind: 'simulated', sentence: message || SIMULATED };
      if (status.warning) return { kind: 'warning', sentence: status.warning };
      return { kind: 'fine', sentence: message || 'Succeeded' };
  }
  const isContested = condition(job, 'Contested')?.status === 'True';
  const isStuck = ['Dispatched', 'Running'].some(type =>
    STUCK.includes(condition(job, type)?.reason ?? '')
  );
  return {
    kind: isContested || isStuck ? 'warning' : 'open',
    sentence: message || 'The operator has not seen this job yet.',
  };
}

const SIMULATED = 'Simulated, not made from the photos';
