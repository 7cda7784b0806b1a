import { StatusLabel } from '@kinvolk/headlamp-plugin/lib/CommonComponents';
import { Box, LinearProgress, Tooltip, Typography } from '@mui/material';
import { isFinished, Job, phaseText, sentence } from './job';

/** The colours of verdicts, which the operator decides. */
const COLOURS = {
  Fine: 'success',
  Warning: 'warning',
  Simulated: 'warning',
  Failed: 'error',
  Cancelled: '',
} as const;

/** The verdict as a label, with its sentence as a tooltip. An unfinished job that is well has none: its phase says it all. */
export function VerdictLabel({ job }: { job: Job }) {
  const verdict = job.status?.verdict;
  if (!verdict) return null;
  return (
    <Tooltip title={sentence(job)}>
      <span>
        <StatusLabel status={COLOURS[verdict]}>{verdict}</StatusLabel>
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
