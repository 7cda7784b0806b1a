import { K8s } from '@kinvolk/headlamp-plugin/lib';
import { SectionBox, SimpleTable } from '@kinvolk/headlamp-plugin/lib/CommonComponents';
import { Installation, installations, row } from './installation';

const [NAME, NAMESPACE] = ['reconstruction-info', 'kube-public'];

/** The published installations; empty while they are read, and if there is none. */
export function useInstallations(): Installation[] {
  const [info] = K8s.ResourceClasses.ConfigMap.useGet(NAME, NAMESPACE);
  return installations(info?.jsonData.data);
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
