// Lengths of time for people: "5 min 12 s", "12:30", "11x real time".

/** `12.4` -> "12.4 s", `312` -> "5 min 12 s", `11530` -> "3 h 12 min". */
export function spanText(seconds: number): string {
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** `750` -> "12:30", `3730` -> "1:02:10". */
export function clockText(seconds: number): string {
  const whole = Math.floor(seconds);
  const hours = Math.floor(whole / 3600);
  const minutes = String(Math.floor(whole / 60) % 60).padStart(2, "0");
  const rest = String(whole % 60).padStart(2, "0");
  return hours > 0 ? `${hours}:${minutes}:${rest}` : `${minutes}:${rest}`;
}

/** How many seconds of audio one second of work went through: "11x real time", "0.4x real time". */
export function speedText(audioSeconds: number, workSeconds: number): string {
  const factor = audioSeconds / Math.max(workSeconds, 0.001);
  return `${factor.toFixed(factor < 9.95 ? 1 : 0)}x real time`;
}
