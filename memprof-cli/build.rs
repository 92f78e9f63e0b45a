//! Packs the runtime's sources, which `cargo memprof` compiles with the user's own compiler, into the command.
//!
//! They are what `runtime/` links to: so a package of this crate holds copies, and a checkout the workspace's own.

use std::{
    env,
    error::Error,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("runtime");
    let mut table = String::from("&[\n");
    pack(&root, Path::new(""), &mut table)?;
    table.push_str("]\n");
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("runtime.rs"), table)?;
    println!("cargo::rerun-if-changed=build.rs");
    Ok(())
}

/// A line for each file below `folder`: its path there, and its content.
fn pack(root: &Path, folder: &Path, table: &mut String) -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={}", root.join(folder).display());
    let mut entries: Vec<_> = fs::read_dir(root.join(folder))?.collect::<Result<_, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let inside = folder.join(entry.file_name());
        let path = root.join(&inside);
        if path.is_dir() {
            // Tests are not compiled.
            if entry.file_name() != "tests" {
                pack(root, &inside, table)?;
            }
        } else {
            writeln!(
                table,
                "    ({:?}, include_bytes!({:?})),",
                inside.display().to_string(),
                path.display().to_string()
            )?;
        }
    }
    Ok(())
}
