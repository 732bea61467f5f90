// Which environment variables the inference child gets: it reads strangers' recordings, so it gets no secrets.

// By name, for what an engine, a driver or ffmpeg wants to be set is not known here.
const SECRET = /TOKEN|SECRET|PASS|KEY|CREDENTIAL|AUTH|COOKIE|PROXY|DSN|_UR[IL]$|_FILE$/i;

/** All but what the name says is a secret, or leads to another machine. */
export function childEnvironment(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    if (value !== undefined && !SECRET.test(name)) kept[name] = value;
  }
  return kept;
}
