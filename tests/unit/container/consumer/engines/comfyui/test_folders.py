from pathlib import Path

from container.consumer.engines.comfyui.folders import Folders, new_nonce


def test_what_a_job_wrote_is_removed_also_where_a_node_made_a_folder_for_temporary_files(
    tmp_path: Path,
) -> None:
    own, other = new_nonce(), new_nonce()
    for kind in ("output", "temp"):
        for nonce in (own, other):
            (tmp_path / kind / nonce).mkdir(parents=True)
            (tmp_path / kind / nonce / "9_00001.mp4").write_bytes(b"x")

    Folders(tmp_path).remove_outputs(own, ["9_00001.mp4"])

    assert sorted(path.parent.name for path in tmp_path.rglob("*.mp4")) == [other, other]
