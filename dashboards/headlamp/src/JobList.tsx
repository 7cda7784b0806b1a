import { ResourceListView } from '@kinvolk/headlamp-plugin/lib/CommonComponents';
import { Job, phaseText, queueName } from './job';
import { Progress, VerdictLabel } from './parts';
import { ReconstructionJob } from './resource';

type Row = ReconstructionJob;

/** A column of `kubectl get`. `hidden`: one of `-o wide`, which the table's menu shows. */
function text(id: string, label: string, of: (job: Job) => string | number, hidden = false) {
  return {
    id,
    label,
    gridTemplate: 'auto',
    show: !hidden,
    getValue: (row: Row) => of(row.job),
  };
}

export function JobList() {
  return (
    <ResourceListView
      title="Reconstruction jobs"
      resourceClass={ReconstructionJob}
      columns={[
        'name',
        'namespace',
        'cluster',
        {
          ...text('phase', 'Phase', phaseText),
          gridTemplate: 'minmax(110px, auto)',
          filterVariant: 'multi-select',
        },
        {
          ...text('done', 'Done', job => job.status?.progress?.percent ?? 0),
          gridTemplate: 'minmax(115px, auto)',
          render: (row: Row) => <Progress job={row.job} />,
        },
        text('time', 'Time', job => job.status?.timeDetail ?? ''),
        {
          ...text('reason', 'Reason', job => job.status?.reason ?? ''),
          gridTemplate: 'minmax(max-content, auto)',
        },
        {
          ...text('verdict', 'Verdict', job => job.status?.verdict ?? ''),
          render: (row: Row) => <VerdictLabel job={row.job} />,
        },
        { ...text('queue', 'Queue', queueName), filterVariant: 'multi-select' },
        text('model', 'Model', job => job.spec.modelType ?? '', true),
        text('step', 'Step', job => job.status?.progress?.step ?? '', true),
        text('images', 'Images', job => job.status?.inputs?.images ?? '', true),
        text('attempt', 'Attempt', job => job.status?.attempt ?? '', true),
        text('worker', 'Worker', job => job.status?.worker ?? '', true),
        text('cancel', 'Cancel reason', job => job.spec.cancelReason ?? '', true),
        text('message', 'Message', job => job.status?.message ?? '', true),
        'age',
      ]}
    />
  );
}
