//! `memprof report`: the table of saved profiles, on stdout.

use std::io::Write;

use memprof_report::Asker;

use crate::{
    arguments::ReportArguments,
    error::Error,
    profile::{check_space, read},
};

/// Prints the report of each file; where there are several, under its name.
pub(crate) fn run(arguments: &ReportArguments, out: &mut dyn Write) -> Result<(), Error> {
    for (index, file) in arguments.files.iter().enumerate() {
        let snapshot = read(file)?;
        check_space(&snapshot, file, arguments.space.as_deref())?;
        if arguments.files.len() > 1 {
            let between = if index == 0 { "" } else { "\n" };
            writeln!(out, "{between}==> {} <==\n", file.display()).map_err(Error::Output)?;
        }
        let mut report = snapshot.report().asker(Asker::Command);
        if let Some(space) = &arguments.space {
            report = report.space(space);
        }
        if let Some(field) = arguments.order {
            report = report.order(field);
        }
        if let Some(fields) = &arguments.columns {
            report = report.columns(fields.iter().copied());
        }
        if let Some(most) = arguments.rows {
            report = report.rows(most);
        }
        report.write(out).map_err(Error::Output)?;
    }
    Ok(())
}
