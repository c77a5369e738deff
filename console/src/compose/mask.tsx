import { useRef, useState } from "preact/hooks";

const OVERLAY = "rgba(255, 64, 64, 1)";

/** A brush that marks which part of an image is to be changed. */
export function MaskBrush({ source, onMask }: { source: string; onMask: (mask: Blob | null) => void }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [brush, setBrush] = useState(48);
  const [size, setSize] = useState<{ width: number; height: number } | null>(null);
  const last = useRef<{ x: number; y: number } | null>(null);

  const paint = (event: PointerEvent) => {
    const target = canvas.current;
    const context = target?.getContext("2d");
    if (!target || !context) return;
    const box = target.getBoundingClientRect();
    const scale = target.width / box.width;
    const point = { x: (event.clientX - box.left) * scale, y: (event.clientY - box.top) * scale };
    const from = last.current ?? point;
    context.strokeStyle = OVERLAY;
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
    onMask(null);
  };

  return (
    <fieldset class="mask">
      <legend>Mask: paint what is to change (optional)</legend>
      <div class="stack">
        <img
          src={source}
          alt="To be changed"
          onLoad={(event) => {
            const { naturalWidth: width, naturalHeight: height } = event.currentTarget;
            setSize({ width, height });
          }}
        />
        {size && (
          <canvas
            ref={canvas}
            width={size.width}
            height={size.height}
            role="img"
            aria-label="Mask"
            onPointerDown={(event) => {
              event.currentTarget.setPointerCapture(event.pointerId);
              last.current = null;
              paint(event);
            }}
            onPointerMove={(event) => event.buttons > 0 && paint(event)}
            onPointerUp={() => canvas.current && blackAndWhite(canvas.current).then(onMask)}
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
    </fieldset>
  );
}

/** Return the mask as a PNG: white where it is painted, black elsewhere. */
function blackAndWhite(painted: HTMLCanvasElement): Promise<Blob | null> {
  const mask = document.createElement("canvas");
  mask.width = painted.width;
  mask.height = painted.height;
  const context = mask.getContext("2d");
  if (!context) return Promise.resolve(null);
  context.drawImage(painted, 0, 0);
  context.globalCompositeOperation = "source-in";
  context.fillStyle = "#fff";
  context.fillRect(0, 0, mask.width, mask.height);
  context.globalCompositeOperation = "destination-over";
  context.fillStyle = "#000";
  context.fillRect(0, 0, mask.width, mask.height);
  return new Promise((resolve) => mask.toBlob(resolve, "image/png"));
}
