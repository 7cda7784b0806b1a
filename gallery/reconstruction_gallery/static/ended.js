// Ends of jobs: the page's title shows them, and for jobs that the user follows in this tab, a notification of the browser.

import { finished } from "./format.js";
import { jobs, listen } from "./store.js";

const FOLLOWED = "gallery.followed";

/** Show the state of the job in the title of its page, which a user sees from another tab. */
export function showInTitle(job) {
  const now = finished(job) ? `${job.state}: ` : job.phase === "Running" ? `${job.done} ` : "";
  document.title = `${now}${job.name} – Reconstructions`;
}

/** Return whether this user may be told when that job ends, and has not asked for it. */
export function canFollow(job) {
  return "Notification" in window && Notification.permission !== "denied" && !finished(job) && !followed().includes(job.uid);
}

/** Tell the user when the job ends, if the browser allows it. Returns whether it does. */
export async function follow(job) {
  if (await Notification.requestPermission() !== "granted") return false;
  remember([...followed(), job.uid]);
  return true;
}

function followed() {
  try {
    return JSON.parse(sessionStorage.getItem(FOLLOWED) ?? "[]");
  } catch {
    return [];
  }
}

function remember(uids) {
  sessionStorage.setItem(FOLLOWED, JSON.stringify(uids));
}

listen((changed) => {
  const waits = followed();
  for (const uid of changed) {
    const job = jobs.get(uid);
    if (!waits.includes(uid) || !finished(job)) continue;
    remember(followed().filter((one) => one !== uid));
    const told = new Notification(`${job.name}: ${job.state}`, { body: job.sentence, tag: uid });
    told.onclick = () => window.focus();
  }
});
