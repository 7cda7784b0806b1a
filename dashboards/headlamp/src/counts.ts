import { isFinished, Job, manager, PHASES, queueName } from './job';

/** The number of jobs in each phase; jobs that the operator has not seen count as Pending. */
export function byPhase(jobs: Job[]) {
  const phases = jobs.filter(job => !manager(job)).map(job => job.status?.phase ?? 'Pending');
  return PHASES.map(phase => ({ phase, count: phases.filter(other => other === phase).length }));
}

/** The queues that unfinished jobs name, and what their jobs do. */
export function byQueue(jobs: Job[]) {
  const queues = new Map<string, { running: number; waiting: number; suspended: number }>();
  for (const job of jobs.filter(job => !isFinished(job) && !manager(job))) {
    const counts = queues.get(queueName(job)) ?? { running: 0, waiting: 0, suspended: 0 };
    const phase = job.status?.phase ?? 'Pending';
    if (phase === 'Suspended') counts.suspended++;
    else if (phase === 'Running' || phase === 'Cancelling') counts.running++;
    else counts.waiting++;
    queues.set(queueName(job), counts);
  }
  return [...queues]
    .map(([queue, counts]) => ({ queue, ...counts }))
    .sort((one, other) => one.queue.localeCompare(other.queue));
}

/** Whether a user should look at the job: it failed, is stuck, or waits for the second step of a cancel. */
export function attention(job: Job): boolean {
  const verdict = job.status?.verdict;
  const announced = job.spec.cancelRequested && !job.spec.cancelConfirmed && !isFinished(job);
  return verdict === 'Failed' || verdict === 'Warning' || (!manager(job) && Boolean(announced));
}
