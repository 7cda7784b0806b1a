// Bundles host/page.tsx into the folder that is the first argument.
import { build } from 'esbuild';
import { readFileSync } from 'node:fs';

const env = { DEV: false, PUBLIC_URL: '', REACT_APP_HEADLAMP_PRODUCT_NAME: 'Headlamp' };

await build({
  entryPoints: ['host/page.tsx'],
  outdir: process.argv[2],
  bundle: true,
  format: 'esm',
  jsx: 'automatic',
  logLevel: 'error',
  loader: { '.svg': 'dataurl', '.ttf': 'file', '.woff': 'file', '.woff2': 'file', '.png': 'file' },
  define: {
    global: 'globalThis',
    'process.env.NODE_ENV': '"production"',
    'import.meta.env': JSON.stringify(env),
  },
  inject: ['host/process.mjs'],
  minify: true,
  // The editor is most of the page, and no test opens it.
  alias: { path: 'path-browserify', 'monaco-editor': './host/process.mjs' },
  plugins: [
    {
      // the form of a dynamic import that only Vite has
      name: 'locales',
      setup({ onLoad }) {
        onLoad({ filter: /lib.i18n.config\.js$/ }, ({ path }) => ({
          contents: readFileSync(path, 'utf8').replace('?import=default', ''),
        }));
      },
    },
  ],
});
