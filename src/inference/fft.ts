// The power spectrum of one 400-sample frame: a real Fourier transform done as a complex one of half the length.

const N = 400;
const HALF = N / 2; // 200 = 5 * 5 * 8, the radices of the three passes below

const C1 = Math.cos((2 * Math.PI) / 5);
const C2 = Math.cos((4 * Math.PI) / 5);
const S1 = Math.sin((2 * Math.PI) / 5);
const S2 = Math.sin((4 * Math.PI) / 5);
const R = Math.SQRT1_2;

/** exp(-2 pi i j p / length) for p = 0 … count-1 and j = 1 … 4, as pairs of real and imaginary part. */
function twiddles(length: number, count: number): Float64Array {
  const table = new Float64Array(count * 8);
  for (let p = 0; p < count; p++) {
    for (let j = 1; j <= 4; j++) {
      const angle = (-2 * Math.PI * j * p) / length;
      table[p * 8 + (j - 1) * 2] = Math.cos(angle);
      table[p * 8 + (j - 1) * 2 + 1] = Math.sin(angle);
    }
  }
  return table;
}

const TWIDDLES_200 = twiddles(200, 40);
const TWIDDLES_40 = twiddles(40, 8);
const SPLIT = Float64Array.from({ length: HALF + 2 }, (_, i) => {
  const angle = (-2 * Math.PI * (i >> 1)) / N;
  return i % 2 === 0 ? Math.cos(angle) : Math.sin(angle);
});

/**
 * One decimation-in-frequency pass of radix 5 in Stockham's self-sorting order.
 * @param x complex input, interleaved [200 * 2]
 * @param y complex output, interleaved [200 * 2]
 */
function radix5(x: Float64Array, y: Float64Array, table: Float64Array, m: number, stride: number): void {
  for (let p = 0; p < m; p++) {
    const t = p * 8;
    const w1r = table[t]!;
    const w1i = table[t + 1]!;
    const w2r = table[t + 2]!;
    const w2i = table[t + 3]!;
    const w3r = table[t + 4]!;
    const w3i = table[t + 5]!;
    const w4r = table[t + 6]!;
    const w4i = table[t + 7]!;
    const step = 2 * stride * m;
    const out = 2 * stride;
    for (let q = 0; q < stride; q++) {
      const a = 2 * (q + stride * p);
      const ar = x[a]!;
      const ai = x[a + 1]!;
      const br = x[a + step]!;
      const bi = x[a + step + 1]!;
      const cr = x[a + 2 * step]!;
      const ci = x[a + 2 * step + 1]!;
      const dr = x[a + 3 * step]!;
      const di = x[a + 3 * step + 1]!;
      const er = x[a + 4 * step]!;
      const ei = x[a + 4 * step + 1]!;
      const s1r = br + er;
      const s1i = bi + ei;
      const d1r = br - er;
      const d1i = bi - ei;
      const s2r = cr + dr;
      const s2i = ci + di;
      const d2r = cr - dr;
      const d2i = ci - di;
      const m1r = ar + C1 * s1r + C2 * s2r;
      const m1i = ai + C1 * s1i + C2 * s2i;
      const m2r = ar + C2 * s1r + C1 * s2r;
      const m2i = ai + C2 * s1i + C1 * s2i;
      const n1r = S1 * d1i + S2 * d2i;
      const n1i = -S1 * d1r - S2 * d2r;
      const n2r = S2 * d1i - S1 * d2i;
      const n2i = -S2 * d1r + S1 * d2r;
      const b = 2 * (q + stride * 5 * p);
      y[b] = ar + s1r + s2r;
      y[b + 1] = ai + s1i + s2i;
      const f1r = m1r + n1r;
      const f1i = m1i + n1i;
      y[b + out] = f1r * w1r - f1i * w1i;
      y[b + out + 1] = f1r * w1i + f1i * w1r;
      const f2r = m2r + n2r;
      const f2i = m2i + n2i;
      y[b + 2 * out] = f2r * w2r - f2i * w2i;
      y[b + 2 * out + 1] = f2r * w2i + f2i * w2r;
      const f3r = m2r - n2r;
      const f3i = m2i - n2i;
      y[b + 3 * out] = f3r * w3r - f3i * w3i;
      y[b + 3 * out + 1] = f3r * w3i + f3i * w3r;
      const f4r = m1r - n1r;
      const f4i = m1i - n1i;
      y[b + 4 * out] = f4r * w4r - f4i * w4i;
      y[b + 4 * out + 1] = f4r * w4i + f4i * w4r;
    }
  }
}

/** The last pass: 25 transforms of length 8, whose twiddles are all 1. */
function radix8(x: Float64Array, y: Float64Array): void {
  const step = HALF / 4; // 25 complex numbers
  for (let a = 0; a < step; a += 2) {
    const a0r = x[a]! + x[a + 4 * step]!;
    const a0i = x[a + 1]! + x[a + 4 * step + 1]!;
    const a4r = x[a]! - x[a + 4 * step]!;
    const a4i = x[a + 1]! - x[a + 4 * step + 1]!;
    const a2r = x[a + 2 * step]! + x[a + 6 * step]!;
    const a2i = x[a + 2 * step + 1]! + x[a + 6 * step + 1]!;
    const a6r = x[a + 2 * step]! - x[a + 6 * step]!;
    const a6i = x[a + 2 * step + 1]! - x[a + 6 * step + 1]!;
    const a1r = x[a + step]! + x[a + 5 * step]!;
    const a1i = x[a + step + 1]! + x[a + 5 * step + 1]!;
    const a5r = x[a + step]! - x[a + 5 * step]!;
    const a5i = x[a + step + 1]! - x[a + 5 * step + 1]!;
    const a3r = x[a + 3 * step]! + x[a + 7 * step]!;
    const a3i = x[a + 3 * step + 1]! + x[a + 7 * step + 1]!;
    const a7r = x[a + 3 * step]! - x[a + 7 * step]!;
    const a7i = x[a + 3 * step + 1]! - x[a + 7 * step + 1]!;

    const e0r = a0r + a2r;
    const e0i = a0i + a2i;
    const e2r = a0r - a2r;
    const e2i = a0i - a2i;
    const o0r = a1r + a3r;
    const o0i = a1i + a3i;
    const o2r = a1r - a3r;
    const o2i = a1i - a3i;
    y[a] = e0r + o0r;
    y[a + 1] = e0i + o0i;
    y[a + 4 * step] = e0r - o0r;
    y[a + 4 * step + 1] = e0i - o0i;
    y[a + 2 * step] = e2r + o2i;
    y[a + 2 * step + 1] = e2i - o2r;
    y[a + 6 * step] = e2r - o2i;
    y[a + 6 * step + 1] = e2i + o2r;

    const e1r = a4r + a6i;
    const e1i = a4i - a6r;
    const e3r = a4r - a6i;
    const e3i = a4i + a6r;
    const u1r = a5r + a7i;
    const u1i = a5i - a7r;
    const u3r = a5r - a7i;
    const u3i = a5i + a7r;
    const o1r = R * (u1r + u1i);
    const o1i = R * (u1i - u1r);
    const o3r = R * (u3i - u3r);
    const o3i = -R * (u3r + u3i);
    y[a + step] = e1r + o1r;
    y[a + step + 1] = e1i + o1i;
    y[a + 5 * step] = e1r - o1r;
    y[a + 5 * step + 1] = e1i - o1i;
    y[a + 3 * step] = e3r + o3r;
    y[a + 3 * step + 1] = e3i + o3i;
    y[a + 7 * step] = e3r - o3r;
    y[a + 7 * step + 1] = e3i - o3i;
  }
}

const scratch = new Float64Array(N);

/**
 * |X[k]|^2 of the discrete Fourier transform X of a real frame.
 * @param frame 400 samples, already multiplied by the window; overwritten
 * @param power receives 201 values
 */
export function powerSpectrum(frame: Float64Array, power: Float64Array): void {
  // Even samples are the real parts and odd ones the imaginary parts of 200 complex numbers: what `frame` is already.
  radix5(frame, scratch, TWIDDLES_200, 40, 1);
  radix5(scratch, frame, TWIDDLES_40, 8, 5);
  radix8(frame, scratch);
  const z = scratch;
  power[0] = (z[0]! + z[1]!) ** 2;
  power[HALF] = (z[0]! - z[1]!) ** 2;
  for (let k = 1; k <= HALF / 2; k++) {
    // X[k] = E[k] + w^k O[k] and X[200-k] = conj(E[k] - w^k O[k]), E and O being the spectra of even and odd samples.
    const zr = z[2 * k]!;
    const zi = z[2 * k + 1]!;
    const yr = z[N - 2 * k]!;
    const yi = z[N - 2 * k + 1]!;
    const er = 0.5 * (zr + yr);
    const ei = 0.5 * (zi - yi);
    const or = 0.5 * (zi + yi);
    const oi = 0.5 * (yr - zr);
    const wr = SPLIT[2 * k]!;
    const wi = SPLIT[2 * k + 1]!;
    const tr = or * wr - oi * wi;
    const ti = or * wi + oi * wr;
    power[k] = (er + tr) * (er + tr) + (ei + ti) * (ei + ti);
    power[HALF - k] = (er - tr) * (er - tr) + (ei - ti) * (ei - ti);
  }
}
