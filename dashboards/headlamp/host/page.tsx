/** Headlamp's own store, router, sidebar and loader of plugins on one page: what Headlamp is to a plugin, without its backend. */
// First: in another order the library's cyclic imports leave a base class undefined.
import { setStore } from '@kinvolk/headlamp-plugin/lib/lib/router/createRouteURL';
import { addAPIProvider } from '@iconify/react';
import { lightTheme } from '@kinvolk/headlamp-plugin/lib/components/App/defaultAppThemes';
import RouteSwitcher, {
  PreviousRouteProvider,
} from '@kinvolk/headlamp-plugin/lib/components/App/RouteSwitcher';
import Sidebar from '@kinvolk/headlamp-plugin/lib/components/Sidebar';
import { queryClient } from '@kinvolk/headlamp-plugin/lib/lib/queryClient';
import { createMuiTheme } from '@kinvolk/headlamp-plugin/lib/lib/themes';
import Plugins from '@kinvolk/headlamp-plugin/lib/plugin/Plugins';
import { setConfig } from '@kinvolk/headlamp-plugin/lib/redux/configSlice';
import store from '@kinvolk/headlamp-plugin/lib/redux/stores/store';
import { Box, CssBaseline, ThemeProvider } from '@mui/material';
import { QueryClientProvider } from '@tanstack/react-query';
import { SnackbarProvider } from 'notistack';
import { createRoot } from 'react-dom/client';
import { Provider } from 'react-redux';
import { BrowserRouter } from 'react-router-dom';

addAPIProvider('', { resources: [`${window.location.origin}/icons`] });
setStore(store);
const { clusters } = await fetch('/config').then(answer => answer.json());
store.dispatch(setConfig({ clusters: Object.fromEntries(clusters.map(one => [one.name, one])) }));
createRoot(document.getElementById('root')).render(
  <Provider store={store}>
    <ThemeProvider theme={createMuiTheme(lightTheme)}>
      <QueryClientProvider client={queryClient}>
        <SnackbarProvider anchorOrigin={{ vertical: 'bottom', horizontal: 'center' }}>
          <CssBaseline />
          <BrowserRouter>
            <PreviousRouteProvider>
              <Plugins />
              <Box sx={{ display: 'flex', height: '100vh' }}>
                <Sidebar />
                <Box component="main" sx={{ flexGrow: 1, overflow: 'auto', p: 3 }}>
                  <RouteSwitcher requiresToken={() => false} />
                </Box>
              </Box>
            </PreviousRouteProvider>
          </BrowserRouter>
        </SnackbarProvider>
      </QueryClientProvider>
    </ThemeProvider>
  </Provider>
);
