use std::path::Path;

use memprof_report::Resident;

use super::{Groups, read};

const STATUS: &str = "Name:\tx\nVmPeak:\t   99999 kB\nVmHWM:\t    3072 kB\nVmRSS:\t    2048 kB\nThreads:\t1\n";
const TWO: &str = "36 25 0:31 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate";
const ONE: &str = "30 25 0:26 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
                   37 25 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory";

/// What a system with these files says, each given by its path and its text.
fn of(files: &[(&str, &str)]) -> Option<Resident> {
    read(|path| files.iter().find(|(name, _)| Path::new(name) == path).map(|(_, text)| (*text).to_owned()))
}

/// Limit, and what counts towards it, where the process is in this group.
fn limits(mounts: &str, groups: &str, files: &[(&str, &str)]) -> (Option<u64>, Option<u64>) {
    let own = [("/proc/self/status", STATUS), ("/proc/self/cgroup", groups), ("/proc/self/mountinfo", mounts)];
    let all: Vec<(&str, &str)> = own.iter().chain(files).copied().collect();
    let resident = of(&all).expect("the status is there");
    assert_eq!((resident.now, resident.peak), (2_097_152, 3_145_728));
    (resident.limit, resident.limit_now)
}

#[test]
fn what_is_resident_is_said_where_no_group_is_seen() {
    assert_eq!(limits("", "", &[]), (None, None));
    let resident = of(&[("/proc/self/status", STATUS)]).expect("the status is there");
    assert_eq!((resident.limit, resident.limit_now), (None, None));
}

#[test]
fn a_system_that_does_not_say_it_is_none() {
    assert_eq!(of(&[]), None);
    assert_eq!(of(&[("/proc/self/status", "Name:\tx\n")]), None);
    assert_eq!(of(&[("/proc/self/status", "VmRSS:\tmany kB\nVmHWM:\t1 kB\n")]), None);
}

#[test]
fn the_smallest_limit_of_the_groups_around_holds() {
    let files = [
        ("/sys/fs/cgroup/a/b/memory.max", "max\n"),
        ("/sys/fs/cgroup/a/b/memory.current", "100\n"),
        ("/sys/fs/cgroup/a/memory.max", "536870912\n"),
        ("/sys/fs/cgroup/a/memory.current", "200\n"),
        ("/sys/fs/cgroup/memory.max", "999999999999\n"),
    ];
    assert_eq!(limits(TWO, "0::/a/b\n", &files), (Some(536_870_912), Some(200)));
    assert_eq!(limits(TWO, "0::/other\n", &files), (Some(999_999_999_999), None));
    assert_eq!(limits(TWO, "0::/a/b\n", &files[..2]), (None, None));
}

#[test]
fn version_1_is_read_by_its_controller_and_its_greatest_number_is_no_limit() {
    let files = [
        ("/sys/fs/cgroup/memory/docker/1f/memory.limit_in_bytes", "1000\n"),
        ("/sys/fs/cgroup/memory/docker/1f/memory.usage_in_bytes", "600\n"),
        ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
    ];
    let groups = "12:cpu,cpuacct:/other\n9:memory:/docker/1f\n0::/\n";
    assert_eq!(limits(ONE, groups, &files), (Some(1000), Some(600)));
    assert_eq!(limits(ONE, "9:memory:/\n", &files), (None, None));
}

#[test]
fn a_container_that_sees_its_own_group_as_the_outermost_has_its_limit() {
    let mounts = "40 25 0:33 /docker/1f /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory";
    let files = [("/sys/fs/cgroup/memory/memory.limit_in_bytes", "4096\n")];
    assert_eq!(limits(mounts, "9:memory:/docker/1f\n", &files), (Some(4096), None));
    // As version 2 has it in a name space of its own.
    let files = [("/sys/fs/cgroup/memory.max", "8192\n"), ("/sys/fs/cgroup/memory.current", "1\n")];
    assert_eq!(limits(TWO, "0::/\n", &files), (Some(8192), Some(1)));
    assert_eq!(limits(TWO, "0::/../outside\n", &files), (Some(8192), Some(1)));
}

#[test]
#[cfg(target_os = "linux")]
fn this_process_is_resident() {
    let resident = super::now().expect("Linux says it");
    assert!(resident.now > 0 && resident.peak >= resident.now, "{resident:?}");
}

#[test]
fn the_fullest_group_is_the_one_that_lacks_least_and_idle_files_are_not_used() {
    let files = [
        ("/proc/self/cgroup", "0::/a/b\n"),
        ("/proc/self/mountinfo", TWO),
        ("/sys/fs/cgroup/a/b/memory.max", "1000\n"),
        ("/sys/fs/cgroup/a/b/memory.current", "990\n"),
        ("/sys/fs/cgroup/a/b/memory.stat", "anon 100\ninactive_file 500\nactive_file 7\n"),
        ("/sys/fs/cgroup/a/memory.max", "2000\n"),
        ("/sys/fs/cgroup/a/memory.current", "1900\n"),
    ];
    let file = |path: &Path| files.iter().find(|(name, _)| Path::new(name) == path).map(|(_, text)| (*text).to_owned());
    let groups = Groups::of(&file);
    assert_eq!(groups.fullest_of(&file), Some([1900, 2000]), "100 are left there, and 510 inside of it");
    assert_eq!(groups.smallest(&file).map(|limit| limit.most), Some(1000));
    assert_eq!(Groups::of(&|_: &Path| None).fullest_of(&file), None);
}

#[test]
fn version_1_counts_idle_files_of_the_groups_inside_as_well() {
    let files = [
        ("/proc/self/cgroup", "7:memory:/x\n"),
        ("/proc/self/mountinfo", ONE),
        ("/sys/fs/cgroup/memory/x/memory.limit_in_bytes", "4096\n"),
        ("/sys/fs/cgroup/memory/x/memory.usage_in_bytes", "4000\n"),
        ("/sys/fs/cgroup/memory/x/memory.stat", "inactive_file 1\ntotal_inactive_file 1000\n"),
    ];
    let file = |path: &Path| files.iter().find(|(name, _)| Path::new(name) == path).map(|(_, text)| (*text).to_owned());
    assert_eq!(Groups::of(&file).fullest_of(&file), Some([3000, 4096]));
}
