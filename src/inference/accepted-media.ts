// What ffmpeg may try on a stranger's file: containers of sound and video, and decoders of sound. Names that this ffmpeg
// does not know do no harm.

/**
 * No playlists (hls, dash, concat, imf), which open other files; no pictures, no subtitles, no text, no devices, and
 * nothing that makes a recording of commands (lavfi). Names of ffmpeg's demuxers, by the first of their names.
 */
const CONTAINERS = [
  // What phones, meetings and browsers record.
  ...["mov", "matroska", "ogg", "mp3", "aac", "wav", "flac", "avi", "asf", "flv", "mpegts", "mpeg", "caf", "aiff"],
  // Voice: phones, dictation machines, switchboards.
  ...[
    "amr",
    "amrnb",
    "amrwb",
    "au",
    "gsm",
    "g722",
    "g723_1",
    "g726",
    "g729",
    "ilbc",
    "qcp",
    "sln",
    "voc",
    "w64",
    "dss",
  ],
  ...["xwma", "nistsphere", "alaw", "mulaw", "sox", "rm"],
  // Music, cameras, broadcast.
  ...["ac3", "eac3", "ape", "dts", "dtshd", "truehd", "mlp", "dsf", "iff", "loas", "mpc", "mpc8", "mxf", "nut", "oma"],
  ...["shn", "spdif", "tak", "tta", "wtv", "wv"],
];

/** A video's pictures are not decoded, so that their decoders, the largest part of ffmpeg, are out of a stranger's reach. */
const DECODERS = [
  ...["aac", "aac_fixed", "aac_latm", "libfdk_aac", "mp1", "mp1float", "mp2", "mp2float", "mp3", "mp3float"],
  ...["mp3adu", "mp3adufloat", "opus", "libopus", "vorbis", "libvorbis", "flac", "alac", "ac3", "ac3_fixed", "eac3"],
  ...["als", "ape", "dca", "truehd", "mlp", "mpc7", "mpc8", "tak", "tta", "wavpack", "shorten", "sonic", "ralf"],
  ...[
    "wmav1",
    "wmav2",
    "wmapro",
    "wmalossless",
    "wmavoice",
    "cook",
    "real_144",
    "real_288",
    "sipr",
    "atrac1",
    "atrac3",
  ],
  ...["atrac3al", "atrac3plus", "atrac3plusal", "atrac9", "dss_sp", "mp3on4", "mp3on4float", "amrnb", "amrwb"],
  ...["gsm", "gsm_ms", "libgsm", "libgsm_ms", "speex", "libspeex", "ilbc", "libilbc", "qcelp", "evrc", "truespeech"],
  ...["g722", "g723_1", "g726", "g726le", "g729", "siren", "msnsiren", "nellymoser", "libcodec2", "dsd_lsbf"],
  ...["dsd_msbf", "dsd_lsbf_planar", "dsd_msbf_planar", "dst", "mace3", "mace6", "qdm2", "qdmc", "imc", "iac"],
  ...["adpcm_ima_qt", "adpcm_ima_wav", "adpcm_ms", "adpcm_swf"],
  ...["adpcm_yamaha", "adpcm_ct", "adpcm_sbpro_2", "adpcm_sbpro_3", "adpcm_sbpro_4", "8svx_exp", "8svx_fib"],
  ...["pcm_alaw", "pcm_mulaw", "pcm_vidc", "pcm_bluray", "pcm_dvd", "pcm_lxf", "pcm_s8", "pcm_s8_planar"],
  ...[
    "pcm_u8",
    "pcm_s16le",
    "pcm_s16be",
    "pcm_s16le_planar",
    "pcm_s16be_planar",
    "pcm_u16le",
    "pcm_u16be",
    "pcm_s24le",
  ],
  ...["pcm_s24be", "pcm_s24le_planar", "pcm_s24daud", "pcm_u24le", "pcm_u24be", "pcm_s32le", "pcm_s32be"],
  ...["pcm_s32le_planar", "pcm_u32le", "pcm_u32be", "pcm_s64le", "pcm_s64be", "pcm_f16le", "pcm_f24le", "pcm_f32le"],
  ...["pcm_f32be", "pcm_f64le", "pcm_f64be", "pcm_sga", "s302m"],
];

/** For ffprobe, before the file. It opens a decoder for every track, and fails where it may not. */
export const PROBE_OPTIONS: readonly string[] = [
  ...["-protocol_whitelist", "file,pipe"],
  ...["-format_whitelist", CONTAINERS.join(",")],
];

/** For ffmpeg, before the file. */
export const DECODE_OPTIONS: readonly string[] = [...PROBE_OPTIONS, "-codec_whitelist", DECODERS.join(",")];
