// The profile that the page carries, as columns of numbers.
//
// It lies in the page as JSON; data.rs says how. All text is in one table of strings, each field of all paths is one array, and a
// field that is 0 everywhere is left out. A number above 2^53 - 1, which JavaScript would round, is a string there and a BigInt
// here. With two profiles (a difference) `columns` are those of the second, and `before` those of the first.

/** The site of what was allocated outside any scope, and of what was folded to keep the page small; below it of what was folded of each crate. */
const OUTSIDE = -1;
const OTHER = -2;
/** The crate of a name given at run time, and of what no package that was tracked has. */
const OF_NONE = -1;

/** The measures whose parts sum to a number of the space: the only ones that are drawn as areas. */
const MEASURES = [
  { field: 'at_peak', blocks: 'at_peak_blocks', total: 'at_peak_level', label: 'At peak', words: 'at the peak' },
  { field: 'live', blocks: 'live_blocks', total: 'live', label: 'Live', words: 'live' },
  { field: 'self_total', blocks: 'self_blocks', total: 'total', label: 'Allocated', words: 'allocated' },
];

const whole = (value) => (typeof value === 'string' ? BigInt(value) : (value ?? 0));
const minus = (a, b) =>
  typeof a === 'bigint' || typeof b === 'bigint' ? BigInt(a) - BigInt(b) : a - b;
/** Exact: beyond 2^53 - 1 a BigInt. */
const plus = (a, b) => {
  const sum = BigInt(a) + BigInt(b);
  return Number.isSafeInteger(Number(sum)) ? Number(sum) : sum;
};

/** Numbers by field and row: one row per site, or one per path. */
class Rows {
  constructor(data, fields) {
    this.count = data.site.length;
    this.site = data.site;
    this.columns = data.columns;
    this.before = data.before ?? {};
    /** Of a difference, what has the row: 1 the first profile, 2 the second, 3 both. */
    this.sides = data.sides;
    /** How many rows a folded one stands for, and how many of these own anything. */
    this.folded = new Map(data.folded.map(([row, count]) => [row, count]));
    this.owning = new Map(data.folded.map(([row, , owning]) => [row, owning]));
    /** What there is of a row that is no path: of folded ones what adds up, outside any scope the measures and their blocks. */
    this.ofOther = new Set(fields.filter((field) => field.additive).map((field) => field.name));
    this.ofOutside = new Set(MEASURES.flatMap((measure) => [measure.field, measure.blocks]));
  }

  /** The number as measured; null where there is none: a peak of several paths together is no sum of theirs. */
  exact(field, row, side) {
    const site = this.site[row];
    if (site < 0 && !(site === OUTSIDE ? this.ofOutside : this.ofOther).has(field)) return null;
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

/** The rows of a table summed by crate, as far as their numbers add up. Each says how many functions of it own anything. */
class Crates extends Rows {
  constructor(profile, rows) {
    const names = profile.fields.filter((field) => field.additive).map((field) => field.name);
    const zeros = () => Object.fromEntries(names.map((name) => [name, []]));
    const data = { site: [], columns: zeros(), before: zeros(), sides: rows.sides ? [] : undefined, folded: [] };
    const functions = [];
    /** The rows of each. */
    const parts = [];
    const places = new Map();
    const placeOf = (site) => {
      if (!places.has(site)) {
        places.set(site, data.site.push(site) - 1);
        for (const name of names) {
          data.columns[name].push(0);
          data.before[name].push(0);
        }
        data.sides?.push(0);
        functions.push(0);
        parts.push([]);
      }
      return places.get(site);
    };
    for (let row = 0; row < rows.count; row++) {
      // One that owns nothing is nothing of its crate's.
      const owns = (side) => MEASURES.some(({ field }) => Number(rows.exact(field, row, side) ?? 0) !== 0);
      if (!owns('after') && !owns('before')) continue;
      const site = rows.site[row];
      const at = placeOf(site === OUTSIDE ? site : profile.siteOfCrate(profile.siteOf(rows, row).crate));
      for (const name of names) {
        data.columns[name][at] = plus(data.columns[name][at], rows.exact(name, row, 'after') ?? 0);
        data.before[name][at] = plus(data.before[name][at], rows.exact(name, row, 'before') ?? 0);
      }
      if (data.sides) data.sides[at] |= rows.sides[row];
      if (site !== OUTSIDE) functions[at] += rows.owning.get(row) ?? 1;
      parts[at].push(row);
    }
    super(data, profile.fields);
    this.functions = functions;
    this.parts = parts;
  }
}

/** A place in source, or a name given when the program ran; or a crate, which is no place. */
class Site {
  constructor(name, file, line, crate = OF_NONE) {
    this.name = name.trim() === '' ? `"${name}"` : oneLine(name);
    /** Of a line of several scopes (`a › b (2 scopes)`) the last one, whose numbers it has. */
    this.last = this.name.replace(/^.* › (.*) \(\d+ scopes\)$/, '$1');
    this.file = oneLine(file);
    this.place = file ? `${this.file}:${line}` : '';
    this.text = `${this.name}\n${this.place}`.toLowerCase();
    /** Which of the profile's crates it is of. */
    this.crate = crate;
    /** Of its file; a run-time name has none. */
    this.tint = null;
  }
}

/** What asks whether a site has the text that was typed: `crate:name` means all that is of this crate. */
function matcher(profile, typed) {
  const query = oneLine(typed).trim().toLowerCase();
  const of = query.startsWith('crate:') ? profile.crates.findIndex((name) => query === `crate:${oneLine(name).toLowerCase()}`) : OF_NONE;
  return of === OF_NONE ? (site) => site.text.includes(query) : (site) => site.crate === of;
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
    this.profile = profile;
  }

  /** Summed when they are asked for. */
  get crates() {
    return (this.sums ??= new Crates(this.profile, this.sites));
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
    (name, index) => new Site(strings[name], strings[data.sites.file[index]], data.sites.line[index], data.sites.crate?.[index]),
  );
  profile.crates = data.crates ?? [];
  const first = profile.sites.length;
  profile.sites.push(...[...profile.crates, '(in no tracked crate)'].map((name, crate) => new Site(name, '', 0, crate)));
  profile.siteOfCrate = (crate) => first + (crate === OF_NONE ? profile.crates.length : crate);
  const outside = new Site('(outside any scope)', '', 0);
  const others = [OF_NONE, ...profile.crates.keys()].map((crate) => new Site('(other)', '', 0, crate));
  profile.siteOf = (rows, row) => {
    const site = rows.site[row];
    // Where one crate is the whole program, it has no name.
    return site === OUTSIDE ? outside : site <= OTHER ? others[OTHER - site] ?? others[0] : profile.sites[site];
  };
  profile.spaces = data.spaces.map((space) => new Space(space, profile));
  tintFiles(profile);
  return profile;
}
