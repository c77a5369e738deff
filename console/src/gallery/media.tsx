import type { Link } from "../types";

const VIDEOS = /\.(mp4|webm|mov|mkv)$/i;
const SOUNDS = /\.(flac|mp3|opus|ogg|wav|m4a)$/i;

/** Whether an output can be an input of image to image. */
export function isImage(link: Link): boolean {
  return !VIDEOS.test(link.s3) && !SOUNDS.test(link.s3);
}

/** An output of a task: an image, or with ComfyUI also a video or a sound. */
export function Media({ link, alt, controls }: { link: Link; alt: string; controls: boolean }) {
  if (VIDEOS.test(link.s3)) {
    return <video src={link.url} aria-label={alt} controls={controls} muted={!controls} preload="metadata" />;
  }
  if (SOUNDS.test(link.s3)) {
    // biome-ignore lint/a11y/useMediaCaption: there are no captions of generated sounds
    return controls ? <audio src={link.url} aria-label={alt} controls /> : <span class="sound">♪</span>;
  }
  return <img src={link.url} alt={alt} loading="lazy" decoding="async" />;
}
