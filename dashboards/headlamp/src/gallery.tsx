import { ConfigStore } from '@kinvolk/headlamp-plugin/lib';
import { SectionBox } from '@kinvolk/headlamp-plugin/lib/CommonComponents';
import { Alert, Box, Button, Link, TextField, Typography } from '@mui/material';
import { useState } from 'react';
import { galleryOf } from './installation';
import { galleryAddress, Job, pageOf, previewsOf } from './job';
import { useInstallations } from './published';

/** The name in package.json, under which Headlamp keeps the settings. */
export const PLUGIN = 'reconstruction-headlamp';

interface Settings {
  gallery?: string;
}

const useSettings = new ConfigStore<Settings>(PLUGIN).useConfig();

/** The address of the job's gallery: the setting, or what the operator that manages it publishes; empty if it is no http address. */
function useGallery(job: Job, cluster: string): string {
  const published = galleryOf(useInstallations(), job.status?.installation?.lease);
  return galleryAddress(useSettings()?.gallery || published, cluster);
}

/** Previews of the result, and the way to the turning mesh. */
export function GallerySection({ job, cluster }: { job: Job; cluster: string }) {
  const gallery = useGallery(job, cluster);
  const [isBlocked, setBlocked] = useState(false);
  if (!job.status?.outputs?.files?.length) return null;
  if (!gallery) {
    return (
      <SectionBox title="Result">
        <Typography>
          To see previews and the mesh here, set the address of the gallery in Settings → Plugins →{' '}
          {PLUGIN}.
        </Typography>
      </SectionBox>
    );
  }
  const page = pageOf(gallery, job);
  return (
    <SectionBox title="Result">
      {isBlocked ? (
        <Alert severity="info" sx={{ mb: 2 }}>
          The gallery shows its previews only to users who are signed in there, and only on pages of
          its own address.
        </Alert>
      ) : (
        <Box sx={{ display: 'flex', flexWrap: 'wrap', gap: 2, mb: 2 }}>
          {previewsOf(gallery, job).map(({ name, address }) => (
            <Link key={name} href={page} target="_blank" rel="noopener">
              <Box
                component="img"
                src={address}
                alt={name}
                loading="lazy"
                onError={() => setBlocked(true)}
                sx={{ height: 180, borderRadius: 1, border: 1, borderColor: 'divider' }}
              />
            </Link>
          ))}
        </Box>
      )}
      <Button variant="contained" href={page} target="_blank" rel="noopener">
        Turn the mesh in the gallery
      </Button>
    </SectionBox>
  );
}

/** The plugin's settings, in Headlamp's own page of the plugin. */
export function SettingsForm(props: { data?: Settings; onDataChange?: (data: Settings) => void }) {
  const value = props.data?.gallery ?? '';
  const isWrong = value !== '' && galleryAddress(value, 'cluster') === '';
  return (
    <TextField
      label="Address of the gallery"
      placeholder="https://gallery.example.com"
      value={value}
      error={isWrong}
      helperText={
        isWrong
          ? 'Write a full address that begins with https:// or http://'
          : 'As users open it in a browser. {cluster} stands for the name of the cluster.'
      }
      onChange={event => props.onDataChange?.({ gallery: event.target.value.trim() })}
      fullWidth
    />
  );
}
