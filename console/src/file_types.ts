/** Types of files by their endings, because browsers have several names for a type, or none. */

const TYPES: Readonly<Record<string, string>> = {
  png: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  webp: "image/webp",
  gif: "image/gif",
  avif: "image/avif",
  bmp: "image/bmp",
  mp4: "video/mp4",
  m4v: "video/mp4",
  mov: "video/quicktime",
  webm: "video/webm",
  mkv: "video/x-matroska",
  flac: "audio/flac",
  mp3: "audio/mpeg",
  ogg: "audio/ogg",
  oga: "audio/ogg",
  opus: "audio/ogg",
  wav: "audio/wav",
  m4a: "audio/mp4",
};

/** Return the name that the API has for a file's type, else the browser's, which is empty if it has none. */
export function contentType(file: Blob): string {
  const ending = file instanceof File ? (/\.([^.]+)$/.exec(file.name)?.[1] ?? "") : "";
  return TYPES[ending.toLowerCase()] ?? file.type;
}
