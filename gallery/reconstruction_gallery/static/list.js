// View of the list of jobs: unfinished jobs first, filtered by text and phase, one page at a time.

import { h, setText } from "./dom.js";
import { apiUrl, byAttention, describe, fileUrl, finished, pageUrl, photoUrl, state, time } from "./format.js";
import { jobs, LIST, listen, store, trashed } from "./store.js";

const PAGE = 50; // rows
const TILE = 160; // px, of the sheet of a job's photos
const PHASES = ["Running", "Queued", "Pending", "Suspended", "Cancelling", "Succeeded", "Failed", "Cancelled"];

/** Show the list in `main`. Returns a function that closes the view. */
export function showList(main) {
  const given = new URLSearchParams(location.search);
  const search = h("input", { type: "search", id: "search", placeholder: "Name or namespace", oninput: reset, value: given.get("search") });
  const phase = h("select", { id: "phase", onchange: reset });
  phase.append(h("option", { value: "" }, "All"), ...PHASES.map((one) => h("option", { selected: one === given.get("phase") }, one)));
  const count = h("p", { class: "count", role: "status" });
  const list = h("ul", { class: "jobs" });
  const position = h("span", {});
  const turn = (label, by) => h("button", { type: "button", onclick: () => turnTo(page + by) }, label);
  const [back, next] = [turn("Newer", -1), turn("Older", 1)];
  const pager = h("nav", { class: "pager", "aria-label": "Pages of the list" }, back, position, next);
  main.replaceChildren(
    h("h1", { tabindex: "-1" }, "Jobs"),
    h("form", { class: "filters", role: "search", onsubmit: (event) => event.preventDefault() },
      h("span", {}, h("label", { for: "search" }, "Search"), search),
      h("span", {}, h("label", { for: "phase" }, "Phase"), phase)),
    count, list, pager, gone(),
  );
  sessionStorage.setItem(LIST, location.href);

  const rows = new Map(); // uid -> row
  let page = Math.max(0, Math.trunc(given.get("page")) - 1 || 0);
  let frame = 0;

  function reset() {
    page = 0;
    update();
    remember();
  }

  /** Put what is shown into the address, for reloads, links and the way back. */
  function remember() {
    const shown = Object.entries({ search: search.value.trim(), phase: phase.value, page: page ? page + 1 : "" });
    const query = new URLSearchParams(shown.filter(([, value]) => value)).toString();
    history.replaceState(null, "", query ? `/?${query}` : "/");
    sessionStorage.setItem(LIST, location.href);
  }

  function turnTo(wanted) {
    page = wanted;
    update();
    remember();
    main.querySelector("h1").focus();
    scrollTo(0, 0);
  }

  function update() {
    frame = 0;
    const text = search.value.trim().toLowerCase();
    const found = [...jobs.values()].filter((job) =>
      (!phase.value || job.phase === phase.value) && `${job.namespace}/${job.name}`.includes(text));
    found.sort(byAttention);
    setText(count, found.length || store.synced ? `${found.length} of ${jobs.size} jobs` : "Loading…");
    const last = Math.max(0, Math.ceil(found.length / PAGE) - 1);
    if (store.synced) page = Math.min(page, last); // the page of the address may come later
    const shown = found.slice(page * PAGE, (page + 1) * PAGE);
    const keep = new Set(shown.map((job) => job.uid));
    for (const [uid, row] of rows) {
      if (!keep.has(uid)) {
        row.element.remove();
        rows.delete(uid);
      }
    }
    let place = list.firstElementChild;
    for (const job of shown) {
      let row = rows.get(job.uid);
      if (!row) rows.set(job.uid, (row = makeRow()));
      row.set(job);
      if (row.element === place) place = place.nextElementSibling;
      else list.insertBefore(row.element, place); // most updates do not move the row that has the focus
    }
    pager.hidden = last === 0;
    back.disabled = page === 0;
    next.disabled = page === last;
    setText(position, `Page ${page + 1} of ${last + 1}`);
  }

  function soon() {
    frame ||= requestAnimationFrame(update);
  }

  const stop = listen(soon);
  const timer = setInterval(soon, 30_000); // ages
  const onKey = (event) => {
    if (event.key === "/" && !/^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName)) {
      event.preventDefault();
      search.focus();
    }
  };
  document.addEventListener("keydown", onKey);
  update();
  return () => {
    stop();
    clearInterval(timer);
    cancelAnimationFrame(frame);
    document.removeEventListener("keydown", onKey);
  };
}

/** Return a list of the deleted jobs, whose pages can restore them. It is loaded when it is opened. */
function gone() {
  const content = h("div", {}, "Loading…");
  const load = async () => {
    const found = await trashed().catch((error) => setText(content, error.message));
    if (!found?.length) {
      if (found) setText(content, "No deleted job has a result that can be restored.");
      return;
    }
    content.replaceChildren(h("ul", {}, found.map((job) => h("li", {},
      h("a", { href: pageUrl(job), "data-link": true }, `${job.namespace}/${job.name}`),
      " ", h("span", { class: "meta" }, `until ${time(job.until)}`)))));
  };
  return h("details", { class: "gone", ontoggle: load }, h("summary", {}, "Deleted jobs"), content);
}

function makeRow() {
  const picture = h("span", { class: "picture", "aria-hidden": "true" });
  const name = h("span", { class: "name" });
  const namespace = h("span", { class: "namespace" });
  const badge = h("span", { class: "badge" });
  const cancel = h("span", { class: "badge cancel", hidden: true }, "Cancel requested");
  const bar = h("progress", { max: 100 });
  const step = h("span", { class: "step" });
  const meta = h("span", { class: "meta" });
  const progress = h("span", { class: "progress" }, bar, step);
  const link = h("a", { "data-link": true }, picture,
    h("span", { class: "title" }, name, namespace), h("span", { class: "badges" }, badge, cancel), progress, meta);
  const element = h("li", {}, link);
  let last = null;
  let image = "";

  function set(job) {
    setText(meta, describe(job));
    if (job === last) return;
    last = job;
    link.setAttribute("href", pageUrl(job));
    setText(name, job.name);
    setText(namespace, job.namespace);
    setText(badge, job.state);
    badge.dataset.phase = job.phase;
    badge.dataset.verdict = job.verdict;
    cancel.hidden = !job.cancelRequested || job.cancelConfirmed || finished(job);
    bar.hidden = job.phase !== "Running" && job.phase !== "Cancelling";
    bar.value = job.percent;
    bar.setAttribute("aria-label", `Progress of ${job.name}`);
    setText(step, bar.hidden ? state(job) : `${job.done} ${state(job)}`);
    progress.hidden = !step.textContent;
    const wanted = `${job.preview} ${job.uploaded} ${job.photos}`;
    if (wanted !== image) {
      image = wanted;
      picture.replaceChildren(tile(job.name));
      showFirst(picture, [
        [job.preview && fileUrl(job, job.preview)],
        [job.uploaded && `${apiUrl(job)}/photos.jpg`, firstTile],
        [job.photos && photoUrl(job)],
      ].filter(([address]) => address));
    }
  }

  return { element, set };
}

/** Show the first of these pictures that there is, over what `place` has: pairs of address and what to do when it is loaded. */
function showFirst(place, [first, ...rest]) {
  if (!first) return;
  const [src, onload] = first;
  const shown = (event) => {
    place.querySelector(".tile")?.remove();
    onload?.(event);
  };
  const onerror = (event) => {
    event.target.remove();
    showFirst(place, rest);
  };
  place.append(h("img", { src, alt: "", loading: "lazy", decoding: "async", onload: shown, onerror }));
}

/** Return a coloured tile with the initial of a job, for jobs without a picture. */
function tile(name) {
  const element = h("span", { class: "tile" }, name.charAt(0).toUpperCase());
  const hue = [...name].reduce((sum, letter) => (31 * sum + letter.charCodeAt(0)) % 360, 0);
  element.style.setProperty("--hue", hue);
  return element;
}

/** Show only the first photo of a sheet. */
function firstTile(event) {
  const image = event.target;
  image.style.width = `${(100 * image.naturalWidth) / TILE}%`;
  image.style.height = "auto";
}
