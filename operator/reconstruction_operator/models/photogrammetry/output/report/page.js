
// <model-viewer> (Apache-2.0, github.com/google/model-viewer) and the model are in the page, packed.
async function unpacked(id, type) {
  const packed = Uint8Array.from(atob(document.getElementById(id).textContent), (one) => one.charCodeAt(0));
  const content = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return URL.createObjectURL(new Blob([await new Response(content).arrayBuffer()], { type }));
}

const place = document.getElementById("place");
const picture = place.querySelector("img");
await import(await unpacked("viewer-script", "text/javascript"));
const viewer = document.createElement("model-viewer");
for (const [name, value] of Object.entries({
  src: await unpacked("model-data", "model/gltf-binary"), alt: "The model, which can be turned", poster: picture.src,
  "camera-controls": "", "touch-action": "pan-y", "interaction-prompt": "none",
})) {
  viewer.setAttribute(name, value);
}
picture.replaceWith(viewer);
