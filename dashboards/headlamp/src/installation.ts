import { durationText, galleryAddress } from './job';

const SILENT_SECONDS = 15; // more than two beats of the operator

const PREFIX = 'reconstruction-info.';

export const NAMESPACE = 'kube-public';
export const SELECTOR = 'reconstruction.dev/info=true';

/** What the operator of an installation tells every user. `lease`: namespace/name. */
export interface Installation {
  lease: string;
  version: string;
  gallery: string;
  problems: string[];
  workers: { queues: string[]; number: number; models: Record<string, unknown> }[];
  beat: string;
}

/** A ConfigMap, as far as it is read here. */
export interface InfoMap {
  metadata?: { name?: string };
  data?: Record<string, string> | null;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const textOf = (value: unknown) => (typeof value === 'string' ? value : '');
const textsOf = (value: unknown) =>
  Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : [];

/**
 * The installations in ConfigMaps. A value of another type counts as missing. A ConfigMap that does not have its installation's name
 * is left out: its operator may not speak for another one.
 */
export function installations(maps: InfoMap[] | null = []): Installation[] {
  return (maps ?? []).flatMap(({ metadata, data }) => {
    let content: unknown;
    try {
      content = JSON.parse(data?.info ?? '');
    } catch {
      return [];
    }
    if (!isObject(content)) return [];
    const lease = textOf(content.lease);
    if (!lease || metadata?.name !== `${PREFIX}${lease.replace('/', '.')}`) return [];
    const workers = (Array.isArray(content.workers) ? content.workers : [])
      .filter(isObject)
      .map(({ queues, number, models }) => ({
        queues: textsOf(queues),
        number: typeof number === 'number' ? number : 0,
        models: isObject(models) ? models : {},
      }));
    const [version, gallery] = [textOf(content.version), textOf(content.gallery)];
    return [
      {
        lease,
        version,
        gallery,
        problems: textsOf(content.problems),
        workers,
        beat: textOf(content.beat),
      },
    ];
  });
}

/** The gallery of the installation that manages a job, or of the only one; empty if it has none with TLS. */
export function galleryOf(published: Installation[], lease: string | undefined): string {
  const own = published.find(installation => installation.lease === lease);
  const { gallery = '' } = own ?? (published.length === 1 && !lease ? published[0] : {});
  return gallery.startsWith('https://') ? galleryAddress(gallery, '') : '';
}

/** A table's row: workers, queues, models and problems as texts, at a time in milliseconds. */
export function row({ lease, version, workers, problems, beat }: Installation, now: number) {
  const each = (of: (group: (typeof workers)[number]) => string[]) =>
    [...new Set(workers.flatMap(of))].sort().join(', ');
  const silent = (now - Date.parse(beat)) / 1000;
  return {
    lease,
    version,
    workers: workers.reduce((sum, { number }) => sum + number, 0),
    queues: each(({ queues }) => queues),
    models: each(({ models }) => Object.keys(models)),
    problems:
      silent > SILENT_SECONDS
        ? `The operator last reported ${durationText(silent)} ago`
        : problems.join(', ') || 'None',
  };
}
