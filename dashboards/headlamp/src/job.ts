/** A ReconstructionJob as the API server returns it, and what the pages ask of it. Pure: no Headlamp, no clock. */

export const GROUP = 'reconstruction.dev';
export const MANAGER = `${GROUP}/operator`;
export const PHASES = [
  'Pending',
  'Queued',
  'Running',
  'Suspended',
  'Cancelling',
  'Succeeded',
  'Failed',
  'Cancelled',
] as const;
export type Phase = (typeof PHASES)[number];

export type Verdict = 'Fine' | 'Warning' | 'Simulated' | 'Failed' | 'Cancelled';

export interface Condition {
  type: string;
  status: string;
  reason: string;
  message?: string;
}

export interface JobSpec {
  modelType?: string;
  input?: { uri: string };
  output?: { uri: string };
  parameters?: Record<string, unknown>;
  queue?: string;
  priority?: string;
  suspend?: boolean;
  cancelRequested?: boolean;
  cancelConfirmed?: boolean;
  cancelReason?: string | null;
  managedBy?: string;
  [field: string]: unknown;
}

export interface JobStatus {
  phase?: Phase;
  phaseDetail?: string;
  timeDetail?: string;
  reason?: string;
  message?: string;
  installation?: { lease?: string };
  verdict?: Verdict;
  attempt?: number;
  failures?: number;
  worker?: string;
  startTime?: string;
  progress?: {
    percent?: number;
    display?: string;
    step?: string;
    stepIndex?: number;
    stepCount?: number;
    etaSeconds?: number;
    eta?: string;
    resumedFrom?: string;
  };
  parts?: { total?: number; done?: number; running?: number };
  steps?: { name: string; seconds?: number }[];
  inputs?: { images?: number; bytes?: number };
  outputs?: { uri?: string; bytes?: number; files?: { name?: string; bytes?: number }[] };
  quality?: Record<string, string>;
  failure?: { reason?: string; message?: string; retriable?: boolean };
  cancel?: { requestedAt?: string; confirmedAt?: string; acknowledgedAt?: string };
  conditions?: Condition[];
}

export interface Job {
  metadata: {
    name: string;
    namespace?: string;
    uid?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
  };
  spec: JobSpec;
  status?: JobStatus;
}

export function condition(job: Job, type: string): Condition | undefined {
  return job.status?.conditions?.find(entry => entry.type === type);
}

export function isFinished(job: Job): boolean {
  return ['Succeeded', 'Failed', 'Cancelled'].includes(job.status?.phase ?? '');
}

/** The other controller that manages the job; empty if it is the operator. */
export function manager(job: Job): string {
  const name = job.spec.managedBy;
  return name && name !== MANAGER ? name : '';
}

/** The column Phase of `kubectl get`. */
export function phaseText(job: Job): string {
  if (manager(job)) return 'Not managed';
  return job.status?.phaseDetail || job.status?.phase || 'New';
}

/** The sentence to the verdict, or to the state of a job without one. */
export function sentence(job: Job): string {
  if (manager(job)) return `${manager(job)} manages this job; the operator ignores it.`;
  return job.status?.message || 'The operator has not seen this job yet.';
}

/** The Celery queue with its priority, as metrics and messages name it. */
export function queueName(job: Job): string {
  const { queue = 'celery', priority = 'normal' } = job.spec;
  return priority === 'normal' ? queue : `${queue}-${priority}`;
}

/** How far the parts of a stage are that several workers make; empty if none is divided. */
export function partsText(job: Job): string {
  const { total = 0, done = 0, running = 0 } = job.status?.parts ?? {};
  return total ? `${done} of ${total} made${running > 1 ? `, ${running} workers` : ''}` : '';
}

/** A duration as `kubectl get` writes it: "45s", "1m20s", "12m", "1h5m", "2d3h". */
export function durationText(duration: number): string {
  const seconds = Math.max(0, Math.floor(duration));
  const two = (size: number, unit: string, smallSize: number, small: string) => {
    const rest = Math.floor((seconds % size) / smallSize);
    return `${Math.floor(seconds / size)}${unit}${rest ? `${rest}${small}` : ''}`;
  };
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 600) return two(60, 'm', 1, 's');
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
  return seconds < 86400 ? two(3600, 'h', 60, 'm') : two(86400, 'd', 3600, 'h');
}

/** A size with a decimal unit: "1.4 MB". */
export function sizeText(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  const power = Math.floor(Math.log10(Math.max(1, bytes)) / 3);
  const unit = Math.min(power, units.length - 1);
  const size = bytes / 1000 ** unit;
  return `${unit && size < 10 ? size.toFixed(1) : Math.round(size)} ${units[unit]}`;
}

/** registeredImages -> Registered images */
export function words(name: string): string {
  const text = name.replace(/([a-z])([A-Z])/g, '$1 $2').toLowerCase();
  return text.charAt(0).toUpperCase() + text.slice(1);
}

// A user name before the host and letters that look like others would show another place than the link leads to.
const ADDRESS = /^https?:\/\/([a-z0-9.-]+|\[[0-9a-f:]+\])(:\d{1,5})?(\/[a-z0-9._~%/-]*)?$/i;

/** The gallery's address without a slash at its end; empty if it is none. `{cluster}` stands for the cluster's name. */
export function galleryAddress(setting = '', cluster: string): string {
  const address = setting.trim().replace(/\{cluster\}/g, encodeURIComponent(cluster));
  return ADDRESS.test(address) ? address.replace(/\/+$/, '') : '';
}

/** The gallery's page of a job, where its mesh can be turned. */
export function pageOf(gallery: string, { metadata }: Job): string {
  return `${gallery}/jobs/${metadata.namespace}/${metadata.name}`;
}

/** The pictures of a result, as the gallery chooses and serves them. */
export function previewsOf(gallery: string, job: Job): { name: string; address: string }[] {
  const { namespace, name: jobName } = job.metadata;
  const names = (job.status?.outputs?.files ?? []).map(file => file.name ?? '');
  return names
    .filter(name => /\.(png|jpe?g|webp)$/i.test(name) && !/texture/i.test(name))
    .filter(name => !name.split('/').some(part => ['', '.', '..'].includes(part)))
    .map(name => {
      const path = name.split('/').map(encodeURIComponent).join('/');
      const address = `${gallery}/api/namespaces/${namespace}/jobs/${jobName}/files/${path}`;
      return { name, address };
    });
}
