//! What the system says that this process holds in memory, and how much it may.
//!
//! Linux says it under `/proc/self` and in the files of the control groups, version 2 and version 1. A limit holds
//! for all groups inside the one that has it, so the groups are asked from the process's own up to the outermost
//! that is mounted, and the smallest limit is the one that counts. Elsewhere nothing is known.
//!
//! | what | where | source |
//! |---|---|---|
//! | resident now, and at its highest | `VmRSS`, `VmHWM` in `/proc/self/status`, in KiB | `proc_pid_status(5)` |
//! | which groups the process is in | `/proc/self/cgroup` | `cgroups(7)` |
//! | where their files are | `/proc/self/mountinfo` | `proc_pid_mountinfo(5)` |
//! | limit, and what counts towards it, version 2 | `memory.max`, `memory.current` | the kernel's `cgroup-v2.rst` |
//! | the same, version 1 | `memory.limit_in_bytes`, `memory.usage_in_bytes` | the kernel's `cgroup-v1/memory.rst` |
//! | what can be taken back at once | `inactive_file`, `total_inactive_file` in `memory.stat` | likewise |
//!
//! Resident is what the system has mapped for the process, pages shared with others included; it is not what the
//! program allocated, and is never added to it. Files that a group reads count towards its limit until the system
//! needs the room.

use std::path::{Path, PathBuf};

use memprof_report::Resident;

#[cfg(test)]
mod tests;

/// What is resident now; `None` where the system does not say. Reads some small files of the system, once a
/// snapshot.
pub(crate) fn now() -> Option<Resident> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    read(text)
}

/// [`now`], of a system whose files `file` gives.
fn read(file: impl Fn(&Path) -> Option<String>) -> Option<Resident> {
    let status = file(Path::new("/proc/self/status"))?;
    let mut resident = Resident::default();
    resident.now = kilobytes(&status, "VmRSS:")?;
    resident.peak = kilobytes(&status, "VmHWM:")?;
    if let Some(Limit { most, now }) = Groups::of(&file).smallest(&file) {
        (resident.limit, resident.limit_now) = (Some(most), now);
    }
    Some(resident)
}

/// The value of a line such as `VmRSS:   3068 kB`, in bytes.
fn kilobytes(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

/// A limit of a control group, and what counts towards it now.
struct Limit {
    /// In bytes.
    most: u64,
    /// In bytes, of all processes of the group. `None` where that file cannot be read.
    now: Option<u64>,
}

/// The folders of the control groups that this process is in, each with what files it has.
pub(crate) struct Groups(Vec<(Version, PathBuf)>);

impl Groups {
    /// Where this process is now. A process that is moved to another group later is still looked at here.
    pub(crate) fn of_this_process() -> Self {
        Self::of(&text)
    }

    fn of(file: &impl Fn(&Path) -> Option<String>) -> Self {
        let read = |path: &str| file(Path::new(path)).unwrap_or_default();
        let (groups, mounts) = (read("/proc/self/cgroup"), read("/proc/self/mountinfo"));
        let folders = mounts.lines().filter_map(Mount::parse).flat_map(|mount| {
            let group = groups.lines().find_map(|line| mount.group_in(line));
            let folders = group.map(|group| mount.folders_of(group)).unwrap_or_default();
            folders.into_iter().map(move |folder| (mount.version, folder))
        });
        Self(folders.collect())
    }

    /// The smallest limit that holds for this process, in bytes.
    pub(crate) fn limit(&self) -> Option<u64> {
        self.smallest(&text).map(|limit| limit.most)
    }

    fn smallest(&self, file: &impl Fn(&Path) -> Option<String>) -> Option<Limit> {
        self.limits(file).map(|(_, limit)| limit).min_by_key(|limit| limit.most)
    }

    /// Those that have a limit, with it, innermost first.
    fn limits(&self, file: &impl Fn(&Path) -> Option<String>) -> impl Iterator<Item = (&(Version, PathBuf), Limit)> {
        self.0.iter().filter_map(|group| Some((group, group.0.limit_in(&group.1, file)?)))
    }

    /// Of the group that lacks least of its limit: the bytes used, but for files that the system can take back at
    /// once as they were not used lately, and the limit.
    pub(crate) fn fullest(&self) -> Option<[u64; 2]> {
        self.fullest_of(&text)
    }

    fn fullest_of(&self, file: &impl Fn(&Path) -> Option<String>) -> Option<[u64; 2]> {
        let used = self.limits(file).filter_map(|((version, folder), limit)| {
            let idle = version.idle_in(folder, file).unwrap_or(0);
            Some([limit.now?.saturating_sub(idle), limit.most])
        });
        used.min_by_key(|[used, most]| most.saturating_sub(*used))
    }
}

/// A file of the system as text; `None` where there is none, or this process may not read it.
fn text(path: &Path) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

/// Which files a control group has.
#[derive(Clone, Copy)]
enum Version {
    One,
    Two,
}

impl Version {
    /// The limit of a group and what counts towards it; `None` where there is no limit.
    fn limit_in(self, folder: &Path, file: &impl Fn(&Path) -> Option<String>) -> Option<Limit> {
        /// Version 1 has no word for no limit, but a number near the greatest.
        const NO_LIMIT: u64 = 1 << 60;
        let (most, now) = match self {
            Version::One => ("memory.limit_in_bytes", "memory.usage_in_bytes"),
            Version::Two => ("memory.max", "memory.current"),
        };
        let number = |name: &str| file(&folder.join(name))?.trim().parse::<u64>().ok();
        // Version 2's `max` is no number.
        let most = number(most).filter(|most| *most < NO_LIMIT)?;
        Some(Limit { most, now: number(now) })
    }

    /// Bytes of files that were not used lately.
    fn idle_in(self, folder: &Path, file: &impl Fn(&Path) -> Option<String>) -> Option<u64> {
        let name = match self {
            Version::One => "total_inactive_file ",
            Version::Two => "inactive_file ",
        };
        file(&folder.join("memory.stat"))?.lines().find_map(|line| line.strip_prefix(name))?.trim().parse().ok()
    }
}

/// A tree of control groups that count memory, as it is mounted.
struct Mount {
    version: Version,
    /// The group that is seen at `point`.
    root: String,
    point: PathBuf,
}

impl Mount {
    /// Of a line such as `36 25 0:31 /root /point rw shared:9 - cgroup2 cgroup2 rw`.
    fn parse(line: &str) -> Option<Self> {
        let (mount, system) = line.split_once(" - ")?;
        let mut mount = mount.split(' ').skip(3);
        let (root, point) = (mount.next()?.to_owned(), PathBuf::from(mount.next()?));
        let mut system = system.split(' ');
        let version = match system.next()? {
            "cgroup2" => Version::Two,
            "cgroup" if system.nth(1)?.split(',').any(|controller| controller == "memory") => Version::One,
            _ => return None,
        };
        Some(Self { version, root, point })
    }

    /// The process's group, of a line such as `0::/user.slice` or `9:memory:/docker/1f`, if it is of this tree.
    fn group_in<'a>(&self, line: &'a str) -> Option<&'a str> {
        let mut parts = line.splitn(3, ':');
        let (_, controllers, group) = (parts.next()?, parts.next()?, parts.next()?);
        let is_of_this = match self.version {
            Version::One => controllers.split(',').any(|controller| controller == "memory"),
            Version::Two => controllers.is_empty(),
        };
        is_of_this.then_some(group)
    }

    /// Where the files of a group are, and those of the groups around it, as far as they are seen. A container may see
    /// its own group as the outermost.
    fn folders_of(&self, group: &str) -> Vec<PathBuf> {
        let inside = Path::new(group).strip_prefix(&self.root).unwrap_or(Path::new(""));
        inside.ancestors().map(|part| self.point.join(part)).collect()
    }
}
