"""What docs/fleet.md shows for engines: each snippet is read by a parser of its language. Run by scripts/check-viewers.

    snippets.py FOLDER     writes prometheus.yml, parca.yaml and config.alloy there
"""

import pathlib
import re
import sys

import hcl2
import yaml

PAGE = pathlib.Path(__file__).resolve().parent.parent.parent / "docs/fleet.md"
# The keys of Parca's configuration (its pkg/config), as far as they are used here: it refuses others.
PARCA = {
    "": {"object_storage", "scrape_configs"},
    "object_storage": {"bucket"},
    "scrape_configs": {"job_name", "scrape_interval", "authorization", "static_configs", "profiling_config"},
    "profiling_config": {"pprof_config"},
    "pprof_config": {"memory", "block", "goroutine", "mutex", "process_cpu"},
    "memory": {"enabled", "path"},
}


def known(value, name=""):
    """Every key is one that is known where it stands."""
    for one in value if isinstance(value, list) else [value]:
        if not isinstance(one, dict):
            continue
        others = set(one) - PARCA.get(name, set(one))
        assert not others, f"parca.yaml: {others} in {name or 'it'}"
        for key, inner in one.items():
            known(inner, key)


folder = pathlib.Path(sys.argv[1])
snippets = re.findall(r"^```(?:yaml|alloy)\n(?:#|//) (prometheus\.yml|parca\.yaml|config\.alloy)\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
assert [name for name, _ in snippets] == ["prometheus.yml", "config.alloy", "parca.yaml"], snippets
for name, text in snippets:
    (folder / name).write_text(text)
known(yaml.safe_load((folder / "parca.yaml").read_text()))
# A block's name has dots in Alloy, which HCL's has not.
blocks = re.sub(r"^(\s*)([a-z_]+)\.([a-z_.]+)( \"[a-z]+\")? \{", r"\1\2_\3\4 {", (folder / "config.alloy").read_text(), flags=re.M)
hcl2.loads(blocks)
print("docs/fleet.md: 3 snippets are well-formed")
