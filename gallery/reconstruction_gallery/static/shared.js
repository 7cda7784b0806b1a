// View behind a link: the result of one job, for everyone who has the link.

import { request } from "./api.js";
import { h } from "./dom.js";
import { downloadMenu } from "./downloads.js";
import { apiUrl, fileUrl, time } from "./format.js";
import { showMesh } from "./mesh.js";
import { files, hasReport, previews, reportPanel } from "./sections.js";
import { advised } from "./standpoints.js";
import { tabs } from "./tabs.js";

/** Show the result in `main`. */
export function showShared(main, { token }) {
  const heading = h("h1", { tabindex: "-1" }, "Shared result");
  main.replaceChildren(heading);
  load().catch((error) => main.append(h("p", { class: "message" }, error.message)));

  async function load() {
    const result = await request("GET", apiUrl({ token }));
    const key = { token, name: result.name };
    const viewer = h("div", { class: "viewer", hidden: true });
    const parts = tabs("Parts of the result", [
      ["overview", "Overview", h("div", { class: "details" }, previews(key, result), files(key, result))],
      ["report", "Report", reportPanel(key), hasReport(result)],
    ]);
    heading.textContent = result.name;
    document.title = `${result.name} – Reconstructions`;
    const menu = downloadMenu(key, result, () => viewer.querySelector("model-viewer"), null);
    main.append(viewer, h("div", { class: "now" }, h("span", { class: "badge", "data-phase": result.phase, "data-verdict": result.verdict }, result.state),
        h("span", { class: "meta" }, `Shared by a link that works until ${time(1000 * token.split(".")[1])}`)),
      h("p", { class: "message" }, result.sentence), h("div", { class: "actions" }, menu), parts.element);
    const mesh = result.files.find((file) => file.name.endsWith(".glb"));
    if (mesh) {
      await showMesh(viewer, fileUrl(key, mesh.name), `The mesh of ${result.name}`, Boolean(result.size), advised(key, result));
    }
  }
  return () => {};
}
