import {
  ConditionsSection,
  DetailsGrid,
  NameValueTable,
  SectionBox,
  SimpleTable,
} from '@kinvolk/headlamp-plugin/lib/CommonComponents';
import { Paper, Stack, Typography } from '@mui/material';
import { useParams } from 'react-router-dom';
import { GallerySection } from './gallery';
import { durationText, isFinished, Job, partsText, phaseText, queueName } from './job';
import { sentence, sizeText, words } from './job';
import { CancelNotice, headerActions } from './JobActions';
import { Progress, VerdictLabel } from './parts';
import { ReconstructionJob } from './resource';

export function JobDetails(props: { namespace?: string; name?: string; cluster?: string }) {
  const params = useParams<{ namespace: string; name: string }>();
  const { namespace = params.namespace, name = params.name } = props;
  return (
    <DetailsGrid
      resourceType={ReconstructionJob}
      name={name}
      namespace={namespace}
      cluster={props.cluster}
      withEvents
      actions={headerActions}
      headerSection={item => item && <State item={item} />}
      extraInfo={item => item && facts(item.job)}
      extraSections={item => (item ? sections(item) : [])}
    />
  );
}

function sections(item: ReconstructionJob) {
  const { job } = item;
  return [
    { id: 'reconstruction.result', section: <GallerySection job={job} cluster={item.cluster} /> },
    { id: 'reconstruction.numbers', section: <Numbers job={job} /> },
    { id: 'reconstruction.steps', section: <Steps job={job} /> },
    {
      id: 'reconstruction.conditions',
      section: job.status?.conditions ? <ConditionsSection resource={item.jsonData} /> : null,
    },
  ];
}

/** Verdict, progress and a requested cancel: what a user looks for first. */
function State({ item }: { item: ReconstructionJob }) {
  const { job } = item;
  const { verdict, reason, timeDetail } = job.status ?? {};
  const phase = verdict ? '' : phaseText(job);
  return (
    <Stack spacing={2} sx={{ pb: 2 }}>
      <Paper variant="outlined" role="status" sx={{ p: 2 }}>
        <Stack direction="row" spacing={1} alignItems="center">
          <VerdictLabel job={job} />
          <Typography variant="h6" component="p">
            {[phase, reason, timeDetail].filter(Boolean).join(' · ')}
          </Typography>
        </Stack>
        <Typography sx={{ my: 1, overflowWrap: 'anywhere' }}>{sentence(job)}</Typography>
        {!isFinished(job) && <Progress job={job} wide />}
      </Paper>
      <CancelNotice item={item} />
    </Stack>
  );
}

function facts(job: Job) {
  const { spec, status = {} } = job;
  const { images, bytes = 0 } = status.inputs ?? {};
  const failures = status.failures ? `, ${status.failures} failed` : '';
  return [
    ['Phase', phaseText(job)],
    ['Model', spec.modelType],
    ['Queue', queueName(job)],
    ['Input', spec.input?.uri],
    ['Photos', images && `${images} (${sizeText(bytes)})`],
    ['Output', status.outputs?.uri ?? spec.output?.uri],
    ['Parameters', spec.parameters && JSON.stringify(spec.parameters)],
    ['Attempt', status.attempt && `${status.attempt}${failures}`],
    ['Worker', status.worker],
    ['Parts', partsText(job)],
    ['Continues from', status.progress?.resumedFrom],
  ].map(([name, value]) => ({ name, value, hide: !value }));
}

function Numbers({ job }: { job: Job }) {
  const rows = Object.entries(job.status?.quality ?? {});
  if (!rows.length) return null;
  return (
    <SectionBox title="Quality">
      <NameValueTable rows={rows.map(([name, value]) => ({ name: words(name), value }))} />
    </SectionBox>
  );
}

/** The finished steps of the attempt, and the one that runs. */
function Steps({ job }: { job: Job }) {
  const { steps = [], progress } = job.status ?? {};
  const rows = steps.map(({ name, seconds = 0 }) => ({ name, took: durationText(seconds) }));
  if (progress?.step && !isFinished(job)) rows.push({ name: progress.step, took: 'runs' });
  if (!rows.length) return null;
  return (
    <SectionBox title="Steps">
      <SimpleTable
        data={rows}
        columns={[
          { label: 'Step', datum: 'name' },
          { label: 'Took', datum: 'took' },
        ]}
      />
    </SectionBox>
  );
}
