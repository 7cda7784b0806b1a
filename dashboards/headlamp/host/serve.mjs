// Serves the page, the plugin, and what Headlamp's backend has for a plugin: /config, /plugins, and each cluster's API server.
// Its one argument is a file with JSON: folder (page and plugin), port, apiserver (URL), ca (file), clusters ({name: token}), gallery (URL).
// The gallery is behind the same address, as if by a proxy that passes on the user's token.
import { createReadStream, existsSync, readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { createRequire } from 'node:module';
import path from 'node:path';
import tls from 'node:tls';

const options = JSON.parse(readFileSync(process.argv[2]));
const ca = readFileSync(options.ca);
const api = new URL(options.apiserver);
const gallery = new URL(options.gallery);
const require = createRequire(import.meta.url);
const TYPES = {
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.html': 'text/html',
  '.json': 'application/json',
};
const INDEX =
  '<!doctype html><title>Headlamp</title><link rel="stylesheet" href="/page/page.css">' +
  '<div id="root"></div><script type="module" src="/page/page.js"></script>';

/** Return the API server's path and the headers of a request below /clusters/NAME; null for another one. */
function ofCluster(request) {
  const [, name, rest] = /^\/clusters\/([^/]+)(\/.*)$/.exec(request.url) ?? [];
  if (!name) return null;
  return {
    path: rest,
    headers: {
      ...request.headers,
      host: api.host,
      authorization: `Bearer ${options.clusters[name]}`,
    },
  };
}

function pass(request, response, module, target) {
  const upstream = module.request(target, answer => {
    response.writeHead(answer.statusCode, answer.headers);
    answer.pipe(response);
  });
  upstream.on('error', error => response.writeHead(502).end(String(error)));
  request.pipe(upstream);
}

function send(response, body, type = 'application/json') {
  response.writeHead(200, { 'Content-Type': type }).end(body);
}

function file(response, folder, name) {
  const whole = path.join(folder, path.normalize(`/${name}`));
  if (!existsSync(whole)) return response.writeHead(404).end();
  response.writeHead(200, {
    'Content-Type': TYPES[path.extname(whole)] ?? 'application/octet-stream',
  });
  createReadStream(whole).pipe(response);
}

/** Icons by Iconify's protocol, from the package: Headlamp has them in its bundle. */
function icons(names) {
  const found = names.map(name => [name, `@iconify/icons-mdi/${name}`]);
  return {
    prefix: 'mdi',
    icons: Object.fromEntries(
      found.map(([name, module]) => [name, require(module).default ?? require(module)])
    ),
  };
}

const server = http.createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url, 'http://host');
  const target = ofCluster(request);
  if (target)
    pass(request, response, https, {
      ...target,
      hostname: api.hostname,
      port: api.port,
      ca,
      method: request.method,
    });
  else if (pathname === '/config')
    send(
      response,
      JSON.stringify({ clusters: Object.keys(options.clusters).map(name => ({ name })) })
    );
  else if (pathname === '/plugins')
    send(
      response,
      JSON.stringify([{ path: 'plugins/reconstruction', type: 'shipped', name: 'reconstruction' }])
    );
  else if (pathname.startsWith('/plugins/reconstruction/'))
    file(response, options.folder, pathname.slice(24));
  else if (pathname.startsWith('/page/')) file(response, options.folder, pathname.slice(6));
  else if (pathname === '/icons/mdi.json')
    send(response, JSON.stringify(icons(searchParams.get('icons').split(','))));
  else if (pathname.startsWith('/api/')) {
    const headers = {
      ...request.headers,
      host: gallery.host,
      authorization: `Bearer ${Object.values(options.clusters)[0]}`,
    };
    pass(request, response, http, {
      path: request.url,
      headers,
      hostname: gallery.hostname,
      port: gallery.port,
      method: request.method,
    });
  } else send(response, INDEX, 'text/html');
});

server.on('upgrade', (request, socket) => {
  const target = ofCluster(request);
  if (!target) return socket.destroy();
  const upstream = tls.connect({ host: api.hostname, port: api.port, ca }, () => {
    const lines = Object.entries(target.headers).map(([name, value]) => `${name}: ${value}\r\n`);
    upstream.write(`GET ${target.path} HTTP/1.1\r\n${lines.join('')}\r\n`);
    upstream.pipe(socket).pipe(upstream);
  });
  upstream.on('error', () => socket.destroy());
  socket.on('error', () => upstream.destroy());
});

server.listen(options.port, '127.0.0.1', () => console.log('listening'));
