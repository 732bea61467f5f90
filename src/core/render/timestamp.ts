// Times and numbers as openai/whisper's writers print them. Ref: openai/whisper utils.py `format_timestamp`

/** Python's `round`: halves go to the even neighbour. */
export function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest === 0.5) return floor % 2 === 0 ? floor : floor + 1;
  return rest < 0.5 ? floor : floor + 1;
}

export interface TimestampStyle {
  readonly alwaysIncludeHours: boolean;
  readonly decimalMarker: "." | ",";
}

/**
 * `75.5` -> `01:15.500`, from an hour on `01:00:00.000`.
 * @param seconds not negative
 * @throws RangeError when it is negative or not a number
 */
export function formatTimestamp(
  seconds: number,
  style: TimestampStyle = { alwaysIncludeHours: false, decimalMarker: "." },
): string {
  if (!(seconds >= 0)) throw new RangeError(`non-negative timestamp expected, not ${seconds}`);
  const total = roundHalfEven(seconds * 1000);
  const hours = Math.floor(total / 3_600_000);
  const minutes = Math.floor(total / 60_000) % 60;
  const wholeSeconds = Math.floor(total / 1000) % 60;
  const hoursMarker = style.alwaysIncludeHours || hours > 0 ? `${padded(hours, 2)}:` : "";
  return `${hoursMarker}${padded(minutes, 2)}:${padded(wholeSeconds, 2)}${style.decimalMarker}${padded(total % 1000, 3)}`;
}

function padded(value: number, width: number): string {
  return String(value).padStart(width, "0");
}
