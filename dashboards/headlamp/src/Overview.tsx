import {
  Link,
  Loader,
  SectionBox,
  SimpleTable,
} from '@kinvolk/headlamp-plugin/lib/CommonComponents';
import { Alert, Box, Paper, Typography } from '@mui/material';
import { attention, byPhase, byQueue } from './counts';
import { sentence } from './job';
import { VerdictLabel } from './parts';
import { InstallationSection } from './published';
import { LIST, ReconstructionJob } from './resource';

const SHOWN = 10; // jobs that need attention

export function Overview() {
  const { items, errors } = ReconstructionJob.useList();
  if (errors?.length) {
    return <Alert severity="error">{errors.map(error => error.message).join('; ')}</Alert>;
  }
  if (!items) return <Loader title="Loading jobs" />;
  const jobs = items.map(item => item.job);
  const urgent = items.filter(item => attention(item.job));
  return (
    <>
      <SectionBox title="Reconstruction">
        <Box sx={{ display: 'flex', flexWrap: 'wrap', gap: 2, pb: 2 }}>
          {byPhase(jobs).map(({ phase, count }) => (
            <Paper key={phase} variant="outlined" sx={{ px: 2, py: 1, minWidth: 104 }}>
              <Typography variant="h4" component="p">
                {count}
              </Typography>
              <Typography color="text.secondary">{phase}</Typography>
            </Paper>
          ))}
        </Box>
        <Link routeName={LIST}>All jobs</Link>
      </SectionBox>
      <SectionBox title="Jobs that need attention">
        <SimpleTable
          data={urgent.slice(0, SHOWN)}
          emptyMessage="None"
          columns={[
            { label: 'Job', getter: (item: ReconstructionJob) => <Link kubeObject={item} /> },
            { label: 'Namespace', getter: (item: ReconstructionJob) => item.getNamespace() },
            {
              label: 'Verdict',
              getter: (item: ReconstructionJob) => <VerdictLabel job={item.job} />,
            },
            {
              label: 'Why',
              gridTemplate: 4,
              getter: (item: ReconstructionJob) => sentence(item.job),
            },
          ]}
        />
      </SectionBox>
      <InstallationSection />
      <SectionBox title="Queues of unfinished jobs">
        <SimpleTable
          data={byQueue(jobs)}
          emptyMessage="No job waits or runs"
          columns={[
            { label: 'Queue', datum: 'queue' },
            { label: 'Running', datum: 'running' },
            { label: 'Waiting', datum: 'waiting' },
            { label: 'Suspended', datum: 'suspended' },
          ]}
        />
      </SectionBox>
    </>
  );
}
