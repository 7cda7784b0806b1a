// Upload that is not complete: kept in this browser, checked by the gallery, discarded.

import { request } from "./api.js";

export const UPLOAD = "gallery.upload"; // base, id, number of photos, and the form
const DISCARD_TRIES = 10;
const CHECK_TRIES = 30;

/** Return the gallery's findings about an upload. Checks take turns: wait for others, and report a failure as a finding. */
export async function checked(address, signal) {
  for (let tries = 1; ; tries += 1) {
    try {
      return await request("GET", address);
    } catch (error) {
      signal.throwIfAborted();
      if (error.status !== 429 || tries >= CHECK_TRIES) {
        return { findings: [{ level: "warning", text: `The photos were not checked: ${error.message}` }] };
      }
      await new Promise((resolve) => setTimeout(resolve, 2000));
    }
  }
}

/** Return what this browser keeps of the upload that is not complete; null if there is none. */
export function saved() {
  try {
    return JSON.parse(localStorage.getItem(UPLOAD));
  } catch {
    return null;
  }
}

/** Delete an upload; the gallery refuses while it still receives a photo. Throws ApiError. */
export async function discard(upload) {
  for (let tries = 1; upload; tries += 1) {
    try {
      await request("DELETE", `${upload.base}/${upload.id}`);
      break;
    } catch (error) {
      if (error.status === 404) break;
      if (error.status !== 409 || tries >= DISCARD_TRIES) throw error;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
  localStorage.removeItem(UPLOAD);
}
