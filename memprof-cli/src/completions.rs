//! `memprof completions` and `memprof man`: what shells and `man` read, made of the same definitions as the help.

use std::{fs, io::Write, path::PathBuf};

use clap::{Args, Command};
use clap_complete::Shell;

use crate::{error::Error, outcome::Outcome};

/// Prints the completions of a shell.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:
  memprof completions bash    into /etc/bash_completion.d/memprof, or a file that .bashrc sources
  memprof completions zsh     into a folder of $fpath, as _memprof
  memprof completions fish    into ~/.config/fish/completions/memprof.fish")]
pub(crate) struct CompletionsArguments {
    /// Which shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// Writes the manual's pages, one for each verb.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:
  memprof man .             memprof.1, memprof-report.1 and so on, here
  memprof man share/man1    into a folder, which is made where it is not there
  man ./memprof-diff.1      to read one")]
pub(crate) struct ManArguments {
    /// The folder for them
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

/// Prints the completions.
pub(crate) fn completions(arguments: &CompletionsArguments, mut definitions: Command, out: &mut dyn Write) -> Outcome {
    let mut text = Vec::new();
    clap_complete::generate(arguments.shell, &mut definitions, "memprof", &mut text);
    // Who reads them has seen enough where this fails.
    let _ = out.write_all(&text);
    Outcome::Done
}

/// Writes the pages.
pub(crate) fn man(arguments: &ManArguments, definitions: Command) -> Result<Outcome, Error> {
    let folder = &arguments.folder;
    let done = fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(definitions, folder));
    done.map_err(|error| Error::File(format!("cannot write the manual into ‘{}’: {error}", folder.display())))?;
    Ok(Outcome::Done)
}
