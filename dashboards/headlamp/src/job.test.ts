import { describe, expect, it } from 'vitest';
import { Action, change, needsOutput, nextName, obstacle, repeated } from './actions';
import { attention, byPhase, byQueue } from './counts';
import { galleryOf, installations, row } from './installation';
import { durationText, galleryAddress, Job, JobSpec, JobStatus, pageOf, phaseText } from './job';
import { partsText, previewsOf, queueName, sentence, sizeText } from './job';

function job(status: JobStatus = {}, spec: JobSpec = {}): Job {
  const metadata = { name: 'banana', namespace: 'team', uid: 'u1', labels: { set: 'fruit' } };
  return { metadata, spec: { input: { uri: 'file:///photos/banana' }, ...spec }, status };
}

const observed = [{ type: 'CancelRequested', status: 'True', reason: 'Requested' }];
const requested = { cancelRequested: true };

describe('sentence', () => {
  it.each<[string, Job, string]>([
    ['the operator', job({ phase: 'Succeeded', message: 'Warning: 3 of 12' }), 'Warning: 3 of 12'],
    ['a new job', job(), 'The operator has not seen this job yet.'],
    [
      'another controller',
      job({}, { managedBy: 'example.com/other' }),
      'example.com/other manages this job; the operator ignores it.',
    ],
  ])('of %s', (_, of, text) => {
    expect(sentence(of)).toBe(text);
  });
});

describe('actions', () => {
  const possible = (of: Job) =>
    (['request', 'withdraw', 'confirm', 'suspend', 'resume', 'retry'] as Action[]).filter(
      action => !obstacle(of, action)
    );

  it.each<[string, Job, Action[]]>([
    ['a running job', job({ phase: 'Running' }), ['request', 'suspend']],
    ['a suspended job', job({ phase: 'Suspended' }, { suspend: true }), ['request', 'resume']],
    [
      'a request that the operator has not seen',
      job({ phase: 'Running' }, requested),
      ['withdraw', 'suspend'],
    ],
    [
      'a request that it has seen',
      job({ phase: 'Running', conditions: observed }, requested),
      ['withdraw', 'confirm', 'suspend'],
    ],
    [
      'a confirmed cancel',
      job({ phase: 'Cancelling', conditions: observed }, { ...requested, cancelConfirmed: true }),
      [],
    ],
    ['a finished job', job({ phase: 'Failed' }), ['retry']],
    [
      'a restored job',
      job({ phase: 'Succeeded' }, { input: { uri: 'file:///photos/unknown' } }),
      [],
    ],
    ['a job of another controller', job({}, { managedBy: 'example.com/other' }), []],
  ])('of %s', (_, of, actions) => {
    expect(possible(of)).toEqual(actions);
  });

  it('write the fields of the spec, for this object alone', () => {
    const metadata = { uid: 'u1' };
    expect(change(job(), 'request', ' wrong vase ')).toEqual({
      metadata,
      spec: { cancelRequested: true, cancelReason: 'wrong vase' },
    });
    expect(change(job(), 'request').spec).toEqual({ cancelRequested: true });
    expect(change(job(), 'withdraw').spec).toEqual({ cancelRequested: false, cancelReason: null });
    expect(change(job(), 'confirm').spec).toEqual({ cancelConfirmed: true });
  });
});

describe('run again', () => {
  it('copies the spec without the cancel and the suspension', () => {
    const old = job(
      { phase: 'Cancelled' },
      {
        ...requested,
        cancelConfirmed: true,
        cancelReason: 'x',
        suspend: true,
        reuse: 'Required',
        queue: 'gpu',
      }
    );
    const { metadata, spec } = repeated(old, 'banana-2');
    expect(spec).toEqual({ input: { uri: 'file:///photos/banana' }, queue: 'gpu' });
    expect(metadata).toEqual({
      name: 'banana-2',
      namespace: 'team',
      labels: { set: 'fruit' },
      annotations: { 'reconstruction.dev/retry-of': 'banana' },
    });
  });

  it('needs another output, and keeps the first name', () => {
    const old = job(
      { phase: 'Succeeded', outputs: { uri: 's3://meshes/banana' } },
      { output: { uri: 's3://meshes/banana' } }
    );
    old.metadata.annotations = { 'reconstruction.dev/retry-of': 'first' };
    expect(needsOutput(old)).toBe(true);
    const again = repeated(old, 'banana-2', 's3://meshes/banana-2');
    expect(again.spec.output).toEqual({ uri: 's3://meshes/banana-2' });
    expect(again.metadata.annotations).toEqual({ 'reconstruction.dev/retry-of': 'first' });
  });

  it('counts names', () => {
    expect([nextName('banana'), nextName('banana-2'), nextName(`${'a'.repeat(62)}b`)]).toEqual([
      'banana-2',
      'banana-3',
      `${'a'.repeat(61)}-2`,
    ]);
  });
});

describe('overview', () => {
  it('counts phases and queues, and finds what needs attention', () => {
    const jobs = [
      job({ phase: 'Running' }, { queue: 'gpu', priority: 'high' }),
      job({ phase: 'Suspended' }, { queue: 'gpu', priority: 'high' }),
      job({}, requested),
      job({ phase: 'Failed', verdict: 'Failed' }),
      job({}, { managedBy: 'example.com/other', ...requested }),
      job({ phase: 'Succeeded', verdict: 'Warning' }),
    ];
    expect(byPhase(jobs).filter(({ count }) => count)).toEqual(
      ['Pending', 'Running', 'Suspended', 'Succeeded', 'Failed'].map(phase => ({ phase, count: 1 }))
    );
    expect(byQueue(jobs)).toEqual([
      { queue: 'celery', running: 0, waiting: 1, suspended: 0 },
      { queue: 'gpu-high', running: 1, waiting: 0, suspended: 1 },
    ]);
    expect(jobs.map(attention)).toEqual([false, false, true, true, false, true]);
  });
});

describe('installation', () => {
  it('shows workers, models and problems, and an operator that is silent', () => {
    const text =
      '{"lease": "recon/operator", "version": "1", "beat": "2026-03-01T12:00:00Z", "workers": [{"queues": ["gpu", "celery"], "number": 2, "models": {"placeholder": {}}}, {"queues": ["celery"], "number": 1}]}';
    const [info, ...others] = installations([
      { metadata: { name: 'reconstruction-info.recon.operator' }, data: { info: text } },
      { metadata: { name: 'reconstruction-info.maps.operator' }, data: { info: text } },
      { metadata: { name: 'reconstruction-info.x.y' }, data: { info: '{' } },
      { metadata: {}, data: null },
    ]);
    const at = (seconds: number) => row(info, Date.parse('2026-03-01T12:00:00Z') + 1000 * seconds);
    expect(others).toEqual([]);
    expect(at(3)).toMatchObject({
      workers: 3,
      queues: 'celery, gpu',
      models: 'placeholder',
      problems: 'None',
    });
    expect(at(60).problems).toBe('The operator last reported 1m ago');
    expect(row({ ...info, beat: '', problems: ['RedisEvicts'] }, 0).problems).toBe('RedisEvicts');
  });
});

describe('published values of other types', () => {
  const read = (content: unknown) =>
    installations([
      {
        metadata: { name: 'reconstruction-info.recon.operator' },
        data: { info: JSON.stringify(content) },
      },
    ]);

  it.each([null, 5, 'text', [], [null], { lease: 7 }, {}])('leaves %j out', content => {
    expect(read(content)).toEqual([]);
    expect(galleryOf(read(content), undefined)).toBe('');
  });

  it('counts values of another type as missing', () => {
    const wrong = { lease: 'recon/operator', gallery: 7, problems: null, beat: [], version: {} };
    const [info] = read({ ...wrong, workers: [null, 5, { queues: 'x', number: 'y', models: [] }] });
    expect(info).toMatchObject({ gallery: '', problems: [], version: '', beat: '' });
    expect(info.workers).toEqual([{ queues: [], number: 0, models: {} }]);
    expect(row(info, 0)).toMatchObject({ workers: 0, queues: '', problems: 'None' });
    expect(galleryOf([info], 'recon/operator')).toBe('');
  });

  it("shows the gallery of the job's installation", () => {
    const of = (lease: string, gallery: string) => ({
      ...read({ lease: 'recon/operator' })[0],
      lease,
      gallery,
    });
    const two = [
      of('maps/operator', 'https://maps.example.com'),
      of('recon/operator', 'https://gallery.example.com'),
    ];
    expect(galleryOf(two, 'recon/operator')).toBe('https://gallery.example.com');
    expect(galleryOf(two, 'gone/operator')).toBe('');
    expect(galleryOf(two, undefined)).toBe('');
    expect(galleryOf(two.slice(0, 1), undefined)).toBe('https://maps.example.com');
    for (const hiding of [
      'http://gallery.example.com',
      'https://gallery.example.com@evil.example',
      'https://g\u0430llery.example.com',
    ]) {
      expect(galleryOf([of('recon/operator', hiding)], 'recon/operator')).toBe('');
    }
  });
});

describe('texts', () => {
  it('are those of kubectl get', () => {
    expect([45, 80, 720, 3900, 183_600].map(durationText)).toEqual([
      '45s',
      '1m20s',
      '12m',
      '1h5m',
      '2d3h',
    ]);
    expect([0, 1400, 27_000_000].map(sizeText)).toEqual(['0 bytes', '1.4 kB', '27 MB']);
    expect(phaseText(job({ phase: 'Running', phaseDetail: 'Running, cancel requested' }))).toBe(
      'Running, cancel requested'
    );
    expect(queueName(job())).toBe('celery');
  });
});

describe('parts', () => {
  it.each<[JobStatus, string]>([
    [{ parts: { total: 12, done: 5, running: 2 } }, '5 of 12 made, 2 workers'],
    [{ parts: { total: 12, done: 12, running: 0 } }, '12 of 12 made'],
    [{}, ''],
  ])('of %o', (status, text) => {
    expect(partsText(job(status))).toBe(text);
  });
});

describe('gallery', () => {
  it('has an address of http, also one for each cluster', () => {
    expect(galleryAddress('https://gallery.{cluster}.example.com/', 'prod')).toBe(
      'https://gallery.prod.example.com'
    );
    expect(
      ['', 'gallery.example.com', 'javascript:alert(1)'].map(text => galleryAddress(text, 'prod'))
    ).toEqual(['', '', '']);
  });

  it('shows pictures, and no textures or names that lead elsewhere', () => {
    const names = [
      'model.glb',
      'previews/a b.png',
      'texture_0.png',
      '../../x.png',
      'preview_0.webp',
    ];
    const shown = job({ outputs: { files: names.map(name => ({ name })) } });
    const files = 'https://g/api/namespaces/team/jobs/banana/files';
    expect(previewsOf('https://g', shown).map(({ address }) => address)).toEqual([
      `${files}/previews/a%20b.png`,
      `${files}/preview_0.webp`,
    ]);
    expect(pageOf('https://g', shown)).toBe('https://g/jobs/team/banana');
  });
});
