//! The `.d` file, in which the compiler lists what it read, and by which cargo knows what to build again.
//!
//! It also says which files a crate is of. Mended, it names the originals and not the mirror, and a variable that changes with how the package is tracked.
//! Without the one, cargo would not see that a source changed; without the other, not that an option of `cargo memprof`
//! did. It is written whole.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use memprof_report::__common::replace_file;

use crate::cargo::mirror::normal;

/// Makes paths of the mirror those of the originals, and adds that the crate depends on `variable`: on its value, or on its not being set.
pub(crate) fn mend(path: &Path, mirror: Option<&Path>, variable: &str, value: Option<&str>) -> io::Result<()> {
    let text = match fs::read_to_string(path) {
        // None was asked for.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        text => text?,
    };
    replace_file(path, |out| out.write_all(mended(&text, mirror, variable, value).as_bytes()))
}

/// The Rust files that it lists, which is mended; relative ones stand in the folder `from`. None where none was asked for.
pub(crate) fn files(path: &Path, from: &Path) -> BTreeSet<PathBuf> {
    listed(&fs::read_to_string(path).unwrap_or_default(), from)
}

/// Each file stands on a line of its own, as a thing that is made of nothing.
fn listed(text: &str, from: &Path) -> BTreeSet<PathBuf> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let names = lines.filter_map(|line| line.strip_suffix(".rs:"));
    names.map(|name| normal(&from.join(format!("{}.rs", name.replace("\\ ", " "))))).collect()
}

fn mended(text: &str, mirror: Option<&Path>, variable: &str, value: Option<&str>) -> String {
    // As the compiler writes a space in a path.
    let mirror = mirror.map(|mirror| mirror.to_string_lossy().replace(' ', "\\ "));
    let mut text = mirror.map_or_else(|| text.to_owned(), |mirror| text.replace(&*mirror, ""));
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    let value = value.map(|value| format!("={value}")).unwrap_or_default();
    text + "# env-dep:" + variable + &value + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_the_originals_and_the_policy_is_a_dependency() {
        let text = "/t/app.d: src/main.rs /a\\ b/mirror/home/x.txt\n\nsrc/main.rs:\n/a\\ b/mirror/home/x.txt:\n\n# env-dep:OUT_DIR=/o\n";
        let mirror = Some(Path::new("/a b/mirror"));
        assert_eq!(
            mended(text, mirror, "V", Some("12")),
            "/t/app.d: src/main.rs /home/x.txt\n\nsrc/main.rs:\n/home/x.txt:\n\n# env-dep:OUT_DIR=/o\n# env-dep:V=12\n"
        );
        assert_eq!(mended("", mirror, "V", None), "# env-dep:V\n");
    }

    #[test]
    fn the_files_of_a_crate_are_told_from_what_it_reads_besides() {
        let text = "/t/app.d: src/main.rs a\\ b.rs ../x.rs /home/x.txt\n\nsrc/main.rs:\na\\ b.rs:\n../x.rs:\n/home/x.txt:\n\n# env-dep:OUT_DIR=/o.rs:\n";
        let files = ["/w/p/src/main.rs", "/w/p/a b.rs", "/w/x.rs"].map(PathBuf::from);
        assert_eq!(listed(text, Path::new("/w/p")), files.into());
    }
}
