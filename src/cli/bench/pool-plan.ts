// What measured rates mean for a backlog: pure arithmetic, so that everybody can put other figures in.

export interface PoolRates {
  /** CPU seconds of the gateway's machine for an hour of audio: decoding, packing, hashing. */
  readonly prepareSeconds: number;
  /** Packed megabytes of an hour of audio. */
  readonly megabytes: number;
  /** CPU milliseconds for an item of one window, beside the sound itself. */
  readonly gatewayItemMs: number;
  readonly serverItemMs: number;
  /** CPU seconds for a gigabyte that goes in and out again. */
  readonly gatewayGigabyteSeconds: number;
  readonly serverGigabyteSeconds: number;
}

export interface Backlog {
  readonly hours: number;
  /** Of one recording. */
  readonly recordingHours: number;
  readonly machines: number;
  /** Hours of audio that one machine transcribes in an hour. */
  readonly speed: number;
}

export interface PoolPlan {
  /** With the machines always busy. */
  readonly days: number;
  /** What must be up for that, in cores and in bytes. */
  readonly gatewayCores: number;
  readonly serverCores: number;
  readonly megabitsPerSecond: number;
  readonly itemsPerSecond: number;
  /** What the store holds when each machine has two recordings at hand, and one is on its way for each. */
  readonly storeMegabytes: number;
}

const WINDOWS_PER_HOUR = 120;
const AT_HAND = 3;

export function planPool(rates: PoolRates, { hours, recordingHours, machines, speed }: Backlog): PoolPlan {
  const audioHoursPerHour = machines * speed;
  const windows = Math.max(1, recordingHours * WINDOWS_PER_HOUR);
  const itemsPerSecond = audioHoursPerHour / recordingHours / 3600;
  const gigabytesPerSecond = (audioHoursPerHour * rates.megabytes) / 1000 / 3600;
  // Each further window costs about as much as the first: an entry in the log, and its way back.
  const messages = itemsPerSecond * windows;
  return {
    days: hours / audioHoursPerHour / 24,
    gatewayCores:
      (audioHoursPerHour * rates.prepareSeconds) / 3600 +
      gigabytesPerSecond * rates.gatewayGigabyteSeconds +
      (messages * rates.gatewayItemMs) / 1000,
    serverCores: gigabytesPerSecond * rates.serverGigabyteSeconds + (messages * rates.serverItemMs) / 1000,
    // In from a gateway and out to a machine.
    megabitsPerSecond: gigabytesPerSecond * 8000 * 2,
    itemsPerSecond,
    storeMegabytes: machines * AT_HAND * recordingHours * rates.megabytes,
  };
}
