// Formatting of times, durations, sizes and states, and the addresses of jobs.

const UNITS = ["bytes", "KB", "MB", "GB", "TB"];
const ORDER = ["Running", "Cancelling", "Queued", "Pending", "Suspended"];

export function bytes(count) {
  let unit = 0;
  while (count >= 1000 && unit < UNITS.length - 1) {
    count /= 1000;
    unit += 1;
  }
  return `${unit && count < 10 ? count.toFixed(1) : Math.round(count)} ${UNITS[unit]}`;
}

/** Return the duration between two times: "2h 5m", "3m 20s", "12s". */
export function duration(from, to = Date.now()) {
  return seconds(Math.max(0, Math.round((new Date(to) - new Date(from)) / 1000)));
}

/** Return a number of seconds as a duration. */
export function seconds(count) {
  const parts = [[86400, "d"], [3600, "h"], [60, "m"], [1, "s"]];
  const first = parts.findIndex(([size]) => count >= size);
  if (first < 0) return "0s";
  const [size, unit] = parts[first];
  const next = parts[first + 1];
  const rest = next ? Math.floor((count % size) / next[0]) : 0;
  return `${Math.floor(count / size)}${unit}${rest ? ` ${rest}${next[1]}` : ""}`;
}

/** Return an estimate of seconds in words: "4 min", "1 h 20 min". */
export function about(count) {
  const minutes = Math.max(1, Math.round(count / 60));
  if (minutes < 60) return `${minutes} min`;
  const [hours, rest] = [Math.floor(minutes / 60), 10 * Math.round((minutes % 60) / 10)];
  return rest === 60 ? `${hours + 1} h` : `${hours} h${rest ? ` ${rest} min` : ""}`;
}

/** Return a length in metres as text: "1.24 m", "24.3 cm", "8.4 mm". */
export function length(metres) {
  const [size, unit] = metres >= 1 ? [1, "m"] : metres >= 0.01 ? [100, "cm"] : [1000, "mm"];
  return `${Number((metres * size).toPrecision(3))} ${unit}`;
}

/** Return the name of a user for people: of a service account without its namespace. */
export function shortUser(name) {
  return name.replace(/^system:serviceaccount:[^:]+:/, "");
}

export function time(text) {
  return text ? new Date(text).toLocaleString() : "";
}

export function finished(job) {
  return ["Succeeded", "Failed", "Cancelled"].includes(job.phase);
}

/** Sort unfinished jobs first, then the newest. */
export function byAttention(one, other) {
  const place = (job) => (ORDER.includes(job.phase) ? ORDER.indexOf(job.phase) : ORDER.length);
  return place(one) - place(other) || compare(other.created, one.created) || compare(one.name, other.name);
}

/** Compare strings: much faster than localeCompare, and a list of thousands is sorted at each change. */
function compare(one, other) {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}

/** Return the line below the name in a row. */
export function describe(job) {
  const parts = [job.model];
  if (job.images) parts.push(`${job.images} photos`);
  if (job.completed && job.started) parts.push(`took ${duration(job.started, job.completed)}`);
  parts.push(`${duration(job.created)} ago`);
  return parts.join(" · ");
}

/** Return the state in a few words. */
export function state(job) {
  if (job.phase === "Running") return [job.step, job.eta && `${job.eta} left`].filter(Boolean).join(", ");
  return job.sentence;
}

const LABELS = {
  quality: "Quality",
  maxImageSize: "Longest side of a photo, in px",
  textureSize: "Side of the texture, in px",
  crop: "Only the object, without its surroundings",
  compress: "Also a compressed mesh",
  obj: "Also OBJ",
  seed: "Seed of random numbers",
  stepSeconds: "Seconds of each step",
  registered: "Photos aligned",
  images: "Photos read",
  leftOut: "Photos left out",
  leftOutPhotos: "Names of these photos",
  unused: "Photos aligned but too blurred to use",
  alignedShare: "Share of photos aligned",
  faces: "Triangles",
  vertices: "Vertices",
  sparsePoints: "Points of the alignment",
  densePoints: "Points of the surface",
  reprojectionErrorPx: "Reprojection error, in px",
  textureCoverage: "Share of the surface with texture",
  inventedShare: "Share of the surface that no photo shows",
  advice: "Advice",
  extentX: "Width",
  extentY: "Height",
  extentZ: "Depth",
  markers: "Markers that set the scale (sizes in m)",
  scaleUncertainty: "Uncertainty of sizes, as a share",
};

/** Sort pairs of name and value as `LABELS` has them, the other ones last. */
export function inOrder(pairs) {
  const place = ([name]) => (Object.keys(LABELS).indexOf(name) + 1 || Infinity);
  return pairs.sort((one, other) => (place(one) < place(other) ? -1 : Number(place(one) > place(other))));
}

/** Return the name of a parameter or a number for people: "meanTrackLength" becomes "Mean track length". */
export function label(name) {
  const words = name.replace(/[_-]+/g, " ").replace(/([a-z])([A-Z])/g, (_, end, start) => `${end} ${start.toLowerCase()}`);
  return LABELS[name] ?? words.charAt(0).toUpperCase() + words.slice(1);
}

/** Return the name, with a number appended if it is taken: vase, vase-2, vase-3. */
export function freeName(name, isTaken) {
  const [, stem, number] = /^(.*?)(?:-(\d{1,3}))?$/.exec(name);
  let next = name;
  for (let count = Number(number ?? 1) + 1; isTaken(next); count += 1) next = `${stem}-${count}`;
  return next;
}

/** Return the address of a file of a job's result. */
export function fileUrl(job, name) {
  return `${apiUrl(job)}/files/${name.split("/").map(encodeURIComponent).join("/")}`;
}

/** Return the address of a small picture of a job's first photo. A photo from another place may be another one. */
export function photoUrl(job) {
  return `${apiUrl(job)}/photo.jpg?from=${job.photos}`;
}

export function apiUrl(job) {
  return job.token ? `/api/shared/${job.token}` : `/api/namespaces/${job.namespace}/jobs/${job.name}`; // of a link
}

export function pageUrl(job) {
  return `/jobs/${job.namespace}/${job.name}`;
}
