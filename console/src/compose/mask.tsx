import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { COVER_COLOR, coverFromFile } from "./mask_image";

/** A brush, or a file, that marks which part of an image is to be changed. */
export function MaskBrush(props: {
  source: string;
  /** What was painted before on another canvas, which is shown again. */
  mask: HTMLCanvasElement | null;
  onMask: (mask: HTMLCanvasElement | null) => void;
}) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const file = useRef<HTMLInputElement>(null);
  const [brush, setBrush] = useState(48);
  const [size, setSize] = useState<{ width: number; height: number } | null>(null);
  const [problem, setProblem] = useState("");
  const last = useRef<{ x: number; y: number } | null>(null);
  /** Counts what changes the mask, so that a file that was read too late does not. */
  const changes = useRef(0);

  useLayoutEffect(() => {
    const target = canvas.current;
    if (!target || !props.mask || props.mask === target) return;
    target.getContext("2d")?.drawImage(props.mask, 0, 0);
    props.onMask(target);
  }, [size]);

  const paint = (event: PointerEvent, isFirst: boolean) => {
    const target = canvas.current;
    const context = target?.getContext("2d");
    if (!target || !context) return;
    const box = target.getBoundingClientRect();
    const scale = target.width / box.width;
    const point = { x: (event.clientX - box.left) * scale, y: (event.clientY - box.top) * scale };
    const from = isFirst ? point : (last.current ?? point);
    context.strokeStyle = COVER_COLOR;
    context.lineCap = "round";
    context.lineWidth = brush * scale;
    context.beginPath();
    context.moveTo(from.x, from.y);
    context.lineTo(point.x, point.y);
    context.stroke();
    last.current = point;
  };

  const clear = () => {
    const target = canvas.current;
    target?.getContext("2d")?.clearRect(0, 0, target.width, target.height);
    if (file.current) file.current.value = "";
    changes.current++;
    setProblem("");
    props.onMask(null);
  };

  const load = async (chosen: File | undefined) => {
    const target = canvas.current;
    if (!chosen || !target) return;
    const change = ++changes.current;
    try {
      const cover = await coverFromFile(chosen, target.width, target.height);
      if (change !== changes.current) return;
      target.getContext("2d")?.putImageData(cover, 0, 0);
      setProblem("");
      props.onMask(target);
    } catch (error) {
      if (change === changes.current) setProblem((error as Error).message);
    }
  };

  return (
    <fieldset class="mask">
      <legend>Mask: paint what is to change (optional)</legend>
      <div class="stack">
        <img
          src={props.source}
          alt="To be changed"
          onLoad={(event) => {
            const { naturalWidth: width, naturalHeight: height } = event.currentTarget;
            setSize({ width, height });
          }}
          onError={() => setProblem("The browser cannot show this image, so no mask can be painted on it.")}
        />
        {size && (
          <canvas
            ref={canvas}
            width={size.width}
            height={size.height}
            role="img"
            aria-label="Mask"
            onPointerDown={(event) => {
              if (!event.isPrimary || event.button !== 0) return;
              event.currentTarget.setPointerCapture(event.pointerId);
              paint(event, true);
              changes.current++;
              // At once, so that what is seen is sent, also if the stroke is interrupted.
              props.onMask(event.currentTarget);
            }}
            onPointerMove={(event) => event.isPrimary && last.current && paint(event, false)}
            onLostPointerCapture={() => {
              last.current = null;
            }}
          />
        )}
      </div>
      <label for="brush">Brush</label>
      <input
        id="brush"
        type="range"
        min={4}
        max={160}
        value={brush}
        onInput={(event) => setBrush(event.currentTarget.valueAsNumber)}
      />
      <button type="button" class="quiet" onClick={clear}>
        Clear mask
      </button>
      {size && (
        <>
          <label for="mask-file">or a mask from a file (white: to change)</label>
          <input
            ref={file}
            id="mask-file"
            type="file"
            accept="image/*"
            onChange={(event) => void load(event.currentTarget.files?.[0])}
          />
        </>
      )}
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
    </fieldset>
  );
}
