// What is found in the call tree: paths by a text in their names, and sums by file.

/**
 * Marks the paths whose function, file or line has the text, or whose crate it names, and sums them with all under them: a marked path inside a marked
 * one is counted there, so no byte twice.
 */
function searchPaths(profile, paths, sums, query) {
  const sites = new Map();
  const has = matcher(profile, query);
  const fits = (path) => {
    const site = paths.site[path];
    if (!sites.has(site)) sites.set(site, has(profile.siteOf(paths, path)));
    return sites.get(site);
  };
  const marked = new Uint8Array(paths.count);
  const inside = new Uint8Array(paths.count);
  const within = new Uint8Array(paths.count + 1);
  let [count, up, down] = [0, 0, 0];
  for (let path = 0; path < paths.count; path++) {
    const covered = inside[paths.parent[path]] ?? 0;
    marked[path] = Number(fits(path));
    inside[path] = covered | marked[path];
    count += marked[path];
    if (marked[path] && !covered) {
      up += sums.up(path);
      down += sums.down(path);
    }
  }
  for (let path = paths.count - 1; path >= 0; path--) {
    within[path] |= marked[path];
    // The last place is the space's own, for paths without a parent.
    within[paths.parent[path] < 0 ? paths.count : paths.parent[path]] |= within[path];
  }
  return { count, up, down, has: (path) => marked[path] === 1, hasWithin: (path) => within[path] === 1 };
}

/** What the functions of each file own themselves in the chosen measure, where it is above zero. */
function sumsByFile(profile, paths, { measure, side }) {
  const sums = new Map();
  for (let path = 0; path < paths.count; path++) {
    const own = paths.number(measure, path, side);
    const { file, tint } = profile.siteOf(paths, path);
    if (own > 0 && file) sums.set(file, { tint, sum: (sums.get(file)?.sum ?? 0) + own });
  }
  return sums;
}
