/** Icons, drawn here: a name of a set, such as mdi:play, would make the browser fetch it from a server on the internet. */
import { addIcon } from '@iconify/react';

const line = (path: string) =>
  `<path d="${path}" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"/>`;
const area = (path: string) => `<path d="${path}" fill="currentColor"/>`;

/** Name for Headlamp -> the drawing, 24 by 24. */
const DRAWINGS = {
  'reconstruction:cube': line('M12 3 4 7.5v9L12 21l8-4.5v-9zM4 7.5l8 4.5 8-4.5M12 12v9'),
  'reconstruction:suspend': area('M6 5h4v14H6zM14 5h4v14h-4z'),
  'reconstruction:resume': area('M8 5v14l11-7z'),
  'reconstruction:cancel': line('M20 12a8 8 0 1 1-16 0 8 8 0 0 1 16 0zM6.5 6.5l11 11'),
  'reconstruction:again': line('M5 4v5h5M5.6 9A7.5 7.5 0 1 1 4.5 13'),
};

export type IconName = keyof typeof DRAWINGS;

/** Return the name of an icon of the plugin, which Headlamp's components take. */
export const icon = (name: IconName): IconName => name;

for (const [name, body] of Object.entries(DRAWINGS)) {
  addIcon(name, { body, width: 24, height: 24 });
}
