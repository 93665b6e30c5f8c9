"""report.html as text: self-contained, escaped, complete. What it does in a browser is test_browser.py's."""

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from lipbench.bench.records.reader import read_runs, read_suite
from lipbench.bench.report.blocks import make_blocks, objective_order
from lipbench.bench.report.curves import styles
from lipbench.bench.report.page import render_page

PNG = b"\x89PNG not a picture"
VOID = {"meta", "link", "img", "input"}


class Outline(HTMLParser):
    """Collects start tags with their attributes and checks that end tags match them."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def _page(folder: Path, name: str = "sweep", pngs: dict[str, bytes] | None = None) -> str:
    records, suite = read_runs(folder), read_suite(folder)
    blocks, found = make_blocks(records, suite), styles(objective_order(records, suite))
    return render_page(name, blocks, found, pngs or {}, suite)


def _outline(text: str) -> Outline:
    outline = Outline()
    outline.feed(text)
    assert outline.open == []
    return outline


@pytest.fixture(scope="module")
def text(sweep: Path) -> str:
    return _page(sweep, pngs={"8gaussians-weights.png": PNG})


@pytest.fixture(scope="module")
def outline(text: str) -> Outline:
    return _outline(text)


def test_page_asks_for_nothing_from_outside(text: str, outline: Outline) -> None:
    assert not re.search(r"https?:", text)
    assert all((image["src"] or "").startswith("data:image/") for image in outline.of("img"))
    assert [link["href"] for link in outline.of("link")] == ["data:,"] and "src" not in outline.of("script")[0]
    assert "url(" not in text and "@import" not in text
    policy = next(m["content"] or "" for m in outline.of("meta") if m.get("http-equiv"))
    assert policy.startswith("default-src 'none'")


def test_page_has_every_row_run_picture_and_control(outline: Outline) -> None:
    assert len(outline.of("tr")) >= 9 and len([d for d in outline.of("details") if d.get("class") == "run"]) == 24
    strips = [i for i in outline.of("img") if "data-steps" in i]
    assert len(strips) == 8 and strips[0]["data-steps"] == "[0, 600, 1200, 1800, 2400, 3000]"
    assert all(image["alt"] for image in outline.of("img"))
    assert [s["data-filter"] for s in outline.of("select")] == ["dataset", "architecture", "recipe", "objective"]
    sliders = [i for i in outline.of("input") if i.get("type") == "range"]
    assert [s["max"] for s in sliders] == ["5", "5"]


def test_page_draws_each_figure_against_what_was_chosen_or_leaves_it(text: str) -> None:
    figures = [re.findall(r'data-drawn="(\w+)"', figure) for figure in re.findall(r"<figure>.*?</figure>", text, re.S)]
    alone = [axes for axes in figures if axes == ["step"]]
    assert len([axes for axes in figures if "seconds" in axes]) == 4 + 2 and len(alone) > 10  # quality, then stability
    script = text[text.index("// What the curves are drawn against") :]
    by_figure, toggled = script.index('all("figure"'), script.index("d.hidden =")
    assert by_figure < script.index("continue") < toggled  # a figure of those alone would be left empty


def test_page_does_not_come_back_with_another_axis_than_it_draws(outline: Outline) -> None:
    radios = [i for i in outline.of("input") if i.get("type") == "radio"]
    assert len(radios) == 2 * 4 and all(r.get("autocomplete") == "off" for r in radios)


def test_page_filters_by_labels_as_they_are(make_sweep: Callable[..., Path], tmp_path: Path) -> None:
    label = "wgan  gp"  # without a value, an option's is its text with single spaces
    make_sweep(tmp_path, objectives=(label,), datasets=("8gaussians",), seeds=1)
    outline = _outline(_page(tmp_path))
    assert all("value" in option for option in outline.of("option"))
    (row,) = (tr for tr in outline.of("tr") if "data-objective" in tr)
    assert row["data-objective"] == label and outline.of("option")[-1]["value"] == label


def test_page_shows_failures_reasons_and_protocol(text: str) -> None:
    assert "2/3 ok, 1 diverged (nan)" in text and "diverged (nan, iteration 1160)" in text
    assert "RuntimeError: out of memory" in text and "this dataset has &lt;no&gt; labels &amp; no $classes" in text
    assert "extractor = mnist-cnn" in text and "0123456789abcdef" in text and "a &lt;processor&gt;" in text
    assert "0 of 2 comparisons are settled by their seeds" in text


def test_page_says_what_each_objective_is_and_where_everything_stands(text: str, outline: Outline) -> None:
    assert "arXiv:1701.07875" in text and "arXiv:1704.00028" in text
    places = {attributes.get("id") for _, attributes in outline.tags}
    links = [link["href"] or "" for link in outline.of("a")]
    assert {"#table", "#objectives", "#block-8gaussians", "#reading", "#runs", "#protocol"} <= set(links)
    assert all(link[1:] in places for link in links if link.startswith("#"))
    assert text.count("Mann–Whitney") == text.count(">regret</dt>") == text.count("lower is better, a ceiling") == 1
    assert text.index(">regret</dt>") < text.index(">regret</a>")  # before its first use


def test_page_has_what_the_docs_send_its_readers_to(make_sweep: Callable[..., Path], tmp_path: Path) -> None:
    def change(spec: dict, result: dict) -> None:
        result["evaluation_noise"] = {"w1": {"values": [1.0, 1.2], "sd": 0.1}}

    text = _page(make_sweep(tmp_path, objectives=("wgan-gp", "sn-gan"), datasets=("8gaussians",), change=change))
    docs = (Path(__file__).parents[3] / "docs" / "table.md").read_text(encoding="utf-8")
    rows = [line for line in docs[docs.index("## Ten questions") :].splitlines() if line.startswith("| ")]
    questions = rows[1 : rows.index("| column | type | meaning |")]
    places = [place for row in questions for place in re.findall(r"\*\*([^*]+)\*\*", row)]
    assert len(questions) == 10 and len(places) > 10
    assert [place for place in places if place not in text] == []


def test_page_folds_hashes_and_names_metrics_as_tables_do(text: str) -> None:
    assert "<dt>FD(mnist-cnn) on mnist5k</dt>" in text and "<dt>fd on" not in text
    assert f'<abbr title="{"ab" * 32}">abababababab…</abbr>' in text


def test_page_sorts_by_numbers_that_javascript_reads(outline: Outline) -> None:
    keys = [cell["data-key"] or "" for cell in outline.of("td") if "data-key" in cell]
    assert len(keys) == 4 * 5 + 4 * 3  # outcome, and 4 metrics of points or 2 of images
    assert all(key == "" or re.fullmatch(r"-?(Infinity|\d+(\.\d+)?(e-?\d+)?)", key) for key in keys)


def test_page_escapes_everything_that_comes_from_records(make_sweep: Callable[..., Path], tmp_path: Path) -> None:
    evil = "</script><script>alert('x')</script><img src=x onerror=alert(1)>\"'&"

    def change(spec: dict, result: dict) -> None:
        spec["run"] = result["run"] = f"r{spec['seed']}{spec['objective'][:1]}"
        spec["recipe_spec"]["note"] = spec["device"] = spec["code"] = evil
        result["versions"]["torch"] = evil
        result["protocol"] = {"w1": {"split": evil}, evil: {"n": 1}}
        if result["status"] == "failed":
            result["reason"] = result["traceback"] = evil
        else:
            result["metrics"][evil] = result["metrics"]["w1"]

    make_sweep(
        tmp_path / "s", objectives=("a", evil), datasets=("8gaussians",), recipes=(evil,), seeds=2,
        statuses={("a", "8gaussians", 0): "failed"}, change=change,
    )  # fmt: skip
    outline = _outline(_page(tmp_path / "s", evil))
    assert len(outline.of("script")) == 1
    assert all("onerror" not in attributes for _, attributes in outline.tags)
    assert all((image["src"] or "").startswith("data:") for image in outline.of("img"))


@pytest.mark.parametrize("seeds", [3, 6])
def test_page_says_once_what_intervals_of_few_seeds_are(
    make_sweep: Callable[..., Path], tmp_path: Path, seeds: int
) -> None:
    make_sweep(tmp_path, objectives=("a", "b"), datasets=("8gaussians",), seeds=seeds)
    text = _page(tmp_path)
    told = ("With 3 seeds an interval is their range", "with a probability of 75 %, not 95 %")
    assert [text.count(part) for part in told] == [1 if seeds == 3 else 0] * 2
    assert text.count("With 6 seeds an interval is their range") == text.count("96.9 %") == (1 if seeds == 6 else 0)
    assert "Newcombe&#39;s 95 % interval" in text and "chosen on the same seeds" in text


@pytest.mark.parametrize(
    ("sd", "sized", "heading"),
    [
        (0.1, True, "Noise of the evaluation, and number of samples"),
        (0.1, False, "Noise of the evaluation"),
        (None, True, "Number of samples"),  # evaluated again once
        (None, False, None),
    ],
)
def test_page_has_the_noise_and_the_sample_sizes_that_were_measured(
    make_sweep: Callable[..., Path], tmp_path: Path, sd: float | None, sized: bool, heading: str | None
) -> None:
    def change(spec: dict, result: dict) -> None:
        result["evaluation_noise"] = {"w1": {"values": [1.0], "sd": sd}}
        result["bias"] = {"w1": {"sizes": [50, 100], "values": [5.0, 4.0]}} if sized else {}

    make_sweep(tmp_path, objectives=("a",), datasets=("8gaussians",), seeds=2, change=change)
    text = _page(tmp_path)
    assert _outline(text).open == []
    found = re.findall(r"<h3>((?:Noise|Number) of [^<]*)</h3>", text)
    assert found == ([heading] if heading else [])
    assert ("against 1/samples" in text) == sized and ("sd of one evaluation" in text) == (sd is not None)


def test_page_of_nothing_but_failures_is_whole(make_sweep: Callable[..., Path], tmp_path: Path) -> None:
    statuses = {("a", "8gaussians", seed): "failed" for seed in range(2)}
    make_sweep(tmp_path, objectives=("a",), datasets=("8gaussians",), seeds=2, statuses=statuses)
    text = _page(tmp_path)
    assert "Of 2 runs 0 completed, 2 failed (a)." in text and _outline(text).of("img") == []
