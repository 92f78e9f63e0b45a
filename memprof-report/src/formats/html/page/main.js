// Puts the page together: what is chosen (`state`), and who is told when that changes.

const profile = readProfile(JSON.parse(document.getElementById('profile').textContent));

/** The measure to begin with: at the peak, unless there is nothing in it. */
function firstWithBytes(space, side) {
  const says = ({ field }) => {
    const sums = space.paths.sumsOf(field, side);
    return sums.up(-1) + sums.down(-1) > 0;
  };
  return (MEASURES.find(says) ?? MEASURES[0]).field;
}

const state = {
  space: 0,
  side: profile.isDiff ? 'change' : 'after',
  measure: 'at_peak',
  rows: 'sites',
  sort: profile.fields.some((field) => field.name === profile.order)
    ? { field: profile.order, down: true } : { field: 'name', down: false },
  kind: 'all',
  allColumns: false,
  /** The number of which the spread is shown. */
  spread: 'memory_peak',
};

const graph = new Graph(profile, state, showSpace);
const table = new Table(profile, state, showSpace, (path) => {
  const sums = graph.sums;
  // A path that has nothing in this measure has no frame: the nearest around it that has one.
  let at = path;
  while (at >= 0 && sums.up(at) + sums.down(at) === 0) at = profile.spaces[state.space].paths.parent[at];
  graph.zoomTo(at, at < 0 || sums.up(at) >= sums.down(at) ? 'up' : 'down');
  graph.box.scrollIntoView({ block: 'start' });
  graph.rove(graph.at(at), true);
}, (name) => {
  graph.find(`crate:${name}`);
  graph.box.scrollIntoView({ block: 'start' });
  graph.search.focus();
});

function showSpace() {
  const space = profile.spaces[state.space];
  graph.show(space);
  table.show(space);
  drawSpread(profile, space, state);
}

function choose(index) {
  state.space = index;
  drawTabs(profile, state, choose);
  drawFigures(profile, profile.spaces[index]);
  showSpace();
}

document.addEventListener('keydown', (event) => {
  const writes = event.target instanceof HTMLInputElement;
  if (event.key === '/' && !writes && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    graph.search.focus();
    graph.search.select();
  } else if (event.key === 'Escape') {
    tips.hide();
    if (graph.goBack()) event.preventDefault();
  }
});

drawHead(profile);
drawNotices(profile);
if (profile.spaces.length > 0) {
  const first = Math.max(0, profile.spaces.findIndex((space) => space.name === profile.space));
  state.measure = profile.measure ?? firstWithBytes(profile.spaces[first], state.side);
  choose(first);
} else {
  for (const id of ['tabs', 'figures', 'graph', 'table']) document.getElementById(id).hidden = true;
}
