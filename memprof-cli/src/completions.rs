//! `memprof completions` and `memprof man`: what shells and `man` read, made of the same definitions as the help.
//!
//! No verb or option is named here, so a new one is in all of them. Files of the manual replace those of their names.

use std::{fs, io::Write, path::PathBuf};

use clap::{Args, Command};
use clap_complete::Shell;

use crate::{error::Error, outcome::Outcome};

/// Prints the completions of a shell.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:
  memprof completions bash    into /etc/bash_completion.d/memprof, or a file that .bashrc sources
  memprof completions zsh     into a folder of $fpath, as _memprof
  memprof completions fish    into ~/.config/fish/completions/memprof.fish
  memprof completions zsh --cargo-memprof    as _cargo-memprof: for `cargo memprof`, called by that name")]
pub(crate) struct CompletionsArguments {
    /// Which shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
    /// Of the command cargo-memprof, instead
    #[arg(long)]
    cargo_memprof: bool,
}

/// Writes the manual's pages, one for each verb.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:
  memprof man .             memprof.1, memprof-report.1, cargo-memprof.1 and so on, here
  memprof man share/man1    into a folder, which is made where it is not there
  man ./memprof-diff.1      to read one")]
pub(crate) struct ManArguments {
    /// The folder for them
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

/// Prints the completions, of the first of these commands or of `cargo memprof`.
pub(crate) fn completions(
    arguments: &CompletionsArguments,
    definitions: [Command; 2],
    out: &mut dyn Write,
) -> Result<Outcome, Error> {
    let [memprof, cargo_memprof] = definitions;
    let (mut definitions, name) =
        if arguments.cargo_memprof { (called(cargo_memprof), CARGO_MEMPROF) } else { (memprof, "memprof") };
    let mut text = Vec::new();
    clap_complete::generate(arguments.shell, &mut definitions, name, &mut text);
    out.write_all(&text).map_err(Error::Output)?;
    Ok(Outcome::Done)
}

/// The command's own name, by which shells and `man` know it.
const CARGO_MEMPROF: &str = "cargo-memprof";

/// `cargo memprof` by the name of its file.
fn called(definitions: Command) -> Command {
    definitions.name(CARGO_MEMPROF).bin_name(CARGO_MEMPROF)
}

/// Writes the pages of both commands.
pub(crate) fn man(arguments: &ManArguments, [memprof, cargo_memprof]: [Command; 2]) -> Result<Outcome, Error> {
    let folder = &arguments.folder;
    let done = fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(memprof, folder))
        .and_then(|()| clap_mangen::generate_to(called(cargo_memprof), folder));
    done.map_err(|error| Error::File(format!("cannot write the manual into ‘{}’: {error}", folder.display())))?;
    Ok(Outcome::Done)
}
