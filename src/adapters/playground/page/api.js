// What the page asks of the gateway. Errors are sentences for people.

export async function ask(method, path, body) {
  const isForm = body instanceof FormData;
  let response;
  try {
    response = await fetch(path, {
      method,
      ...(body === undefined ? {} : { body: isForm ? body : JSON.stringify(body) }),
      ...(body === undefined || isForm ? {} : { headers: { "content-type": "application/json" } }),
    });
  } catch {
    throw new Error("Earshot does not answer. Is it still running?");
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.message ?? `Something went wrong (${response.status}).`);
  return answer;
}

/** Calls `changed` with every message that is new or different, also after a break in the connection. */
export function follow(since, changed, connected) {
  const source = new EventSource(`/api/changes?since=${since}`);
  source.addEventListener("message", (event) => changed(JSON.parse(event.data)));
  source.addEventListener("open", () => connected(true));
  source.addEventListener("error", () => connected(false));
}
