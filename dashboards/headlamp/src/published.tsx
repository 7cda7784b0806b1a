import { K8s } from '@kinvolk/headlamp-plugin/lib';
import { SectionBox, SimpleTable } from '@kinvolk/headlamp-plugin/lib/CommonComponents';
import { Installation, installations, NAMESPACE, row, SELECTOR } from './installation';

/** The published installations; empty while they are read, and if there is none. */
export function useInstallations(): Installation[] {
  const query = { namespace: NAMESPACE, labelSelector: SELECTOR };
  const [maps] = K8s.ResourceClasses.ConfigMap.useList(query);
  return installations(maps?.map(({ jsonData }) => jsonData));
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
