import {
  registerPluginSettings,
  registerRoute,
  registerSidebarEntry,
} from '@kinvolk/headlamp-plugin/lib';
import { PLUGIN, SettingsForm } from './gallery';
import { icon } from './icons';
import { JobDetails } from './JobDetails';
import { JobList } from './JobList';
import { Overview } from './Overview';
import { DETAILS, LIST, PATH } from './resource';

const SIDEBAR = 'reconstruction';

registerSidebarEntry({
  parent: null,
  name: SIDEBAR,
  label: 'Reconstruction',
  url: '/reconstruction',
  icon: icon('reconstruction:cube'),
});
registerSidebarEntry({ parent: SIDEBAR, name: LIST, label: 'Jobs', url: PATH });

registerRoute({
  path: '/reconstruction',
  sidebar: SIDEBAR,
  name: 'Reconstruction',
  exact: true,
  component: () => <Overview />,
});
registerRoute({
  path: PATH,
  sidebar: LIST,
  name: LIST,
  exact: true,
  component: () => <JobList />,
});
registerRoute({
  path: `${PATH}/:namespace/:name`,
  sidebar: LIST,
  name: DETAILS,
  exact: true,
  component: () => <JobDetails />,
});

registerPluginSettings(PLUGIN, SettingsForm, true);
