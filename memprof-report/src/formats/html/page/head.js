// What stands above the graph: which program, when, how long; what limits the numbers; the tabs; the figures of a space.

function drawHead(profile) {
  const title = profile.isDiff ? 'Memory, before and after' : 'Memory report';
  const name = profile.process?.program;
  document.getElementById('head').replaceChildren(
    element('p', { class: 'kind' }, title),
    element('h1', {}, name ? bdi(oneLine(name)) : 'memprof'),
    profile.isDiff
      ? element('dl', { class: 'sides' },
          element('dt', {}, 'Before'), element('dd', {}, runWords(profile.diff.process, true)),
          element('dt', {}, 'After'), element('dd', {}, runWords(profile.process, true)))
      : element('p', { class: 'run' }, runWords(profile.process, false)),
  );
  document.getElementById('foot').replaceChildren(
    element('p', {}, 'Bytes are those that the program asked for. What memprof itself needs is in no number. ',
      'KiB, MiB and GiB are powers of 1,024; the exact number is always beside them or a hover away.'),
    element('p', {}, `Written by memprof ${oneLine(profile.memprof)}. This file is complete: it loads nothing.`),
  );
}

/** When the run was, how long it took, and which it was. */
function runWords(process, withProgram) {
  if (!process) return 'The profile does not say when it was taken.';
  const parts = [];
  if (withProgram) parts.push(bdi(oneLine(process.program), 'strong'));
  if (process.label) parts.push(['label ', bdi(oneLine(process.label), 'strong')]);
  parts.push(`started ${moment(process.started)}`,
    // A clock that went wrong is no number.
    typeof process.seconds === 'number' ? `measured for ${duration(process.seconds)}` : null, `process ${process.pid}`);
  return parts.filter(Boolean).map((part) => element('span', {}, part));
}

/** Why there is nothing to see, and which limits were reached. */
function drawNotices(profile) {
  const box = document.getElementById('notices');
  box.replaceChildren();
  if (profile.message) box.append(element('p', { class: 'notice strong' }, oneLine(profile.message)));
  if (profile.notes.length > 0) {
    box.append(element('ul', { class: 'notice', 'aria-label': 'Notes' },
      profile.notes.map((note) => element('li', {}, bdi(oneLine(note))))));
  }
}

/** A tab a space, host first; none where there is only one. */
function drawTabs(profile, state, show) {
  const box = document.getElementById('tabs');
  if (profile.spaces.length < 2) return box.replaceChildren();
  const pick = (index) => {
    show(index);
    // Showing has drawn the tabs anew.
    box.querySelector('[aria-selected="true"]').focus();
  };
  const tabs = profile.spaces.map((space, index) => {
    const chosen = index === state.space;
    const tab = element('button', {
      type: 'button', role: 'tab', 'aria-selected': String(chosen), tabindex: chosen ? 0 : -1,
      'aria-controls': 'figures graph table', onclick: () => pick(index),
    }, bdi(space.title), element('span', { class: 'less' }, short(space.total('peak'))));
    return tips.on(tab, () => `The space ${space.title}: its peak is ${bytes(space.total('peak'))}.`);
  });
  const list = element('div', { role: 'tablist', 'aria-label': 'Spaces' }, tabs);
  list.addEventListener('keydown', (event) => {
    const last = tabs.length - 1;
    const to = { ArrowLeft: state.space - 1, ArrowRight: state.space + 1, Home: 0, End: last }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    pick((to + tabs.length) % tabs.length);
  });
  return box.replaceChildren(list);
}

/** One figure: what it is called, the short number, the exact one, and what it means on hover. */
function figure(label, value, exact, meaning) {
  const node = element('div', { class: 'figure', tabindex: 0 },
    element('div', { class: 'label' }, label),
    element('div', { class: 'value' }, value),
    exact.filter(Boolean).map((line) => element('div', { class: 'exact' }, line)));
  return tips.on(node, () => meaning);
}

function drawFigures(profile, space) {
  const isHost = space.name === 'host';
  const figures = profile.isDiff ? changedFigures(space) : plainFigures(profile, space, isHost);
  document.getElementById('figures').replaceChildren(
    element('div', { class: 'figures' }, figures),
    ...[...spaceWords(space), ...space.lines].map((line) => element('p', { class: 'line' }, bdi(oneLine(line)))),
  );
}

/** What the figures do not say, where there is something. */
function spaceWords(space) {
  const [failed, unknown, missed] = ['failed', 'unknown_frees', 'missed_frees'].map((name) => space.total(name));
  return [
    failed ? `${counted(failed, 'allocation')} failed upstream.` : null,
    unknown ? `${counted(unknown, 'free')} of blocks that memprof did not know: allocated before it measured, or by another allocator.` : null,
    missed ? `${counted(missed, 'free')} missed: the address was allocated again while its block counted as live.` : null,
  ].filter(Boolean);
}

/** By how much a peak may be short: so much each thread may hold that it has not told yet. */
function shortBy(threads) {
  return Number(threads) > 0 ? `short by at most ${thousands(Number(threads) * 64)} KiB: ${counted(threads, 'thread')}` : null;
}

function plainFigures(profile, space, isHost) {
  const total = (name) => space.total(name);
  const figures = [
    figure('Peak', short(total('peak')), [bytes(total('peak')), counted(total('peak_blocks'), 'block'), shortBy(total('peak_threads'))],
      `The most bytes that were live in ${space.title} at any one moment, and the blocks at that moment.`),
    Number(total('peak_sum')) > 0
      ? figure('Sum of peaks', short(total('peak_sum')), [bytes(total('peak_sum'))],
          'What all processes need where each may need its own peak at any time. The peak beside it is the greatest of theirs.')
      : null,
    figure('Live', short(total('live')), [bytes(total('live')), counted(total('live_blocks'), 'block')],
      'What was allocated and not freed when this profile was taken.'),
    figure('Allocated', short(total('total')), [bytes(total('total')), counted(total('blocks_total'), 'block')],
      'All that was ever allocated, freed or not.'),
    figure('Outside any scope', short(total('no_scope_total')),
      [`${bytes(total('no_scope_total'))} allocated`, `${thousands(total('no_scope_live'))} live, ${thousands(total('no_scope_at_peak'))} at the peak`],
      'The part of these numbers that was allocated while no scope was open: by the runtime, by statics, by code without #[memprof::track].'),
  ];
  const { resident } = profile;
  const { device } = space;
  if (isHost && resident) {
    figures.push(figure('Resident', short(resident.now), [bytes(resident.now), `${thousands(resident.peak)} at most`],
      'Memory of the process that is in RAM, as the system counts it: what top shows. It holds what is live here and what memprof does not see: the allocator’s slack, code, stacks.'));
    figures.push(resident.limit === null || resident.limit === undefined
      ? figure('Limit', 'none', ['no limit is set'], 'The smallest memory limit (cgroup) that holds for the process. The system names none.')
      : figure('Limit', short(resident.limit), [bytes(resident.limit), `${share(resident.peak, resident.limit)} reached`],
          'The smallest memory limit (cgroup) that holds for the process, and how much of it the greatest resident memory was.'));
  }
  if (device?.total) {
    figures.push(figure('Device', short(device.used), [`${bytes(device.used)} in use`, `of ${thousands(device.total)}`],
      'What the device itself says is in use, by every process, and how much it has.'));
  }
  return figures;
}

/** Of a difference: after, the change, and before. */
function changedFigures(space) {
  const one = (label, name, meaning) => {
    const [before, after, change] = [space.total(name, 'before'), space.total(name), space.total(name, 'change')];
    const relative = Number(before) && change ? ` (${change > 0 ? '+' : ''}${share(change, before)})` : '';
    return figure(label, Number(change) === 0 ? 'unchanged' : shortChange(change),
      [Number(change) === 0 ? bytes(after) : `${signed(change)}${relative}`,
        Number(change) === 0 ? null : `${thousands(before)} → ${thousands(after)}`], meaning);
  };
  return [
    one('Peak', 'peak', `The most bytes that were live in ${space.title} at any one moment: its change, and before → after.`),
    one('Live', 'live', 'What was allocated and not freed when the profile was taken: its change, and before → after.'),
    one('Allocated', 'total', 'All that was ever allocated, freed or not: its change, and before → after.'),
    one('Outside any scope', 'no_scope_total', 'What was allocated while no scope was open: its change, and before → after.'),
  ];
}
