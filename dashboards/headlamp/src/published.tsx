import { ApiProxy } from '@kinvolk/headlamp-plugin/lib';
import { SectionBox, SimpleTable } from '@kinvolk/headlamp-plugin/lib/CommonComponents';
import { useEffect, useState } from 'react';
import { Installation, installations, NAMESPACE, row, SELECTOR } from './installation';

// Not `useList`: it leaves out namespaces that a tenant's cluster settings do not allow.
const PATH = `/api/v1/namespaces/${NAMESPACE}/configmaps?labelSelector=${SELECTOR}`;
const PERIOD = 5000; // milliseconds: operators publish at that interval

/** The published installations; empty while they are read, and if there is none. */
export function useInstallations(): Installation[] {
  const [published, setPublished] = useState<Installation[]>([]);
  useEffect(() => {
    let isShown = true;
    const read = () =>
      ApiProxy.request(PATH).then(
        ({ items }) => isShown && setPublished(installations(items)),
        () => {} // what was read last stays
      );
    read();
    const timer = setInterval(read, PERIOD);
    return () => {
      isShown = false;
      clearInterval(timer);
    };
  }, []);
  return published;
}

/** Version, workers, models and problems of each installation. */
export function InstallationSection() {
  const now = Date.now();
  return (
    <SectionBox title="Installation">
      <SimpleTable
        data={useInstallations().map(installation => row(installation, now))}
        emptyMessage="No operator has published its state"
        columns={[
          { label: 'Operator', datum: 'lease' },
          { label: 'Version', datum: 'version' },
          { label: 'Live workers', datum: 'workers' },
          { label: 'Queues', datum: 'queues' },
          { label: 'Models', datum: 'models' },
          { label: 'Problems', datum: 'problems' },
        ]}
      />
    </SectionBox>
  );
}
