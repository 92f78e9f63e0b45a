//! The `.d` file, in which the compiler lists what it read, and by which cargo knows what to build again.
//!
//! Mended, it names the originals and not the mirror, and a variable that changes with how the package is tracked.
//! Without the one, cargo would not see that a source changed; without the other, not that an option of `cargo memprof`
//! did. It is written whole.

use std::{fs, io, path::Path};

use memprof_report::__common::replace_file;

/// Makes paths of the mirror those of the originals, and adds that the crate depends on `variable`: on its value, or on its not being set.
pub(crate) fn mend(path: &Path, mirror: &Path, variable: &str, value: Option<&str>) -> io::Result<()> {
    let text = match fs::read_to_string(path) {
        // None was asked for.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        text => text?,
    };
    replace_file(path, |out| out.write_all(mended(&text, mirror, variable, value).as_bytes()))
}

fn mended(text: &str, mirror: &Path, variable: &str, value: Option<&str>) -> String {
    // As the compiler writes a space in a path.
    let mirror = mirror.to_string_lossy().replace(' ', "\\ ");
    let mut text = text.replace(&*mirror, "");
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
        let mirror = Path::new("/a b/mirror");
        assert_eq!(
            mended(text, mirror, "V", Some("12")),
            "/t/app.d: src/main.rs /home/x.txt\n\nsrc/main.rs:\n/home/x.txt:\n\n# env-dep:OUT_DIR=/o\n# env-dep:V=12\n"
        );
        assert_eq!(mended("", mirror, "V", None), "# env-dep:V\n");
    }
}
