// Photos that the user chose or dropped: their files, the names under which they are uploaded, and a sheet of small pictures.

const PHOTO = /(^|\/)[^./][^/]*\.(jpe?g|png|webp|tiff?|heic|heif|mp4|mov)$/i; // no hidden files
const TILES = 24;
export const TILE = [160, 120]; // px
const COLUMNS = 6;
const FRAME_MILLISECONDS = 5000; // for a frame of a video

/** Return whether it is a video, whose frames become photos. */
export function isVideo(path) {
  return /\.(mp4|mov)$/i.test(path);
}

export function isPhoto(path) {
  return PHOTO.test(path);
}

/** Return dropped files as pairs of path and file, and the name of the folder if one was dropped. `files`: where there are no entries. */
export async function inFolders(entries, files) {
  const found = entries.length
    ? (await Promise.all(entries.map((entry) => inside(entry, "")))).flat()
    : files.map((file) => [file.name, file]);
  return [found, entries.length === 1 && entries[0].isDirectory ? entries[0].name : ""];
}

/** Return pairs of path and file: for a file, or for all files in a folder. */
async function inside(entry, path) {
  if (entry.isFile) return [[path + entry.name, await new Promise((resolve, reject) => entry.file(resolve, reject))]];
  const isTop = entry.fullPath.lastIndexOf("/") === 0;
  const below = isTop && entry.name !== "masks" ? path : `${path}${entry.name}/`;
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject)); // returns a part of the entries at a time
    if (!some.length) break;
    for (const one of some) found.push(inside(one, below));
  }
  return (await Promise.all(found)).flat();
}

/** Make a job's name from a folder's name. */
export function plain(folder) {
  return folder.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "").slice(0, 50).replace(/-$/, "");
}

/** Return a unique name without folders that the gallery accepts; a mask keeps the name of its photo. */
export function safe(path, photos, file) {
  const original = path.replace(/(^|\/)masks\/([^/]+)\.png$/i, "$1$2.mask.png").replaceAll("/", "_");
  const [, stem, suffix] = /^(.*?)((?:\.mask)?\.\w+)$/.exec(original);
  const plain = stem.normalize("NFKD").replace(/[^A-Za-z0-9_.-]/g, "_").replace(/^[.-]+/, "_").slice(0, 80) || "photo";
  let name = plain + suffix;
  const other = () => photos.get(name) ?? file;
  const differs = () => other().size !== file.size || other().lastModified !== file.lastModified; // a photo may be chosen twice
  for (let number = 2; differs(); number += 1) name = `${plain}_${number}${suffix}`;
  return name;
}

/** Return a picture of a video. Rejects if the browser cannot play it. */
async function frameOf(file, size) {
  const video = document.createElement("video");
  const comes = (kind) => new Promise((resolve, reject) => {
    video.addEventListener(kind, resolve, { once: true });
    video.addEventListener("error", reject, { once: true });
    setTimeout(reject, FRAME_MILLISECONDS);
  });
  const source = URL.createObjectURL(file);
  try {
    Object.assign(video, { muted: true, preload: "auto", src: source });
    await comes("loadeddata");
    video.currentTime = Math.min(1, video.duration / 2); // the first frame is often black
    await comes("seeked");
    return await createImageBitmap(video, size);
  } finally {
    URL.revokeObjectURL(source);
  }
}

/** Return a JPEG with small pictures of some photos, evenly chosen; null if the browser can show none of them. */
export async function sheet(files) {
  const step = Math.max(1, files.length / TILES);
  const chosen = Array.from({ length: Math.min(TILES, files.length) }, (_, place) => files[Math.floor(place * step)]);
  const pictures = [];
  for (const file of chosen) { // one at a time: each is decoded in full
    try {
      const size = { resizeWidth: 2 * TILE[0], resizeQuality: "medium" };
      pictures.push(await (isVideo(file.name) ? frameOf(file, size) : createImageBitmap(file, size)));
    } catch {
      // HEIC and TIFF, which most browsers cannot show
    }
  }
  if (!pictures.length) return null;
  if (pictures.length > COLUMNS) pictures.length -= pictures.length % COLUMNS; // whole rows
  const canvas = document.createElement("canvas");
  canvas.width = TILE[0] * Math.min(COLUMNS, pictures.length);
  canvas.height = TILE[1] * Math.ceil(pictures.length / COLUMNS);
  const context = canvas.getContext("2d");
  pictures.forEach((picture, place) => {
    const scale = Math.max(TILE[0] / picture.width, TILE[1] / picture.height);
    const [width, height] = TILE.map((side) => side / scale);
    context.drawImage(picture, (picture.width - width) / 2, (picture.height - height) / 2, width, height,
      TILE[0] * (place % COLUMNS), TILE[1] * Math.floor(place / COLUMNS), ...TILE);
    picture.close();
  });
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.75));
}
