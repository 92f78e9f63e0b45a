//! Writes a large profile: `memprof-profiles SHAPE PATHS FILE`, where a shape is `program`, `deep` or `names`.

use std::{env, error::Error, fs};

use memprof_profiles::large::{Shape, json};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [shape, paths, file] = &arguments[..] else { return Err("accepted: SHAPE PATHS FILE".into()) };
    let shape = Shape::parse(shape).ok_or("accepted: program, deep, names")?;
    Ok(fs::write(file, json(shape, paths.parse()?))?)
}
