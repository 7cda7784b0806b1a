import { StatusLabel } from '@kinvolk/headlamp-plugin/lib/CommonComponents';
import { Box, LinearProgress, Tooltip, Typography } from '@mui/material';
import { isFinished, Job, phaseText } from './job';
import { verdict } from './verdict';

/** The words and colours of verdicts. An open job has none: its phase says it all. */
export const VERDICTS = {
  fine: { label: 'Fine', status: 'success' },
  warning: { label: 'Warning', status: 'warning' },
  simulated: { label: 'Simulated', status: 'warning' },
  failed: { label: 'Failed', status: 'error' },
  cancelled: { label: 'Cancelled', status: '' },
  open: { label: '', status: '' },
} as const;

/** The verdict as a label, with its sentence as a tooltip. */
export function VerdictLabel({ job }: { job: Job }) {
  const { kind, sentence } = verdict(job);
  const { label, status } = VERDICTS[kind];
  if (!label) return null;
  return (
    <Tooltip title={sentence}>
      <span>
        <StatusLabel status={status}>{label}</StatusLabel>
      </span>
    </Tooltip>
  );
}

/** How much is done: a bar while the job is not finished. `wide`: with the step. */
export function Progress({ job, wide = false }: { job: Job; wide?: boolean }) {
  const { percent = 0, display = '', step, stepIndex, stepCount } = job.status?.progress ?? {};
  if (!display) return null;
  if (isFinished(job)) return <>{display}</>;
  const where = wide && step ? `${step} (step ${stepIndex} of ${stepCount})` : '';
  return (
    <Box sx={{ display: 'flex', alignItems: 'center', gap: 1, minWidth: 110 }}>
      <LinearProgress
        variant="determinate"
        value={percent}
        aria-label={`${job.metadata.name}: ${phaseText(job)}`}
        sx={{ flexGrow: 1, height: wide ? 10 : 6, borderRadius: 5 }}
      />
      <Typography variant="body2">{[display, where].filter(Boolean).join(' · ')}</Typography>
    </Box>
  );
}
