"""Compare the fake's jobs with recorded ones: their responses, and which pictures are equal.

The fake runs no model, so that its pixels are others than the recorded ones. But requests whose recorded
pictures are equal must get equal pictures from the fake too, and others different ones.
"""

import re
from collections import defaultdict
from typing import Any

from tests.contract.compare import differences
from tests.contract.jobs import ReplayedJob

UNDESCRIBED_FIELDS = ("ADetailer", "kohya_hrfix", "Soft inpainting")
"""Fields that extensions add to the infotext; the fake accepts these extensions, but adds no text."""

BLACK_PICTURE = "62fb561c59d0cea2"
"""The random weights return it now and then for different requests, so that equality proves nothing."""
SAME_BY_CHANCE = {
    "forge-138/1": "this random checkpoint painted the same for another schedule",
    "forge-132/0": "this random LoRA painted the same for another weight of its second part",
    **{
        f"a1111-{number:03}/0": "this random checkpoint painted the same with DPM++ 2M"
        for number in range(34, 38)
    },
}
"""Pictures that were equal to others on the real one only because its weights are random."""

NEARLY_EQUAL = {
    "forge": [
        {"2900c98a4e08dc2b", "8de0d3abad36d2ed", "42e972a8abe255ed"},
        {"a9a862610ed9ab38", "a777bfdb9eae977d"},
        {"88b245a07768acc4", "475b4edbe5e74a34", "bd69b3eab9421228"},
        {"048840c80237c0dd", "c0cb3f4ad78cd25a"},
        {"ec82b2265cec46e5", "814787709410a00f", "8695fcad32267de7"},
        {"730351a6b893fdbf", "fdf40aad7c054330"},
    ],
    "a1111": [
        {"8097638c6aa60ae8", "e2b93b781c72bf01"},
        {"bcfadd35609681a7", "10ab2426e61b3ae7"},
        {"f0a1c32789051d6c", "4d68a2990c42784a"},
    ],
}
"""Groups of hashes of nearly equal pictures.

For the same request again, in a batch or after another job, the real server returned the same picture except
for single pixels whose values differ by one.
"""


def job_differences(job: ReplayedJob) -> list[str]:
    """Return how the fake's response to a job differs from the recorded one, except for pixels."""
    recorded: dict[str, Any] = {
        "status": job.line["status"],
        "headers": {},
        "json": without_undescribed_fields(job.line["answer"]),
    }
    body = {name: value for name, value in job.answer.items() if name != "parameters"}
    if "info" not in job.line["answer"]:
        body.pop("info", None)
    return differences(recorded, {"status": job.status, "headers": {}, "json": body}, job.to_recorded)


def wrongly_different(replayed_jobs: list[ReplayedJob]) -> dict[str, list[str]]:
    """Return recorded pictures that are equal, but different on the fake, with their places."""
    names_by_hash: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for job in replayed_jobs:
        for place, recorded, replayed_picture in job.pictures:
            if place not in SAME_BY_CHANCE and recorded != BLACK_PICTURE:
                names_by_hash[recorded][replayed_picture].append(place)
    return {
        recorded: sorted(map(str, groups.values()))
        for recorded, groups in names_by_hash.items()
        if len(groups) > 1
    }


def wrongly_equal(
    replayed_jobs: list[ReplayedJob], flavor: str, nearly_equal: list[set[str]] | None = None
) -> dict[str, set[str]]:
    """Return pictures that are equal on the fake, but were different on the real server."""
    nearly_equal_groups = NEARLY_EQUAL[flavor] if nearly_equal is None else nearly_equal
    names_by_hash: dict[str, set[str]] = defaultdict(set)
    for job in replayed_jobs:
        for place, recorded, replayed_picture in job.pictures:
            if place not in SAME_BY_CHANCE:
                names_by_hash[replayed_picture].add(recorded)
    return {
        replayed_picture: recorded
        for replayed_picture, recorded in names_by_hash.items()
        if len(recorded) > 1 and not any(recorded <= group for group in nearly_equal_groups)
    }


def without_undescribed_fields(value: Any) -> Any:
    """Return a recorded value without the fields that the fake does not add."""
    if isinstance(value, dict):
        return {
            name: without_undescribed_fields(member)
            for name, member in value.items()
            if not name.startswith(UNDESCRIBED_FIELDS)
        }
    if isinstance(value, list):
        return [without_undescribed_fields(element) for element in value]
    if isinstance(value, str):
        return re.sub(rf", (?:{'|'.join(UNDESCRIBED_FIELDS)})[^:,]*: [^,]*(?=,)", "", value)
    return value
