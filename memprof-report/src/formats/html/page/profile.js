// The profile that the page carries, as columns of numbers.
//
// It lies in the page as JSON; data.rs says how. All text is in one table of strings, each field of all paths is one array, and a
// field that is 0 everywhere is left out. A number above 2^53 - 1, which JavaScript would round, is a string there and a BigInt
// here. With two profiles (a difference) `columns` are those of the second, and `before` those of the first.

/** The site of what was allocated outside any scope, and of what was folded to keep the page small. */
const OUTSIDE = -1;
const OTHER = -2;

/** The measures whose parts sum to a number of the space: the only ones that are drawn as areas. */
const MEASURES = [
  { field: 'at_peak', blocks: 'at_peak_blocks', total: 'at_peak_level', label: 'At peak', words: 'at the peak' },
  { field: 'live', blocks: 'live_blocks', total: 'live', label: 'Live', words: 'live' },
  { field: 'self_total', blocks: 'self_blocks', total: 'total', label: 'Allocated', words: 'allocated' },
];

const whole = (value) => (typeof value === 'string' ? BigInt(value) : (value ?? 0));
const minus = (a, b) =>
  typeof a === 'bigint' || typeof b === 'bigint' ? BigInt(a) - BigInt(b) : a - b;

/** Numbers by field and row: one row per site, or one per path. */
class Rows {
  constructor(data, fields) {
    this.count = data.site.length;
    this.site = data.site;
    this.columns = data.columns;
    this.before = data.before ?? {};
    /** Of a difference, what has the row: 1 the first profile, 2 the second, 3 both. */
    this.sides = data.sides;
    /** How many rows a folded one stands for. */
    this.folded = new Map(data.folded);
    /** What there is of a row that is no path: of folded ones what adds up, outside any scope the measures and their blocks. */
    this.known = {
      [OTHER]: new Set(fields.filter((field) => field.additive).map((field) => field.name)),
      [OUTSIDE]: new Set(MEASURES.flatMap((measure) => [measure.field, measure.blocks])),
    };
  }

  /** The number as measured; null where there is none: a peak of several paths together is no sum of theirs. */
  exact(field, row, side) {
    if (this.known[this.site[row]]?.has(field) === false) return null;
    const after = whole(this.columns[field]?.[row]);
    if (side === 'after') return after;
    const before = whole(this.before[field]?.[row]);
    return side === 'before' ? before : minus(after, before);
  }

  /** The number for comparing and drawing. */
  number(field, row, side) {
    return Number(this.exact(field, row, side) ?? 0);
  }

  isZero(field) {
    const zero = (column) => !column || column.every((value) => value === 0);
    return zero(this.columns[field]) && zero(this.before[field]);
  }
}

/** The call tree: rows that have a parent, which stands before them. */
class Paths extends Rows {
  constructor(data, fields) {
    super(data, fields);
    this.parent = new Int32Array(this.count);
    this.first = new Int32Array(this.count + 1).fill(-1);
    this.next = new Int32Array(this.count).fill(-1);
    // `up` is the distance to the parent, 0 for none. From the last to the first, so that lists of children are in order.
    for (let path = this.count - 1; path >= 0; path--) {
      const parent = data.up[path] === 0 ? -1 : path - data.up[path];
      this.parent[path] = parent;
      this.next[path] = this.first[parent + 1];
      this.first[parent + 1] = path;
    }
    this.summed = new Map();
  }

  /** The paths right under this one; -1 is the space itself. */
  children(path) {
    const list = [];
    for (let child = this.first[path + 1]; child >= 0; child = this.next[child]) list.push(child);
    return list;
  }

  /** The path and those around it, outermost first. */
  chain(path) {
    const list = [];
    for (let at = path; at >= 0; at = this.parent[at]) list.unshift(at);
    return list;
  }

  /**
   * The sums over each path and all under it: `up` of what is above zero and `down` of what is below. They are never taken
   * off each other, so nothing that shrank hides behind something that grew.
   */
  sumsOf(field, side) {
    const key = `${field} ${side}`;
    if (!this.summed.has(key)) {
      const sums = { up: new Float64Array(this.count + 1), down: new Float64Array(this.count + 1) };
      for (let path = this.count - 1; path >= 0; path--) {
        const own = this.number(field, path, side);
        const parent = this.parent[path] + 1;
        sums.up[path + 1] += Math.max(own, 0);
        sums.down[path + 1] += Math.max(-own, 0);
        sums.up[parent] += sums.up[path + 1];
        sums.down[parent] += sums.down[path + 1];
      }
      this.summed.set(key, { up: (path) => sums.up[path + 1], down: (path) => sums.down[path + 1] });
    }
    return this.summed.get(key);
  }
}

/** A place in source, or a name given when the program ran. */
class Site {
  constructor(name, file, line) {
    this.name = name.trim() === '' ? `"${name}"` : oneLine(name);
    /** Of a line of several scopes (`a › b (2 scopes)`) the last one, whose numbers it has. */
    this.last = this.name.replace(/^.* › (.*) \(\d+ scopes\)$/, '$1');
    this.file = oneLine(file);
    this.place = file ? `${this.file}:${line}` : '';
    this.text = `${this.name}\n${this.place}`.toLowerCase();
    /** Of its file; a run-time name has none. */
    this.tint = null;
  }
}

/** So many colours are told apart; the style sheet has them as `.t0` to `.t15`. */
const TINTS = 16;

/**
 * Gives each file a colour: the one that its name asks for, so that it is mostly the same in every report. Of the files that
 * allocate most, no two get the same one.
 */
function tintFiles(profile) {
  const weights = new Map();
  for (const { sites: rows } of profile.spaces) {
    for (let row = 0; row < rows.count; row++) {
      const { file } = profile.siteOf(rows, row);
      if (file) weights.set(file, (weights.get(file) ?? 0) + rows.number('self_total', row, 'after'));
    }
  }
  const tints = new Map();
  const taken = new Set();
  for (const [file] of [...weights].sort(([, a], [, b]) => b - a)) {
    let tint = hash(file) % TINTS;
    while (taken.size < TINTS && taken.has(tint)) tint = (tint + 1) % TINTS;
    taken.add(tint);
    tints.set(file, tint);
  }
  for (const site of profile.sites) site.tint = site.file ? (tints.get(site.file) ?? hash(site.file) % TINTS) : null;
}

/** FNV-1a, its bits mixed once more, because file names are much alike. */
function hash(text) {
  let bits = 2166136261;
  for (let index = 0; index < text.length; index++) bits = Math.imul(bits ^ text.charCodeAt(index), 16777619);
  bits = Math.imul(bits ^ (bits >>> 15), 2246822519);
  return (bits ^ (bits >>> 13)) >>> 0;
}

class Space {
  constructor(data, profile) {
    Object.assign(this, data);
    this.title = oneLine(data.name);
    this.sites = new Rows(data.rows, profile.fields);
    this.paths = new Paths(data.paths, profile.fields);
  }

  /** The number of the whole space. */
  total(name, side = 'after') {
    const after = whole(this.totals?.[name]);
    if (side === 'after') return after;
    const before = whole(this.before?.[name]);
    return side === 'before' ? before : minus(after, before);
  }
}

function readProfile(data) {
  const profile = { ...data };
  profile.isDiff = Boolean(data.diff);
  const { strings } = data;
  profile.sites = data.sites.function.map(
    (name, index) => new Site(strings[name], strings[data.sites.file[index]], data.sites.line[index]),
  );
  const outside = new Site('(outside any scope)', '', 0);
  const other = new Site('(other)', '', 0);
  profile.siteOf = (rows, row) => {
    const site = rows.site[row];
    return site === OUTSIDE ? outside : site === OTHER ? other : profile.sites[site];
  };
  profile.spaces = data.spaces.map((space) => new Space(space, profile));
  tintFiles(profile);
  return profile;
}
