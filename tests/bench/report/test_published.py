"""Published values stand below the tables that they belong to, and below no other."""

from collections.abc import Callable

from lipbench.bench.records.reader import RunRecord
from lipbench.bench.report.blocks import make_blocks
from lipbench.bench.report.notes import notes
from lipbench.bench.report.published import published_packing


def test_published_packing_has_the_values_of_table_1() -> None:
    told = published_packing("pacgan-ring", 1)
    assert told is not None and told.endswith(": 6.3 ± 0.5 modes, 98.2 % of high quality, KL 0.45.")
    told = published_packing("pacgan-grid", 2)
    assert told is not None and told.endswith(": 23.8 modes, 91.3 % of high quality, KL 0.13.")
    assert published_packing("8gaussians", 1) is None and published_packing("pacgan-grid", 7) is None


def test_notes_have_the_published_values_of_the_packing_that_was_run(make_run: Callable[..., RunRecord]) -> None:
    small = {"name": "pacgan-mlp", "width": 8, "depth": 1, "critic_width": 4}
    common = {"datasets": ["pacgan-ring"], "objectives": ["non-saturating"], "steps": 2}
    records = [
        make_run(**common, architectures=[network])
        for network in (small | {"packing": 2}, {"name": "mlp", "width": 8, "depth": 1})
    ]
    told = [line for line in notes(make_blocks(records)) if line.startswith("Published")]
    assert told == [published_packing("pacgan-ring", 2)]
    assert records[0].history["images"].iloc[-1] == 2 * 2 * 16 * 2  # two updates of two critic steps on 16 packs of two
