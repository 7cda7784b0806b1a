// Requests to the gallery: JSON in, JSON out, with the session's CSRF token.

let proof = null;

export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** Send a request with JSON, and return the JSON of the response. Throws ApiError. */
export async function request(method, path, body) {
  const headers = {};
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (proof && method !== "GET") headers["X-CSRF-Token"] = proof;
  let answer;
  try {
    answer = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch {
    throw new ApiError(0, "The gallery cannot be reached.");
  }
  return parsed(answer.status, await answer.text());
}

/** Upload a file. `progress` gets the number of bytes sent so far; `signal` aborts. Throws ApiError. */
export function send(path, file, progress, signal) {
  return new Promise((resolve, reject) => {
    const sender = new XMLHttpRequest();
    sender.open("PUT", path);
    if (proof) sender.setRequestHeader("X-CSRF-Token", proof);
    sender.upload.onprogress = (event) => progress(event.loaded);
    sender.onabort = () => reject(new ApiError(0, "The upload was cancelled."));
    signal.addEventListener("abort", () => sender.abort());
    sender.onerror = () => reject(new ApiError(0, "The connection was lost."));
    sender.onload = () => {
      try {
        resolve(parsed(sender.status, sender.responseText));
      } catch (error) {
        reject(error);
      }
    };
    sender.send(file);
  });
}

/** Return the signed-in user, or null. */
export async function session() {
  const found = await request("GET", "/api/session");
  proof = found.proof;
  return found.user ? found : null;
}

function parsed(status, text) {
  let content = {};
  try {
    content = JSON.parse(text || "{}");
  } catch {
    // the error page of a proxy: its text is not shown
  }
  if (status >= 400) throw new ApiError(status, content.error || `The gallery responded with status ${status}.`);
  return content;
}
