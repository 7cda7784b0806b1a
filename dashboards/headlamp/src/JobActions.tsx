import { Router } from '@kinvolk/headlamp-plugin/lib';
import { ActionButton, AuthVisible, Dialog } from '@kinvolk/headlamp-plugin/lib/CommonComponents';
import {
  Alert,
  Box,
  Button,
  DialogActions,
  DialogContent,
  DialogContentText,
  TextField,
  Tooltip,
} from '@mui/material';
import { useSnackbar } from 'notistack';
import { ReactNode, useState } from 'react';
import { useHistory } from 'react-router-dom';
import { Action, change, needsOutput, nextName, obstacle, repeated } from './actions';
import { icon } from './icons';
import { durationText, Job } from './job';
import { DETAILS, ReconstructionJob } from './resource';

type Item = { item: ReconstructionJob };

/** Show the children to users who may patch the job. RBAC cannot tell a canceller from an editor, but only editors may create. */
function May({ item, edit = false, children }: Item & { edit?: boolean; children: ReactNode }) {
  const change = (
    <AuthVisible item={item} authVerb="patch">
      {children}
    </AuthVisible>
  );
  return edit ? <MayCreate item={item}>{change}</MayCreate> : change;
}

function MayCreate({ item, children }: Item & { children: ReactNode }) {
  return (
    <AuthVisible item={ReconstructionJob} authVerb="create" namespace={item.getNamespace()}>
      {children}
    </AuthVisible>
  );
}

/** Return a function that changes the job and shows the API server's refusal. */
function useChange(item: ReconstructionJob) {
  const { enqueueSnackbar } = useSnackbar();
  return async (action: Exclude<Action, 'retry'>, reason?: string) => {
    try {
      await item.patch(change(item.job, action, reason));
      enqueueSnackbar(`${item.getName()}: ${DONE[action]}`, { variant: 'success' });
    } catch (error) {
      enqueueSnackbar(`${item.getName()}: ${textOf(error)}`, { variant: 'error' });
    }
  };
}

const DONE = {
  request: 'cancel requested',
  withdraw: 'cancel withdrawn',
  confirm: 'cancel confirmed',
  suspend: 'suspended',
  resume: 'resumed',
};

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The buttons in the header of a job's page. What is impossible for the job is absent. */
export function headerActions(item: ReconstructionJob | null) {
  if (!item) return [];
  const parts: [Action, ReactNode][] = [
    ['suspend', <Suspension key="suspend" item={item} action="suspend" />],
    ['resume', <Suspension key="resume" item={item} action="resume" />],
    ['request', <RequestCancel key="request" item={item} />],
    ['retry', <Retry key="retry" item={item} />],
  ];
  return parts
    .filter(([action]) => !obstacle(item.job, action))
    .map(([action, part]) => ({ id: `reconstruction.${action}`, action: part }));
}

function Suspension({ item, action }: Item & { action: 'suspend' | 'resume' }) {
  const apply = useChange(item);
  const isSuspend = action === 'suspend';
  return (
    <May item={item} edit>
      <ActionButton
        description={isSuspend ? 'Suspend' : 'Resume'}
        icon={icon(isSuspend ? 'reconstruction:suspend' : 'reconstruction:resume')}
        onClick={() => apply(action)}
      />
    </May>
  );
}

function RequestCancel({ item }: Item) {
  const apply = useChange(item);
  const [isOpen, setOpen] = useState(false);
  const [reason, setReason] = useState('');
  const close = () => setOpen(false);
  return (
    <May item={item}>
      <ActionButton
        description="Cancel…"
        icon={icon('reconstruction:cancel')}
        onClick={() => setOpen(true)}
      />
      <Dialog
        open={isOpen}
        onClose={close}
        maxWidth="sm"
        fullWidth
        title={`Request the cancel of ${item.getName()}?`}
      >
        <form
          onSubmit={event => {
            event.preventDefault();
            close();
            apply('request', reason);
          }}
        >
          <DialogContent>
            <DialogContentText>
              The job continues until the cancel is confirmed, which is a second step. Until then it
              can be withdrawn.
            </DialogContentText>
            <TextField
              label="Reason, which others see (optional)"
              value={reason}
              onChange={event => setReason(event.target.value)}
              inputProps={{ maxLength: 256 }}
              margin="normal"
              fullWidth
            />
          </DialogContent>
          <DialogActions>
            <Button onClick={close}>Keep the job</Button>
            <Button type="submit" variant="contained">
              Request cancel
            </Button>
          </DialogActions>
        </form>
      </Dialog>
    </May>
  );
}

/** The notice of a requested cancel, with the second step. */
export function CancelNotice({ item }: Item) {
  const apply = useChange(item);
  const [isOpen, setOpen] = useState(false);
  const { spec } = item.job;
  const reason = spec.cancelReason ? `: ${spec.cancelReason}` : '';
  const close = () => setOpen(false);
  if (obstacle(item.job, 'withdraw')) return null;
  const wait = obstacle(item.job, 'confirm');
  const buttons = (
    <May item={item}>
      <Button color="inherit" size="small" onClick={() => apply('withdraw')}>
        Withdraw
      </Button>
      <Tooltip title={wait}>
        <span>
          <Button color="error" size="small" disabled={!!wait} onClick={() => setOpen(true)}>
            Confirm cancel…
          </Button>
        </span>
      </Tooltip>
    </May>
  );
  return (
    <Alert
      severity="warning"
      variant="outlined"
      action={<Box sx={{ whiteSpace: 'nowrap' }}>{buttons}</Box>}
    >
      A cancel is requested{reason}. The job continues until it is confirmed; confirming is final
      and deletes its files.
      <Dialog
        open={isOpen}
        onClose={close}
        maxWidth="sm"
        fullWidth
        title={`Cancel ${item.getName()} for good?`}
      >
        <DialogContent>
          <DialogContentText>{losses(item.job, new Date())}</DialogContentText>
        </DialogContent>
        <DialogActions>
          <Button onClick={close}>Keep the job</Button>
          <Button
            color="error"
            variant="contained"
            onClick={() => {
              close();
              apply('confirm');
            }}
          >
            Confirm cancel
          </Button>
        </DialogActions>
      </Dialog>
    </Alert>
  );
}

/** What a cancel discards, in words. */
function losses(job: Job, now: Date): string {
  const { startTime, progress } = job.status ?? {};
  if (!startTime) return 'The job has not started. A confirmed cancel is final.';
  const spent = durationText((now.getTime() - new Date(startTime).getTime()) / 1000);
  return `${
    progress?.display || '0%'
  } is done, after ${spent}. All of it will be lost, and the files are deleted.`;
}

/** Run a finished job again: it never does by itself, so a new one is created. */
function Retry({ item }: Item) {
  const history = useHistory();
  const [isOpen, setOpen] = useState(false);
  const [name, setName] = useState(nextName(item.getName()));
  const [output, setOutput] = useState('');
  const [refusal, setRefusal] = useState('');
  const namespace = item.getNamespace() ?? '';
  const isBlocked = needsOutput(item.job) && (!output || output === item.job.spec.output?.uri);
  const close = () => setOpen(false);

  async function create() {
    try {
      await ReconstructionJob.apiEndpoint.post(repeated(item.job, name, output), {}, item.cluster);
      close();
      history.push(Router.createRouteURL(DETAILS, { namespace, name }));
    } catch (error) {
      const isTaken = (error as { status?: number }).status === 409;
      setRefusal(isTaken ? `There is a job ${name} already` : textOf(error));
      if (isTaken) setName(nextName(name));
    }
  }

  return (
    <MayCreate item={item}>
      <ActionButton
        description="Run again…"
        icon={icon('reconstruction:again')}
        onClick={() => setOpen(true)}
      />
      <Dialog
        open={isOpen}
        onClose={close}
        maxWidth="sm"
        fullWidth
        title={`Run ${item.getName()} again?`}
      >
        <form
          onSubmit={event => {
            event.preventDefault();
            create();
          }}
        >
          <DialogContent>
            <DialogContentText>
              A finished job never runs again, so this creates another one with the same spec.
            </DialogContentText>
            {refusal && <Alert severity="error">{refusal}</Alert>}
            <TextField
              label="Name of the new job"
              value={name}
              onChange={event => setName(event.target.value)}
              margin="normal"
              fullWidth
            />
            {needsOutput(item.job) && (
              <TextField
                label="Address of the new result"
                value={output}
                onChange={event => setOutput(event.target.value)}
                helperText={`${
                  item.job.spec.output?.uri
                } holds the result of ${item.getName()}, which no other job may replace.`}
                margin="normal"
                fullWidth
              />
            )}
          </DialogContent>
          <DialogActions>
            <Button onClick={close}>Close</Button>
            <Button type="submit" variant="contained" disabled={!name || isBlocked}>
              Create
            </Button>
          </DialogActions>
        </form>
      </Dialog>
    </MayCreate>
  );
}
