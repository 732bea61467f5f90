// The fast transform against the definition of the discrete Fourier transform.

import { expect, test } from "vitest";
import { powerSpectrum } from "../../src/inference/fft.ts";

function definition(frame: Float64Array): Float64Array {
  return Float64Array.from({ length: 201 }, (_, k) => {
    let re = 0;
    let im = 0;
    frame.forEach((x, n) => {
      re += x * Math.cos((2 * Math.PI * k * n) / 400);
      im -= x * Math.sin((2 * Math.PI * k * n) / 400);
    });
    return re * re + im * im;
  });
}

const frames: Record<string, (n: number) => number> = {
  noise: (n) => ((n * 7919 + ((n * n * 104729) % 10007)) % 2001) / 1000 - 1,
  impulse: (n) => (n === 137 ? 1 : 0),
  constant: () => 1,
  "highest frequency": (n) => (n % 2 === 0 ? 1 : -1),
  tone: (n) => Math.sin((2 * Math.PI * 33.3 * n) / 400),
};

test.each(Object.keys(frames))("power spectrum of %s", (name) => {
  const frame = Float64Array.from({ length: 400 }, (_, n) => frames[name]!(n));
  const expected = definition(frame);
  const power = new Float64Array(201);
  powerSpectrum(frame, power);
  const scale = Math.max(...expected);
  for (let k = 0; k <= 200; k++) expect(Math.abs(power[k]! - expected[k]!) / scale, `bin ${k}`).toBeLessThan(1e-12);
});
