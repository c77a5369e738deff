"""VAEs and text encoders: Forge's modules, which it lists at its start, and AUTOMATIC1111's VAEs."""

from pathlib import Path
from typing import Any

from local.fakes.sdwebui.models import digest

VAE_DIR, TEXT_ENCODER_DIR = "VAE", "text_encoder"
SUFFIXES = frozenset({".safetensors", ".pt", ".ckpt", ".pth", ".bin", ".gguf"})
NO_VAE = frozenset({"", "None", "Automatic", "auto"})


class Modules:
    """The models of `/sd-modules` (Forge) or `/sd-vae` (AUTOMATIC1111), and which of them a job uses."""

    def __init__(self, model_dir: Path | None, *, is_forge: bool) -> None:
        self._is_forge = is_forge
        self._folders = [
            model_dir / name
            for name in ((VAE_DIR, TEXT_ENCODER_DIR) if is_forge else (VAE_DIR,))
            if model_dir is not None
        ]
        self._known: dict[str, Path] = {}
        self._scan()

    def refresh(self) -> None:
        """Refresh the list as `/refresh-vae` does; on Forge it does nothing."""
        if not self._is_forge:
            self._scan()

    def list_entries(self) -> list[dict[str, Any]]:
        """Return the response of `/sd-modules` or `/sd-vae`."""
        return [{"model_name": name, "filename": str(path)} for name, path in self._known.items()]

    def used_files(self, options: Any) -> list[Path]:
        """Return the files that a job with these options uses; unknown names are ignored."""
        if not self._is_forge:
            name = options["sd_vae"]
            return [self._known[name]] if name in self._known and name not in NO_VAE else []
        named = options["forge_additional_modules"] or []
        return self.find_all(named) if isinstance(named, list) else []

    def find_all(self, names: list[Any]) -> list[Path]:
        """Return the listed files with these names; of a path, only the last part is compared."""
        file_names = [Path(str(name)).name for name in names]
        return [self._known[name] for name in file_names if name in self._known]

    def infotext_values(self, options: Any) -> dict[str, Any]:
        """Return the values in the infotext for the modules that are used."""
        used = self.used_files(options)
        if self._is_forge:
            return {f"Module {number}": path.stem for number, path in enumerate(used, 1)}
        return {"VAE hash": digest(used[0])[:10], "VAE": used[0].name} if used else {}

    def _scan(self) -> None:
        self._known = {
            path.name: path.absolute()
            for folder in self._folders
            if folder.is_dir()
            for path in sorted(folder.rglob("*"))
            if path.suffix in SUFFIXES
        }
